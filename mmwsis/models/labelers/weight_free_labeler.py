"""Labelers without weights."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from mmengine.structures import BaseDataElement
from torch import Tensor

from .base_labeler import BaseLabeler


class WeightFreeLabeler(BaseLabeler):
    """Base class of labelers that compute from an image and what is loaded with it.

    ``tools/generate_pseudo_labels.py`` runs them without a checkpoint, so that they
    have ranks, shards, progress and resumption like any other. The data pipeline begins
    with ``LoadCachedImage`` and ends with ``PackWeakInputs``; what it loads between
    (class maps, boxes, proposals, the maps of an earlier round) are fields of the
    sample. A subclass has :meth:`label`; if this computes on the CPU alone, it says
    so by ``cpu_only = True``, and images are labelled in the processes that load them.

    Args:
        test_cfg: Settings, keys of ``test_defaults``. Defaults to None.
        data_preprocessor: Config; if None, images are moved to the device as they are,
            uint8 and RGB. Defaults to None.

    Raises:
        ValueError: An unknown key in ``test_cfg``.

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement, PixelData
        >>> class BrightPixels(WeightFreeLabeler):
        ...     artifacts = ('semantic_maps',)
        ...     test_defaults = dict(threshold=128)
        ...     def label(self, image, sample):
        ...         bright = image.amax(0) > self.test_cfg['threshold']
        ...         sample.pred_sem_seg = PixelData(sem_seg=bright[None].byte())
        >>> image = torch.tensor([0, 200], dtype=torch.uint8).expand(3, 4, 2)
        >>> (labelled,) = BrightPixels()([image], [BaseDataElement()])
        >>> labelled.pred_sem_seg.sem_seg[0, 0]
        tensor([0, 1], dtype=torch.uint8)
    """

    cpu_only: ClassVar[bool] = False

    def __init__(
        self, test_cfg: dict | None = None, data_preprocessor: dict | None = None
    ) -> None:
        super().__init__(test_cfg, data_preprocessor)

    def forward(
        self,
        inputs: Sequence[Tensor],
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'predict',
    ) -> Sequence[BaseDataElement]:
        """Label a batch.

        Args:
            inputs: B images uint8 ``(3, H, W)``, RGB.
            data_samples: B samples. Defaults to None, which no mode takes.
            mode: 'predict'; there is nothing to train. Defaults to 'predict'.

        Returns:
            The samples with predictions.

        Raises:
            ValueError: Another mode.
        """
        return super().forward(inputs, data_samples, mode)

    def predict(
        self, inputs: Sequence[Tensor], data_samples: Sequence[BaseDataElement]
    ) -> Sequence[BaseDataElement]:
        """Label one image after the other."""
        for image, sample in zip(inputs, data_samples, strict=True):
            self.label(image, sample)
        return data_samples

    @abstractmethod
    def label(self, image: Tensor, sample: BaseDataElement) -> None:
        """Fill the fields of ``self.artifact`` of one image.

        Args:
            image: uint8 ``(3, H, W)``, RGB.
            sample: What the data pipeline loaded; receives the prediction.

        Raises:
            ValueError: Something that the labeler needs is missing or does not fit.
        """

    def loss(self, inputs: object, data_samples: object = None) -> dict[str, Tensor]:
        """There is none.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            f"{type(self).__name__} has no weights: mode must be 'predict'."
        )

    _forward = loss
