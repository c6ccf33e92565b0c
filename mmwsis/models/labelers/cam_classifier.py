"""Classifier trained with image tags whose CAMs show where the classes are."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from mmwsis.ops import find_peaks
from mmwsis.registry import MODELS

from .base_labeler import BaseLabeler


@MODELS.register_module()
class CAMClassifier(BaseLabeler):
    """Multi-label classifier and the class activation maps (CAMs) read from it.

    The first stage of `IRNet <https://arxiv.org/abs/1904.05044>`_ (section 3), and of
    other methods that start from tags. It has three parts that are replaced
    independently:

    - ``backbone``: images to feature maps; the last one is used.
    - ``head``: features to logits (``forward``), to class maps (``class_maps``), and
      the loss; :class:`mmwsis.models.heads.ClassMapHead` documents them.
    - ``map_extractor``: a trained classifier and one image to maps of the classes in
      it; :class:`MultiScaleCAM` is IRNet's and documents the call.

    Makes the artifacts 'class_maps' and 'points': the local maxima of the maps
    ``high_res``, which are instance cues (`BESTIE <https://arxiv.org/abs/2109.09477>`_,
    section 3.3). They are read off before the maps are stored in half precision, which
    would make neighbours equal.

    ``test_cfg`` are the settings of the cues, the defaults are BESTIE's:
    ``kernel_size`` (15), ``min_score`` (0.1), ``max_per_class`` (25) and
    ``merge_plateaus`` (False) of :func:`mmwsis.ops.find_peaks`, and ``score_digits``
    (3), the decimals that scores are rounded to, which decide what a threshold drops
    later.

    Args:
        backbone: Config, such as ``mmdet.ResNet`` with stride 16.
        head: Config of the head.
        map_extractor: Config of the map extractor. Defaults to None: MultiScaleCAM.
        test_cfg: Settings of the cues. Defaults to None.
        data_preprocessor: Config of ``mmwsis.WholeImagePreprocessor``. Defaults to
            None.
        init_cfg: Initialisation of the whole; the backbone has its own. Defaults to
            None.

    Attributes:
        points_need_maps: Whether :meth:`find_points` reads ``pred_class_maps``.

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement
        >>> model = CAMClassifier(
        ...     backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8,
        ...                   stem_channels=8, strides=(1, 2, 2, 1), out_indices=(3,)),
        ...     head=dict(type='mmwsis.ClassMapHead', num_classes=3, in_channels=64))
        >>> _ = model.eval()
        >>> image = torch.rand(1, 3, 64, 48)
        >>> model(image, mode='tensor').shape
        torch.Size([1, 3])
        >>> sample = BaseDataElement(metainfo=dict(
        ...     tags=[0, 2], img_shape=(64, 48), ori_shape=(64, 48)))
        >>> with torch.no_grad():
        ...     maps = model(image, [sample], mode='predict')[0].pred_class_maps
        >>> maps.labels.tolist(), maps.cam.shape, maps.high_res.shape
        ([0, 2], torch.Size([2, 16, 12]), torch.Size([2, 64, 48]))
        >>> sorted(sample.pred_points.keys())
        ['labels', 'points', 'scores']
    """

    artifacts = ('class_maps', 'points')
    points_need_maps: ClassVar[bool] = True
    test_defaults: ClassVar[dict[str, Any]] = dict(
        kernel_size=15,
        min_score=0.1,
        max_per_class=25,
        merge_plateaus=False,
        score_digits=3,
    )
    report_picture: ClassVar[dict[str, str]] = dict(
        title='Cues on the maps of their classes',
        tool='tools/analysis_tools/show_cues.py',
        artifact='points',
    )

    def __init__(
        self,
        backbone: dict,
        head: dict,
        map_extractor: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(test_cfg, data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.map_extractor = MODELS.build(
            map_extractor or dict(type='mmwsis.MultiScaleCAM')
        )

    def features(self, images: Tensor) -> Tensor:
        """Last feature map of the backbone.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            ``(B, channels, h, w)``.
        """
        return self.backbone(images)[-1]

    def loss(self, inputs: Tensor, data_samples: Sequence) -> dict[str, Tensor]:
        """Loss of the tags.

        Args:
            inputs: ``(B, 3, H, W)``, normalised.
            data_samples: B samples with ``gt_tags`` (C,).

        Returns:
            ``loss_tags``.
        """
        tags = torch.stack([sample.gt_tags for sample in data_samples])
        return dict(loss_tags=self.head.loss(self._forward(inputs), tags))

    def predict(
        self, inputs: Tensor | Sequence[Sequence[Tensor]], data_samples: Sequence
    ) -> Sequence:
        """Extract the maps of the classes in each image, and their peaks.

        Args:
            inputs: Normalised images ``(B, 3, H, W)``, or one list of B images
                ``(3, h, w)`` per scale.
            data_samples: B samples with the metainfo ``tags`` and ``ori_shape``.

        Returns:
            The samples with ``pred_class_maps``, an ``InstanceData`` of ``labels``,
            the tags of the image, and maps; ``pred_tag_logits`` (C,), where the map
            extractor gives ``tag_logits``; and ``pred_points``, the cues by class,
            decreasing score and row-major order, unless 'class_maps' are all that is
            asked for.
        """
        for index, sample in enumerate(data_samples):
            # One sample at a time: sizes and classes differ between images.
            views = views_of(inputs, index, sample.img_shape)
            if self.artifact != 'points' or self.points_need_maps:
                self._extract_maps(views, sample)
            if self.artifact != 'class_maps':
                self.find_points(views, sample)
        return data_samples

    def _extract_maps(self, views: Sequence[Tensor], sample: BaseDataElement) -> None:
        labels = torch.as_tensor(sample.tags, dtype=torch.int64, device=views[0].device)
        found = self.map_extractor(self, views, labels, sample.ori_shape)
        sample.pred_class_maps = found
        if 'tag_logits' in found:
            sample.pred_tag_logits = found.tag_logits

    def find_points(self, views: Sequence[Tensor], sample: BaseDataElement) -> None:
        """Fill ``pred_points``: the peaks of the maps ``high_res``.

        Args:
            views: The image at every size, ``(3, h, w)``, normalised; not read.
            sample: With ``pred_class_maps``.
        """
        settings, found = dict(self.test_cfg), sample.pred_class_maps
        digits = settings.pop('score_digits')
        peaks = find_peaks(found.high_res, **settings)
        sample.pred_points = InstanceData(
            labels=found.labels[peaks.labels],
            points=peaks.points,
            scores=peaks.scores.double().round(decimals=digits),
        )

    def _forward(self, inputs: Tensor, data_samples: Sequence | None = None) -> Tensor:
        """Logits ``(B, C)``."""
        return self.head(self.features(inputs))


def views_of(
    inputs: Tensor | Sequence[Sequence[Tensor]], index: int, shape: tuple[int, int]
) -> list[Tensor]:
    """One sample's images at all sizes, without the padding of a batch.

    Args:
        inputs: Images ``(B, 3, H, W)``, or one list of B images per scale.
        index: Place of the sample in the batch.
        shape: ``(h, w)`` of its image.
    """
    if isinstance(inputs, Tensor):
        return [inputs[index, :, : shape[0], : shape[1]]]
    return [images[index] for images in inputs]
