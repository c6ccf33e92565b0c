"""Instances from tags or points, through semantic maps, refined while training."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import mask2bbox
from mmengine.structures import PixelData
from torch import Tensor
from torch.nn import functional as F

from mmwsis.models.original_size import (
    labels_at_original_size,
    points_at_original_size,
)
from mmwsis.ops import (
    CenterTargets,
    ScoredInstances,
    average_flipped,
    keep_tagged,
    point_instances,
    point_targets,
    refined_targets,
    scored_instances,
)
from mmwsis.registry import MODELS

from .dense_maps import DenseMaps
from .end_to_end_detector import EndToEndDetector
from .predictions import fill_instances, fill_points

SETTINGS = ('image_tags', 'points')
# Settings of :func:`mmwsis.ops.component_instances`.
GROUPING = (
    *('threshold', 'kernel_size', 'beta', 'min_area'),
    *('cluster_radius', 'cluster_min_value', 'cluster_min_distance'),
)
# In pixels, of the tight box of an instance that becomes a label.
LEAST_EXPORTED_SIDE = 2


@MODELS.register_module()
class BESTIE(EndToEndDetector):
    r"""`BESTIE <https://arxiv.org/abs/2109.09477>`_: instances from weak semantic maps.

    Three heads predict semantic classes, a map of centres for each class and offsets of
    pixels to their centres. Pixels are grouped to the centre that their offset leads to
    (Eq. 1). Semantics learn from a weakly-supervised map; centres and offsets from
    those components of it that have exactly one cue, and in every iteration from what
    the network itself then finds in the map (section 3.5, Eq. 2):

    .. math::
        L = L_\text{sem} + \tfrac12 \sum_{t \in \{\text{pseudo}, \text{refined}\}}
            200 L_\text{center}^t + 0.01 L_\text{offset}^t

    (Eq. 3 to 6; halves as in the released code). With points as supervision, centres
    learn from the points, and refined offsets lead to them.

    Args:
        num_classes: Number C of classes, without background.
        backbone: Config.
        seg_head: Config of a head, called with the features; its ``out_channels`` are
            set here, as for the other two.
        center_head: Likewise.
        offset_head: Likewise.
        loss_seg: Config of a loss of (logits, semantic map).
        loss_center: Config of a loss of (centres, target, weight).
        loss_offset: Config of a loss of (offsets, target, weight).
        neck: Config. Defaults to None.
        align_corners: How maps are enlarged from the heads' size. Defaults to False.
        supervision: 'image_tags' or 'points' (the paper's point setting). Defaults to
            'image_tags'.
        refinement: Settings of :func:`mmwsis.ops.refined_targets`; with points nothing
            of it is used. None: no refinement. Defaults to None.
        sigma: Standard deviation of the centres of refined labels, in pixels. Defaults
            to 6.0.
        instance_guidance: Whether centres and offsets learn from pixels of pseudo and
            refined instances alone, not from all. Defaults to True.
        class_agnostic: Whether there is one centre map for all classes. Defaults to
            False.
        test_cfg: ``flip``: average classes and centres with the mirror image;
            ``threshold``, ``kernel_size``, ``beta``, ``min_area``, ``cluster_radius``,
            ``cluster_min_value`` and ``cluster_min_distance`` of
            :func:`mmwsis.ops.component_instances`; ``ignore``: leave out components
            without a centre; ``rescale_offset``: measure offsets in pixels of the
            original image, not of the network's; ``network_size``: find instances in
            the network's image, where images are resized by much, and resize their
            masks. When the training images are labelled: ``clean``: no
            classes but those of the tags; ``point_guided``: with points as supervision,
            pixels are grouped to them. Defaults to None: the paper's values.
        data_preprocessor: Config, usually of ``mmdet.DetDataPreprocessor``. Defaults to
            None.
        init_cfg: Initialisation of the whole; the parts have their own. Defaults to
            None.

    Raises:
        ValueError: Another ``supervision``, or an unknown key in ``test_cfg``.

    Example:
        >>> import torch
        >>> head = dict(type='mmwsis.PixelHead', in_channels=64)
        >>> model = BESTIE(
        ...     num_classes=3,
        ...     backbone=dict(type='mmdet.ResNet', depth=18, num_stages=1,
        ...                   strides=(1,), dilations=(1,), out_indices=(0,)),
        ...     seg_head=head, center_head=head, offset_head=head,
        ...     loss_seg=dict(type='mmwsis.HardPixelCrossEntropy'),
        ...     loss_center=dict(type='mmwsis.CenterLoss', loss_weight=200.0),
        ...     loss_offset=dict(type='mmwsis.OffsetLoss', loss_weight=0.01))
        >>> _ = model.eval()
        >>> maps = model(torch.rand(1, 3, 32, 48))
        >>> [tuple(one.shape) for one in maps]
        [(1, 4, 32, 48), (1, 3, 32, 48), (1, 2, 32, 48)]
        >>> sample = DetDataSample(
        ...     metainfo=dict(img_id=1, img_shape=(32, 48), ori_shape=(30, 45)))
        >>> (sample,) = model(torch.rand(1, 3, 32, 48), [sample], mode='predict')
        >>> sample.pred_instances.masks.shape[1:]
        torch.Size([30, 45])
    """

    artifacts = ('instances', 'semantic_maps', 'points')
    report_picture = dict(
        title='Pseudo labels, and refined ones as training went on',
        tool='tools/analysis_tools/show_bestie.py',
    )
    test_defaults: ClassVar[dict[str, Any]] = dict(
        flip=True,
        threshold=0.1,
        kernel_size=41,
        beta=3.0,
        min_area=50,
        cluster_radius=2.5,
        cluster_min_value=0.05,
        cluster_min_distance=100.0,
        ignore=False,
        rescale_offset=False,
        network_size=False,
        clean=True,
        point_guided=True,
    )

    def __init__(
        self,
        num_classes: int,
        backbone: dict,
        seg_head: dict,
        center_head: dict,
        offset_head: dict,
        loss_seg: dict,
        loss_center: dict,
        loss_offset: dict,
        neck: dict | None = None,
        align_corners: bool = False,
        supervision: str = 'image_tags',
        refinement: dict | None = None,
        sigma: float = 6.0,
        instance_guidance: bool = True,
        class_agnostic: bool = False,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(backbone, neck, test_cfg, data_preprocessor, init_cfg)
        if supervision not in SETTINGS:
            raise ValueError(
                f'supervision: expected one of {SETTINGS}, got {supervision!r}.'
            )
        self.num_classes = num_classes
        self.align_corners = align_corners
        self.supervision = supervision
        self.refinement = None if refinement is None else dict(refinement)
        self.sigma = sigma
        self.instance_guidance = instance_guidance
        self.class_agnostic = class_agnostic
        center_maps = 1 if class_agnostic else num_classes
        self.seg_head = MODELS.build({**seg_head, 'out_channels': num_classes + 1})
        self.center_head = MODELS.build({**center_head, 'out_channels': center_maps})
        self.offset_head = MODELS.build({**offset_head, 'out_channels': 2})
        self.loss_seg = MODELS.build(loss_seg)
        self.loss_center = MODELS.build(loss_center)
        self.loss_offset = MODELS.build(loss_offset)

    def head_maps(self, images: Tensor) -> DenseMaps:
        """Run the network.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            Maps of the heads' size, float32.
        """
        features = self.extract_feat(images)
        heads = self.seg_head, self.center_head, self.offset_head
        return DenseMaps(*(head(features).float() for head in heads))

    def enlarged(self, maps: Tensor, size: Sequence[int]) -> Tensor:
        """Enlarge maps of the heads, bilinearly; offsets keep their values.

        Args:
            maps: ``(B, K, h, w)``.
            size: (H, W) of the result.

        Returns:
            ``(B, K, H, W)``.
        """
        return F.interpolate(
            maps, tuple(size), mode='bilinear', align_corners=self.align_corners
        )

    def _forward(
        self, batch_inputs: Tensor, batch_data_samples: Any = None
    ) -> DenseMaps:
        """Maps of the size of the images, checked if there are samples to name."""
        heads, size = self.head_maps(batch_inputs), batch_inputs.shape[2:]
        if batch_data_samples is not None:
            heads.check_finite(batch_data_samples)
        return DenseMaps(*(self.enlarged(maps, size) for maps in heads))

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[DetDataSample]
    ) -> dict[str, Tensor]:
        """Losses of one batch of crops.

        Args:
            batch_inputs: ``(B, 3, H, W)``, normalised.
            batch_data_samples: B samples with ``gt_sem_seg.sem_seg`` (1, H, W): 0
                background, ``c + 1`` class c, 255 ignore; ``gt_center_targets`` of
                ``mmwsis.GenerateCenterTargets``; ``gt_tags`` (C,); with points as
                supervision ``gt_instances`` with ``points`` and ``labels``.

        Returns:
            ``loss_seg``, ``loss_center`` and ``loss_offset``, and with refinement
            ``loss_center_refined`` and ``loss_offset_refined``: their sum is Eq. 6.

        Raises:
            FloatingPointError: The network's output is not finite; the message names
                the images.
        """
        maps = self._forward(batch_inputs, batch_data_samples)
        semantic_map = torch.stack(
            [s.gt_sem_seg.sem_seg[0] for s in batch_data_samples]
        )
        pseudo = CenterTargets(
            *(
                torch.stack([s.gt_center_targets.get(key) for s in batch_data_samples])
                for key in CenterTargets._fields
            )
        )
        centers = [(pseudo.centers, pseudo.weights)]
        offsets = [(pseudo.offsets, pseudo.weights)]
        if self.refinement is not None:
            refined = self.refined(maps, semantic_map, batch_data_samples)
            offsets.append((refined.offsets, refined.weights))
            if self.supervision == 'image_tags':  # points say where centres are
                centers.append((refined.centers, refined.weights))
        if self.class_agnostic:
            centers = [(maps.amax(1, keepdim=True), weight) for maps, weight in centers]
        return dict(
            loss_seg=self.loss_seg(maps.seg_logits, semantic_map),
            **self._guided('center', self.loss_center, maps.centers, centers),
            **self._guided('offset', self.loss_offset, maps.offsets, offsets),
        )

    def _guided(
        self,
        name: str,
        loss: Callable[..., Tensor],
        pred: Tensor,
        targets: Sequence[tuple[Tensor, Tensor]],
    ) -> dict[str, Tensor]:
        """Mean loss of pseudo and refined targets, as one term for each."""
        terms = {}
        for kind, (target, weight) in zip(('', '_refined'), targets):
            weight = weight if self.instance_guidance else None
            terms[f'loss_{name}{kind}'] = loss(pred, target, weight) / len(targets)
        return terms

    @torch.no_grad()
    def refined(
        self, maps: DenseMaps, semantic_map: Tensor, samples: Sequence[DetDataSample]
    ) -> CenterTargets:
        """Refined labels of a batch (section 3.5).

        Args:
            maps: Of the network, at the size of the images.
            semantic_map: ``(B, H, W)``.
            samples: B samples, as for :meth:`loss`.

        Returns:
            Batched targets, on the device of the maps. With points as supervision
            there are no centres; theirs are None.
        """
        tags = torch.stack([sample.gt_tags for sample in samples]) > 0
        if self.supervision == 'points':
            objects = [sample.gt_instances for sample in samples]
            points = [one.points.long() for one in objects]
            labels = [one.labels for one in objects]
            found = point_targets(semantic_map, maps.offsets, points, labels, tags)
            return CenterTargets(None, *found)
        centers = maps.centers.expand(-1, self.num_classes, -1, -1)
        return refined_targets(
            *(semantic_map, maps.seg_logits, centers, maps.offsets, tags),
            sigma=self.sigma,
            **self.refinement,
        )

    def predict_image(self, image: Tensor, sample: DetDataSample) -> None:
        """Fill the predictions of one image.

        Args:
            image: ``(3, h, w)``, normalised.
            sample: With the metainfo ``img_shape`` and ``ori_shape``. When training
                images are labelled also ``gt_tags`` (C,), unless ``clean`` is off, and
                with points as supervision ``gt_instances``, unless ``point_guided`` is
                off.

        Raises:
            FloatingPointError: The network's output is not finite.
            ValueError: The sample lacks tags or points; the message names the image.
        """
        scores, centers, offsets = self._averaged(image, sample)
        if self.artifact is not None and self.test_cfg['clean']:
            scores = keep_tagged(scores, self._known(sample, 'gt_tags') > 0)
        if self.artifact == 'semantic_maps':
            found = self._at_original_size(scores.max(0, keepdim=True).indices, sample)
            sample.pred_sem_seg = PixelData(sem_seg=found)
            return
        offsets = self._full_offsets(offsets, scores.shape[1:], sample)
        known, (labels, scores, masks) = self._instances(
            scores, centers, offsets, sample
        )
        masks = self._at_original_size(masks, sample)
        if self.artifact is not None or self.test_cfg['network_size']:
            # Resized masks may be empty; others are not.
            boxes, least = mask2bbox(masks), 1
            if self.artifact is not None:
                scores, least = scores.clamp(0, 1), LEAST_EXPORTED_SIDE
            kept = (boxes[:, 2:] - boxes[:, :2]).amin(1) >= least
            labels, scores, masks = labels[kept], scores[kept], masks[kept]
            known = None if known is None else known[kept]
        if self.artifact == 'points':
            fill_points(sample, labels, scores, masks)
        else:
            fill_instances(sample, labels, scores, masks, known)

    def _averaged(
        self, image: Tensor, sample: DetDataSample
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities of one image, (C + 1, H, W), and what the heads say besides.

        Centres (1, C, h, w), or (1, 1, h, w) of all classes, and offsets (1, 2, h, w)
        keep the heads' size: most of them are never looked at.
        """
        cfg = self.test_cfg
        size = sample.img_shape if cfg['network_size'] else sample.ori_shape
        views = [image, image.flip(-1)] if cfg['flip'] else [image]
        logits, centers, offsets = heads = self.head_maps(torch.stack(views))
        heads.check_finite([sample] * len(views))
        if cfg['flip']:  # not for offsets: the mirror image's lead to the other side
            logits = torch.stack([logits[0], logits[1].flip(-1)])
            centers = average_flipped(centers)[None]
        # One after the other, in place: maps of many classes are large.
        first, *others = self.enlarged(logits, size[:2])
        scores = first.softmax(0)
        for other in others:
            scores.add_(other.softmax(0)).div_(2)
        return scores, centers[:1], offsets[:1]

    def _full_offsets(
        self, offsets: Tensor, size: Sequence[int], sample: DetDataSample
    ) -> Tensor:
        """Offsets (2, H, W) of those of the heads."""
        offsets = self.enlarged(offsets, size)[0]
        if self.test_cfg['rescale_offset']:
            ratio = offsets.new_tensor(size) / offsets.new_tensor(sample.img_shape)
            offsets = offsets * ratio[:, None, None]
        return offsets

    def _occurring(
        self, scores: Tensor, centers: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Classes (K,) that can have instances in an image, and their maps.

        Those are the most probable ones of enough pixels for a component. There is at
        least one class.

        Returns:
            The classes; probabilities (K + 1, H, W), enlarged centre maps (K, H, W) and
            the most probable of all classes, (H, W), as far as it is one of the K.
        """
        found = scores.max(0).indices  # faster than argmax
        counts = found.flatten().bincount(minlength=len(scores))
        large = counts[1:] >= max(self.test_cfg['min_area'], 1)
        if not large.any():
            large[0] = True  # without any component
        classes = large.nonzero()[:, 0]
        if not self.class_agnostic:
            centers = centers[:, classes]
        # One after the other: torch rounds three maps otherwise than other numbers.
        enlarged = [
            self.enlarged(one, scores.shape[1:])[0] for one in centers.split(1, 1)
        ]
        centers = torch.cat(enlarged)
        numbers = F.pad(large.long().cumsum(0) * large, (1, 0))
        return (
            classes,
            scores.index_select(0, F.pad(classes + 1, (1, 0))),  # the background, too
            centers.expand(len(classes), -1, -1),
            numbers[found],
        )

    def _instances(
        self, scores: Tensor, centers: Tensor, offsets: Tensor, sample: DetDataSample
    ) -> tuple[Tensor | None, ScoredInstances]:
        """Instances and, if known, their points first; ``centers`` are the heads'."""
        cfg = self.test_cfg
        exports = self.artifact is not None
        if exports and self.supervision == 'points' and cfg['point_guided']:
            points = self._known(sample, 'gt_instances').points
            if not cfg['network_size']:
                points = points_at_original_size(points, sample)
            labels = sample.gt_instances.labels
            return point_instances(scores, offsets, points.round().long(), labels)
        settings = {key: cfg[key] for key in GROUPING}
        classes, scores, centers, semantic_map = self._occurring(scores, centers)
        found = scored_instances(
            *(scores, centers, offsets),
            keep_centerless=not cfg['ignore'],
            semantic_map=semantic_map,
            **settings,
        )
        return None, found._replace(labels=classes[found.labels])

    def _at_original_size(self, maps: Tensor, sample: DetDataSample) -> Tensor:
        if not self.test_cfg['network_size']:
            return maps
        return labels_at_original_size(maps, sample)

    def _known(self, sample: DetDataSample, field: str) -> Any:
        """What labels say of an image that is labelled in full."""
        if field not in sample:
            option = 'clean' if field == 'gt_tags' else 'point_guided'
            raise ValueError(
                f'image id {sample.get("img_id")!r} has no {field}, which pseudo '
                'labels of BESTIE are made with. Load it in the pipeline of '
                f'pseudo_label_dataloader, or set model.test_cfg.{option}=False.'
            )
        return sample.get(field)
