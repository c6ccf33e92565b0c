"""Classifier of crops with tags, whose maps join to a label map of the image."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from mmwsis.ops import crop_grid, gradcam_label_map, merge_crop_labels
from mmwsis.registry import MODELS

from .cam_classifier import CAMClassifier, views_of


@MODELS.register_module()
class CropTagClassifier(CAMClassifier):
    """Multi-label classifier of crops, and the label maps that their tags give.

    Stages 1 and 2 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018, section 3.3; the crops
    are those of its released code). It is trained on crops
    (:class:`mmwsis.datasets.transforms.TagCrop`) and predicts whole images: the maps of
    a crop's classes become its label map by a threshold and the rule that the smallest
    class is in front, and a pixel keeps the label on which all crops over it agree.

    Makes the artifact 'semantic_maps', with ``background=False``: the label of a class,
    255 where nothing is known. ``test_cfg`` has ``threshold``, the share of a map's
    maximum that a class reaches, 0.5 by default.

    Args:
        map_extractor: Config. Defaults to None: :class:`GradCAM`.
        **kwargs: Arguments of :class:`CAMClassifier`.

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement
        >>> model = CropTagClassifier(
        ...     backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8,
        ...                   stem_channels=8, strides=(1, 2, 2, 1), out_indices=(3,)),
        ...     head=dict(type='mmwsis.ClassMapHead', num_classes=3, in_channels=64))
        >>> _ = model.eval()
        >>> tags = dict(size=(64, 64), tags=[[0, 2], []])
        >>> sample = BaseDataElement(metainfo=dict(
        ...     crop_tags=tags, img_shape=(64, 96), ori_shape=(64, 96)))
        >>> with torch.no_grad():
        ...     (found,) = model(torch.rand(1, 3, 64, 96), [sample], mode='predict')
        >>> found.pred_sem_seg.sem_seg.shape
        torch.Size([1, 64, 96])
        >>> # The second crop, of columns 32 to 95, has no tags.
        >>> found.pred_sem_seg.sem_seg[..., 32:].unique()
        tensor([255], dtype=torch.uint8)
    """

    artifacts = ('semantic_maps',)
    test_defaults: ClassVar[dict[str, Any]] = dict(threshold=0.5)
    report_picture: ClassVar[dict[str, str]] = dict(
        title='Grad-CAM of crops, and the label map of their tags',
        tool='tools/analysis_tools/show_grad_cam.py',
    )

    def __init__(self, *args: Any, map_extractor: dict | None = None, **kwargs: Any):
        extractor = map_extractor or dict(type='mmwsis.GradCAM')
        super().__init__(*args, map_extractor=extractor, **kwargs)

    def predict(
        self, inputs: Tensor | Sequence[Sequence[Tensor]], data_samples: Sequence
    ) -> Sequence:
        """Label the images.

        Args:
            inputs: Normalised images ``(B, 3, H, W)``, whole ones; they may have been
                resized.
            data_samples: B samples with the metainfo ``crop_tags``, ``img_shape`` and
                ``ori_shape``.

        Returns:
            The samples with ``pred_sem_seg.sem_seg``, uint8 ``(1, *ori_shape)``, and
            ``pred_tag_logits`` (C,), the largest logit of all crops.

        Raises:
            ValueError: An image has no tags of crops.
        """
        for index, sample in enumerate(data_samples):
            (view,) = views_of(inputs, index, sample.img_shape)
            boxes, maps = self.crop_maps(view, sample)
            labels = torch.stack(
                [
                    gradcam_label_map(
                        found.high_res, found.labels, self.test_cfg['threshold']
                    )
                    for found in maps
                ]
            )
            merged = merge_crop_labels(labels, boxes, tuple(sample.ori_shape))
            sample.pred_sem_seg = PixelData(sem_seg=merged[None].byte())
            logits = torch.stack([found.tag_logits for found in maps])
            sample.pred_tag_logits = logits.amax(0)
        return data_samples

    def crop_maps(
        self, view: Tensor, sample: BaseDataElement
    ) -> tuple[Tensor, list[InstanceData]]:
        """Extract the maps of every crop of an image.

        Args:
            view: The image, ``(3, h, w)``, normalised.
            sample: Its sample.

        Returns:
            Boxes ``(N, 4)`` of the crops in the original image, and of each crop what
            the map extractor gives.

        Raises:
            ValueError: The image has no tags of crops, or is smaller than a crop; the
                message names it.
        """
        where = f'image id {sample.get("img_id")!r}'
        if sample.get('crop_tags') is None:
            raise ValueError(
                f'{where} has no crop_tags; mmwsis.CropTags in the pipeline checks '
                'them.'
            )
        crop_size, tags = sample.crop_tags['size'], sample.crop_tags['tags']
        try:
            boxes = crop_grid(tuple(sample.ori_shape), crop_size)
        except ValueError as error:
            raise ValueError(f'{where}: crop_tags: {error}') from None
        if len(tags) != len(boxes):
            raise ValueError(
                f'{where}: crop_tags: expected {len(boxes)} lists of labels, one for '
                f'each crop of {tuple(crop_size)} (height, width), got {len(tags)}.'
            )
        scale = torch.tensor(view.shape[:0:-1]) / torch.tensor(sample.ori_shape[1::-1])
        maps = []
        for box, labels in zip(boxes, tags):
            x1, y1, x2, y2 = (box * scale.repeat(2)).round().long().tolist()
            labels = torch.tensor(labels, dtype=torch.int64, device=view.device)
            crop = view[:, y1:y2, x1:x2]
            maps.append(self.map_extractor(self, [crop], labels, tuple(crop_size)))
        return boxes, maps
