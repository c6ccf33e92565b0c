"""VGG whose last stages see finer maps: a backbone of stride 8."""

from collections.abc import Sequence

from mmcv.cnn import VGG
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmwsis.registry import MODELS


@MODELS.register_module()
class DilatedVGG(VGG, BaseModule):
    """MMCV's VGG with pools that need not stride, and no fully-connected layers.

    The classifier of `BESTIE <https://arxiv.org/abs/2109.09477>`_ (supplement, figure
    10; pools and dilation are the released code's): VGG16 whose fourth pool is 3x3 of
    stride 1, the fifth is absent, and whose last stage is dilated by 2. Its maps have
    stride 8: 40x40 of an image of 321x321.

    Layers have torchvision's names, ``features.0`` to ``features.28``, so that its
    weights load with ``init_cfg=dict(type='Pretrained', checkpoint=...)``.

    Args:
        depth: 11, 13, 16 or 19. Defaults to 16.
        pool_strides: Strides of the pools behind the first four stages: 2 is 2x2, 1 is
            3x3 with a padding of 1. Defaults to (2, 2, 2, 1).
        dilations: Of the convolutions of the five stages. Defaults to (1, 1, 1, 1, 2).
        act_cfgs: Activation of the convolutions of each stage, such as
            ``dict(type='mmwsis.PeakAttention', alpha=0.7)``; None is a ReLU. Defaults
            to None: ReLU in all.
        out_indices: Stages whose maps are returned; those of the first four come from
            behind their pools. Defaults to (4,).
        frozen_stages: Number of stages that are not trained. Defaults to -1, none.
        init_cfg: Initialisation. Defaults to None: Kaiming's, at random.

    Raises:
        ValueError: Not one stride, 1 or 2, for each of four pools, or not one
            activation for each of five stages.

    Example:
        >>> import torch
        >>> backbone = DilatedVGG(11)
        >>> _ = backbone.eval()
        >>> with torch.no_grad():
        ...     (level,) = backbone(torch.zeros(1, 3, 65, 96))
        >>> level.shape
        torch.Size([1, 512, 8, 12])
    """

    def __init__(
        self,
        depth: int = 16,
        pool_strides: Sequence[int] = (2, 2, 2, 1),
        dilations: Sequence[int] = (1, 1, 1, 1, 2),
        act_cfgs: Sequence[dict | None] | None = None,
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        init_cfg: dict | None = None,
    ) -> None:
        if len(pool_strides) != 4 or not {*pool_strides} <= {1, 2}:
            raise ValueError(
                'pool_strides must be four numbers, each 1 or 2; got '
                f'{tuple(pool_strides)}.'
            )
        act_cfgs = (None,) * 5 if act_cfgs is None else act_cfgs
        if len(act_cfgs) != 5:
            raise ValueError(
                f'act_cfgs must be one for each of five stages; got {len(act_cfgs)}.'
            )
        super().__init__(
            depth,
            dilations=dilations,
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            with_last_pool=False,
        )
        self.init_cfg = init_cfg or dict(type='Kaiming', layer='Conv2d')
        for (_, end), stride in zip(self.range_sub_modules, pool_strides):
            if stride == 1:
                self.features[end - 1] = nn.MaxPool2d(3, stride=1, padding=1)
        for (start, end), act_cfg in zip(self.range_sub_modules, act_cfgs):
            for index in range(start, end) if act_cfg else ():
                if isinstance(self.features[index], nn.ReLU):
                    self.features[index] = MODELS.build(act_cfg)

    def init_weights(self) -> None:
        """Apply ``init_cfg``."""
        BaseModule.init_weights(self)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            Maps of ``out_indices``, ``(B, C_i, h_i, w_i)``.
        """
        levels = super().forward(images)
        return levels if isinstance(levels, tuple) else (levels,)
