"""What labelers have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmwsis.models.artifact_maker import ArtifactMaker
from mmwsis.models.prediction_settings import filled_test_cfg


class BaseLabeler(ArtifactMaker, BaseModel):
    """Base class of models that learn from weak labels and make artifacts.

    A subclass has ``loss``, ``predict`` and ``_forward``, as MMDetection's
    ``BaseDetector`` wants them, names what it makes in ``artifacts`` and the settings
    of its prediction in ``test_defaults``. ``predict`` fills the fields of
    ``self.artifact``; see :class:`mmwsis.pseudo_labels.Labeler`.

    Args:
        test_cfg: Settings of prediction, keys of ``test_defaults``. Defaults to None.
        data_preprocessor: Config; if None, samples are moved to the device as they are.
            Defaults to None.
        init_cfg: Initialisation of the whole. Defaults to None.

    Attributes:
        test_defaults: Every setting of prediction.
        test_cfg: All of them, as the config has them or by default.

    Raises:
        ValueError: An unknown key in ``test_cfg``.
    """

    test_defaults: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.test_cfg = filled_test_cfg(test_cfg, self.test_defaults)

    def forward(
        self,
        inputs: Any,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Train, predict, or give the network's raw output.

        Args:
            inputs: As the data preprocessor gives them.
            data_samples: One for each image or crop. Defaults to None, for mode
                'tensor'.
            mode: 'loss', 'predict' or 'tensor'. Defaults to 'tensor'.

        Returns:
            What :meth:`loss`, :meth:`predict` or ``_forward`` returns.

        Raises:
            ValueError: Unknown mode.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self._forward(inputs, data_samples)
        raise ValueError(f"mode must be 'loss', 'tensor' or 'predict'; got {mode!r}.")

    @abstractmethod
    def loss(
        self, inputs: Any, data_samples: Sequence[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Losses of one batch; names with ``loss`` in them are summed."""

    @abstractmethod
    def predict(
        self, inputs: Any, data_samples: Sequence[BaseDataElement]
    ) -> Sequence[BaseDataElement]:
        """The samples, in order, with the fields of ``self.artifact``."""

    @abstractmethod
    def _forward(
        self, inputs: Any, data_samples: Sequence[BaseDataElement] | None = None
    ) -> Any:
        """Raw output of the network."""
