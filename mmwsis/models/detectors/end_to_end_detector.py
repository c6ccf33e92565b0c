"""What networks that are labeler and final model in one have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from torch import Tensor

from mmwsis.models.artifact_maker import ArtifactMaker
from mmwsis.models.prediction_settings import filled_test_cfg
from mmwsis.registry import MODELS


class EndToEndDetector(ArtifactMaker, BaseDetector):
    """Base class of networks that learn from weak labels and are the final model.

    An ordinary detector of MMDetection: ``tools/train.py``, ``tools/test.py``, the
    metrics, the visualizer and ``DetInferencer`` know nothing of weak labels. A
    subclass has ``loss``, ``_forward`` and :meth:`predict_image`, and names in
    ``artifacts`` what else it labels. Its config says ``wsis.stage='end_to_end'``.

    Args:
        backbone: Config.
        neck: Config. Defaults to None.
        test_cfg: Settings of prediction, keys of ``test_defaults``. Defaults to None.
        data_preprocessor: Config, usually of ``mmdet.DetDataPreprocessor``. Defaults
            to None.
        init_cfg: Initialisation of the whole; the parts have their own. Defaults to
            None.

    Attributes:
        test_defaults: Every setting of prediction.
        test_cfg: All of them, as the config has them or by default.

    Raises:
        ValueError: An unknown key in ``test_cfg``.
    """

    test_defaults: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else None
        self.test_cfg = filled_test_cfg(test_cfg, self.test_defaults)

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of backbone and neck.

        Args:
            batch_inputs: ``(B, 3, H, W)``, normalised.

        Returns:
            ``(B, C_i, h_i, w_i)`` each.
        """
        features = self.backbone(batch_inputs)
        return self.neck(features) if self.with_neck else features

    @torch.no_grad()
    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]
    ) -> Sequence[DetDataSample]:
        """Predict one image after the other, each without the padding of the batch.

        Args:
            batch_inputs: ``(B, 3, H, W)``, normalised.
            batch_data_samples: B samples with the metainfo ``img_shape`` and
                ``ori_shape``.

        Returns:
            The samples, as :meth:`predict_image` fills them.
        """
        for image, sample in zip(batch_inputs, batch_data_samples, strict=True):
            height, width = sample.img_shape[:2]
            self.predict_image(image[:, :height, :width], sample)
        return batch_data_samples

    @abstractmethod
    def predict_image(self, image: Tensor, sample: DetDataSample) -> None:
        """Fill the predictions of one image, at the size of the original image.

        Outside of generation, ``self.artifact`` is None, these are ``pred_instances``
        and, of a panoptic network, ``pred_panoptic_seg``:
        :func:`~mmwsis.models.detectors.fill_instances` and
        :func:`~mmwsis.models.detectors.fill_panoptic` write them,
        ``mmwsis.models.original_size`` resizes. In generation they are the fields of
        that artifact; the others may be left out.

        Args:
            image: ``(3, h, w)``, normalised.
            sample: What the data pipeline loaded; receives the predictions.
        """
