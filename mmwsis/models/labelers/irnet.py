"""Instances from image tags by inter-pixel relations."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor
from torch.nn import functional as F

from mmwsis.models.original_size import labels_at_original_size
from mmwsis.ops import (
    merge_aug_relations,
    stride4_labels,
    stride4_size,
    synthesize_instances,
    synthesize_semantics,
)
from mmwsis.registry import MODELS

from .base_labeler import BaseLabeler


@MODELS.register_module()
class IRNet(BaseLabeler):
    """`IRNet <https://arxiv.org/abs/1904.05044>`_: class boundaries and displacements.

    Two light heads on a frozen backbone learn from the pixels whose class the CAMs tell
    with confidence: whether two near pixels belong to one class, and in which direction
    the centroids of their instances lie (section 4; loss: Eq. 9). In prediction the
    displacement field splits the image into instances (section 5.1, Eq. 10), and a
    random walk that stops at boundaries spreads the CAMs over them (section 5.2, Eq. 11
    to 13).

    Args:
        backbone: Config of a backbone with five levels, the stem's first
            (:class:`mmwsis.models.backbones.StemLevelResNet`).
        boundary_head: Config of :class:`mmwsis.models.heads.BoundaryHead`.
        displacement_head: Config of :class:`mmwsis.models.heads.DisplacementHead`.
        freeze_backbone: Keep the backbone as it is, statistics too, as in the paper.
            Without pretrained weights there is nothing to keep. Defaults to True.
        loss: Config of ``mmwsis.InterPixelRelationLoss``. Defaults to None, for
            prediction only.
        test_cfg: ``min_size`` and ``size_divisor``: images are padded at the bottom and
            the right to the larger of ``min_size`` and the next multiple of the
            divisor, in pixels, because group normalisation sees the padding;
            ``walk_radius`` (cells), ``beta``, ``num_steps``: of the random walk;
            ``num_updates``, ``weak_threshold`` (cells): of the instance map;
            ``instance_threshold``, ``semantic_threshold``: share of the highest score
            below which a pixel is background; ``min_area``: share of the image below
            which an instance scores 0. Defaults to None: the released code's values.
        data_preprocessor: Config of ``mmwsis.WholeImagePreprocessor``. Defaults to
            None.
        init_cfg: Initialisation of the whole; the backbone has its own. Defaults to
            None.

    Raises:
        ValueError: An unknown key in ``test_cfg``.

    Example:
        >>> import torch
        >>> from mmengine.structures import BaseDataElement, InstanceData
        >>> head = dict(in_channels=(8, 8, 16, 32, 64))
        >>> model = IRNet(
        ...     backbone=dict(type='mmwsis.StemLevelResNet', depth=18, base_channels=8,
        ...                   stem_channels=8, strides=(1, 2, 2, 1)),
        ...     boundary_head=dict(type='mmwsis.BoundaryHead', **head),
        ...     displacement_head=dict(type='mmwsis.DisplacementHead', **head),
        ...     test_cfg=dict(min_size=64))
        >>> _ = model.eval()
        >>> image = torch.rand(1, 3, 64, 48)
        >>> boundary, displacement = model(image)
        >>> boundary.shape, displacement.shape
        (torch.Size([1, 1, 16, 12]), torch.Size([1, 2, 16, 12]))
        >>> cams = InstanceData(labels=torch.tensor([6]), cam=torch.rand(1, 16, 12))
        >>> sample = BaseDataElement(
        ...     metainfo=dict(img_shape=(64, 48), ori_shape=(64, 48)), class_maps=cams)
        >>> found = model(image, [sample], mode='predict')[0].pred_instances
        >>> found.masks.shape[1:], set(found.labels.tolist())
        (torch.Size([64, 48]), {6})
    """

    artifacts = ('instances', 'semantic_maps')
    report_picture = dict(
        title='Boundaries, displacements, instance map and random walk',
        tool='tools/analysis_tools/show_irnet.py',
    )
    test_defaults = dict(
        min_size=512,
        size_divisor=16,
        walk_radius=5,
        beta=10.0,
        num_steps=256,
        num_updates=300,
        weak_threshold=2.5,
        instance_threshold=0.25,
        semantic_threshold=0.25,
        min_area=0.01,
    )

    def __init__(
        self,
        backbone: dict,
        boundary_head: dict,
        displacement_head: dict,
        freeze_backbone: bool = True,
        loss: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(test_cfg, data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.freeze_backbone = freeze_backbone
        if freeze_backbone:
            self.backbone.requires_grad_(False)
        self.boundary_head = MODELS.build(boundary_head)
        self.displacement_head = MODELS.build(displacement_head)
        self.relation_loss = MODELS.build(loss) if loss else None

    def train(self, mode: bool = True) -> 'IRNet':
        """Set the mode; a frozen backbone stays in evaluation mode."""
        super().train(mode)
        if self.freeze_backbone:
            self.backbone.eval()
        return self

    def levels(self, images: Tensor) -> tuple[Tensor, ...]:
        """Feature levels of the backbone, without gradients if it is frozen.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            ``(B, C_i, h_i, w_i)`` each, finest first.
        """
        learns = torch.is_grad_enabled() and not self.freeze_backbone
        with torch.set_grad_enabled(learns):
            return self.backbone(images)

    def displacement(self, images: Tensor) -> Tensor:
        """Displacement field alone.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            ``(B, 2, h, w)``, (dy, dx) in cells.
        """
        return self.displacement_head(self.levels(images))

    def _forward(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Boundary logits ``(B, 1, h, w)`` and displacements ``(B, 2, h, w)``."""
        levels = self.levels(inputs)
        return self.boundary_head(levels), self.displacement_head(levels)

    def loss(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Losses of one batch of crops.

        Args:
            inputs: ``(B, 3, H, W)``, normalised.
            data_samples: B samples with ``gt_sem_seg.sem_seg`` (1, H, W): 0
                background, ``k + 1`` class ``k``, 255 ignore.

        Returns:
            The terms of ``mmwsis.InterPixelRelationLoss``.

        Raises:
            ValueError: Crops that are too small for the loss's radius.
        """
        # Pseudo labels of the crops, (B, H, W), and of the stride-4 grid, (B, h, w).
        labels = torch.stack([s.gt_sem_seg.sem_seg[0] for s in data_samples])
        levels = self.levels(inputs)
        return self.relation_loss(
            self.boundary_head(levels),
            self.displacement_head(levels),
            stride4_labels(labels),
        )

    @torch.no_grad()
    def relations(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Boundaries and displacements of one whole image.

        Args:
            image: ``(3, H, W)``, normalised.

        Returns:
            Boundary probability ``(1, h, w)``, averaged with the mirror image, and
            displacement ``(2, h, w)`` in cells, float32.
        """
        # The image and its mirror image, padded: (2, 3, H', W').
        height, width = image.shape[-2:]
        views = F.pad(
            torch.stack([image, image.flip(-1)]),
            (0, self._padded(width) - width, 0, self._padded(height) - height),
        )
        levels = self.levels(views)
        edge_logit = self.boundary_head(levels)  # (2, 1, h', w')
        # Displacements of the image itself alone, as in the released code.
        displacement = self.displacement_head([level[:1] for level in levels])
        # Padding off; the boundary averaged with its mirror image.
        return merge_aug_relations(
            edge_logit, displacement, stride4_size((height, width))
        )

    def _padded(self, side: int) -> int:
        divisor = self.test_cfg['size_divisor']
        return max(self.test_cfg['min_size'], math.ceil(side / divisor) * divisor)

    @torch.no_grad()
    def predict(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> Sequence[BaseDataElement]:
        """Pseudo labels of whole images.

        Args:
            inputs: ``(B, 3, H, W)``, normalised. IRNet's images are not resized; where
                a transform enlarged small ones, CAMs are enlarged with them, and labels
                reduced.
            data_samples: B samples with ``class_maps``: ``labels`` (K,) and ``cam``
                (K, h, w), and the metainfo ``img_shape`` and ``ori_shape``.

        Returns:
            The samples with ``pred_instances`` (``labels``, ``scores``, ``masks``) or,
            if ``artifact`` is 'semantic_maps', ``pred_sem_seg``.

        Raises:
            ValueError: CAMs of another size than the image; the message names the
                image id.
        """
        for image, sample in zip(inputs, data_samples, strict=True):
            height, width = sample.img_shape
            # CAMs of the classes in the image, (K, h, w), and their labels, (K,).
            cams, labels = self.class_maps(sample)
            if not len(labels):  # the synthesis needs no network to find nothing
                grid = stride4_size((height, width))
                edge, displacement = (
                    image.new_zeros(1, *grid),
                    image.new_zeros(2, *grid),
                )
            else:
                # Boundaries (1, h, w) and displacements (2, h, w), without the padding
                # of the batch.
                edge, displacement = self.relations(image[:, :height, :width])
            # The displacement field splits CAMs into instances, the walk spreads them.
            if self.artifact == 'semantic_maps':
                self._fill_semantics(sample, cams, labels, edge)
            else:
                self._fill_instances(sample, cams, labels, edge, displacement)
        return data_samples

    @staticmethod
    def class_maps(sample: BaseDataElement) -> tuple[Tensor, Tensor]:
        """CAMs of an image on the network's stride-4 grid.

        Args:
            sample: With ``class_maps``, ``img_shape`` and ``ori_shape``.

        Returns:
            ``(K, h, w)`` float32 maps and their ``(K,)`` labels.

        Raises:
            ValueError: They are of another size than the image.
        """
        maps = sample.class_maps
        grid = stride4_size(sample.ori_shape)
        if tuple(maps.cam.shape[1:]) != grid:
            raise ValueError(
                f'image id {sample.get("img_id")!r}: the class maps cam are '
                f'{tuple(maps.cam.shape[1:])}, an image of {tuple(sample.ori_shape)} '
                f'pixels has {grid} (height, width). Were they made at another size?'
            )
        cams = maps.cam.float()
        if tuple(sample.img_shape) == tuple(sample.ori_shape):
            return cams, maps.labels
        # A transform enlarged the image: the maps follow it.
        grid = stride4_size(sample.img_shape)
        if not len(cams):
            return cams.new_zeros((0, *grid)), maps.labels
        cams = F.interpolate(
            cams[None], size=grid, mode='bilinear', align_corners=False
        )
        return cams[0], maps.labels

    def _walk(self) -> dict[str, Any]:
        cfg = self.test_cfg
        return dict(
            radius=cfg['walk_radius'], beta=cfg['beta'], num_steps=cfg['num_steps']
        )

    def _fill_instances(
        self,
        sample: BaseDataElement,
        cams: Tensor,
        labels: Tensor,
        edge: Tensor,
        displacement: Tensor,
    ) -> None:
        """Instance-wise CAMs, spread by the walk, to instances (Eq. 10 to 13)."""
        found = synthesize_instances(
            cams,
            labels,
            edge,
            displacement,
            tuple(sample.img_shape),
            threshold=self.test_cfg['instance_threshold'],
            min_area=self.test_cfg['min_area'],
            num_updates=self.test_cfg['num_updates'],
            weak_threshold=self.test_cfg['weak_threshold'],
            **self._walk(),
        )
        masks = labels_at_original_size(found.masks, sample)
        sample.pred_instances = InstanceData(
            labels=found.labels, scores=found.scores, masks=masks
        )

    def _fill_semantics(
        self, sample: BaseDataElement, cams: Tensor, labels: Tensor, edge: Tensor
    ) -> None:
        """CAMs, spread by the walk, to a semantic map (Eq. 12 and 13)."""
        found = synthesize_semantics(
            cams,
            labels,
            edge,
            tuple(sample.img_shape),
            threshold=self.test_cfg['semantic_threshold'],
            **self._walk(),
        )
        sample.pred_sem_seg = PixelData(
            sem_seg=labels_at_original_size(found[None], sample)
        )
