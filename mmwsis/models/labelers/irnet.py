"""Instances from image tags by inter-pixel relations."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmwsis.registry import MODELS

TEST_DEFAULTS = dict(
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


@MODELS.register_module()
class IRNet(BaseModel):
    """IRNet (Ahn, Cho, Kwak, CVPR 2019): class boundaries and displacements.

    A frozen backbone with two light heads learns from the pixels that class maps are
    sure of: whether two near pixels belong to one class, and how far apart the
    centroids of their instances are. In prediction the displacement field splits the
    image into instances, and a random walk that stops at boundaries spreads the class
    maps over them.

    Args:
        backbone: Config of a backbone with five levels
            (:class:`mmwsis.models.backbones.FiveLevelResNet`); it is not trained.
        boundary_head: Config of :class:`mmwsis.models.heads.BoundaryHead`.
        displacement_head: Config of :class:`mmwsis.models.heads.DisplacementHead`.
        loss: Config of ``mmwsis.InterPixelRelationLoss``.
        test_cfg: ``min_size`` and ``size_divisor``: images are padded at the bottom and
            the right to the larger of ``min_size`` and the next multiple of the
            divisor, in pixels, because group normalisation sees the padding;
            ``walk_radius`` (cells), ``beta``, ``num_steps``: of the random walk;
            ``num_updates``, ``weak_threshold`` (cells): of the instance map;
            ``instance_threshold``, ``semantic_threshold``: share of the highest score
            below which a pixel is background; ``min_area``: share of the image below
            which an instance scores 0.
        data_preprocessor: Config of ``mmwsis.WholeImagePreprocessor``.
        init_cfg: Initialisation of the whole; the backbone has its own.

    Attributes:
        artefact: What ``predict`` makes: 'instances' or 'semantic_maps'.

    Raises:
        ValueError: An unknown key in ``test_cfg``.
    """

    artefact = 'instances'
    report_picture = dict(
        title='Boundaries, displacements, instance map and random walk',
        tool='tools/analysis_tools/show_irnet.py',
    )

    def __init__(
        self,
        backbone: dict,
        boundary_head: dict,
        displacement_head: dict,
        loss: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.boundary_head = MODELS.build(boundary_head)
        self.displacement_head = MODELS.build(displacement_head)
        self.relation_loss = MODELS.build(loss) if loss else None
        unknown = sorted(set(test_cfg or {}) - set(TEST_DEFAULTS))
        if unknown:
            raise ValueError(
                f'test_cfg has unknown keys {unknown}; known are '
                f'{sorted(TEST_DEFAULTS)}.'
            )
        self.test_cfg = {**TEST_DEFAULTS, **(test_cfg or {})}

    def train(self, mode: bool = True) -> 'IRNet':
        """Set the mode; the backbone stays in evaluation mode."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def levels(self, images: Tensor) -> tuple[Tensor, ...]:
        """Levels of the backbone, without gradients.

        Args:
            images: ``(B, 3, H, W)``, normalised.
        """
        return self.backbone(images)

    def displacement(self, images: Tensor) -> Tensor:
        """Displacement field alone.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            ``(B, 2, h, w)``, (dy, dx) in cells.
        """
        return self.displacement_head(self.levels(images))

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Train, predict, or give the raw maps.

        Args:
            inputs: ``(B, 3, H, W)``, normalised.
            data_samples: B samples; see :meth:`loss` and :meth:`predict`.
            mode: 'loss', 'predict' or 'tensor'.

        Returns:
            'loss': dictionary of losses; 'predict': the samples; 'tensor': boundary
            logits ``(B, 1, h, w)`` and displacements ``(B, 2, h, w)``.

        Raises:
            ValueError: Unknown mode.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            levels = self.levels(inputs)
            return self.boundary_head(levels), self.displacement_head(levels)
        raise ValueError(f"mode must be 'loss', 'tensor' or 'predict'; got {mode!r}.")

    def loss(
        self, inputs: Tensor, data_samples: Sequence[BaseDataElement]
    ) -> dict[str, Tensor]:
        """Losses of one batch of crops.

        Args:
            inputs: ``(B, 3, H, W)``, normalised.
            data_samples: B samples with ``gt_sem_seg.sem_seg`` (1, H, W): 0 sure
                background, ``k + 1`` sure class ``k``, 255 unsure.

        Returns:
            The terms of ``mmwsis.InterPixelRelationLoss``.

        Raises:
            ValueError: Crops that are too small for the loss's radius.
        """
        labels = torch.stack([s.gt_sem_seg.sem_seg[0] for s in data_samples])
        levels = self.levels(inputs)
        return self.relation_loss(
            self.boundary_head(levels),
            self.displacement_head(levels),
            quarter_labels(labels),
        )
