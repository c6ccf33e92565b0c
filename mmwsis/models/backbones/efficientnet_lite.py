"""EfficientNet-Lite: a backbone for a few hundred photographs without a GPU."""

import math

import torch
from mmcv.cnn import ConvModule
from mmdet.models.layers import InvertedResidual
from mmengine.model import BaseModule, Sequential, initialize
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmwsis.registry import MODELS

# Width and depth multipliers.
ARCHS = {
    'lite0': (1.0, 1.0),
    'lite1': (1.0, 1.1),
    'lite2': (1.1, 1.2),
    'lite3': (1.2, 1.4),
    'lite4': (1.4, 1.8),
}
# Groups of equal blocks by stage: kernel size, expansion, channels, repeats. The last
# two stages have two groups, of which the second does not stride.
_STAGES = (
    ((3, 1, 16, 1),),
    ((3, 6, 24, 2),),
    ((5, 6, 40, 2),),
    ((3, 6, 80, 3), (5, 6, 112, 3)),
    ((5, 6, 192, 4), (3, 6, 320, 1)),
)
_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280  # not scaled


@MODELS.register_module()
class EfficientNetLite(BaseModule):
    """EfficientNet-Lite, with its stages of one stride each as feature levels.

    `EfficientNet <https://arxiv.org/abs/1905.11946>`_ (table 1) without squeeze and
    excitation, with ReLU6, and with stem, first stage's and last group's depth, and
    head of fixed size. Padding is TensorFlow's "same", which the published weights were
    trained with: on a side of even length a stride-2 kernel is centred on odd pixels.

    The published weights (:class:`~mmwsis.models.EfficientNetLitePretrained`) want RGB
    values ``(v - 127) / 128``.

    Args:
        arch: 'lite0' to 'lite4'. Defaults to 'lite0'.
        out_indices: Levels to return: 0 to 4 are the stages, of strides 2, 4, 8, 16 and
            32, and 5 is the classifier's 1x1 convolution (1280 channels) on stage 4.
            What lies behind the last one is not built. Defaults to (1, 2, 3, 4).
        strides: Stride of each stage's first block; the stem has another 2. Defaults to
            (1, 2, 2, 2, 2).
        dilations: Dilation of each stage's depthwise convolutions. The first block
            keeps that of the stage before, so that a stage whose stride of 2 became a
            dilation of 2 computes the same values, between which lie others. Stride 16
            in the end: (1, 2, 2, 2, 1) and (1, 1, 1, 1, 2); stride 8: (1, 2, 2, 1, 1)
            and (1, 1, 1, 2, 4). Defaults to (1, 1, 1, 1, 1).
        frozen_stages: Stages that are not trained, with the stem; 0 is the stem alone,
            -1 nothing. Defaults to -1.
        norm_eval: Keep the statistics of batch normalisation while training. Defaults
            to False.
        norm_cfg: Normalisation; ``momentum`` and ``eps`` are the published weights'.
            Defaults to ``dict(type='BN', momentum=0.01, eps=1e-3)``.
        with_cp: Compute blocks again in the backward pass, to save memory. Defaults to
            False.
        init_cfg: ``dict(type='mmwsis.EfficientNetLitePretrained', checkpoint=...)``.
            Defaults to None, a random start.

    Raises:
        ValueError: An unknown ``arch``, or a setting of the wrong length or range.

    Example:
        >>> import torch
        >>> backbone = EfficientNetLite(
        ...     strides=(1, 2, 2, 2, 1), dilations=(1, 1, 1, 1, 2))
        >>> _ = backbone.eval()
        >>> with torch.no_grad():
        ...     levels = backbone(torch.zeros(1, 3, 64, 96))
        >>> [tuple(level.shape[1:]) for level in levels]
        [(24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 4, 6)]
    """

    def __init__(
        self,
        arch: str = 'lite0',
        out_indices: tuple[int, ...] = (1, 2, 3, 4),
        strides: tuple[int, ...] = (1, 2, 2, 2, 2),
        dilations: tuple[int, ...] = (1, 1, 1, 1, 1),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        norm_cfg: dict | None = None,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        _check_settings(arch, out_indices, strides, dilations, frozen_stages)
        self.arch = arch
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.layer_cfg = dict(
            conv_cfg=dict(type='Conv2dAdaptivePadding'),
            norm_cfg=norm_cfg or dict(type='BN', momentum=0.01, eps=1e-3),
            act_cfg=dict(type='ReLU6'),
        )
        channels = _STEM_CHANNELS
        self.stem = ConvModule(3, channels, 3, stride=2, **self.layer_cfg)
        self.stages = nn.ModuleList()
        widths = []
        for index, groups in enumerate(scaled_stages(arch)[: max(out_indices) + 1]):
            stage, inner = [], dilations[index - 1] if index else 1
            stride = strides[index]
            for kernel, expansion, width, repeats in groups:
                for _ in range(repeats):
                    block = InvertedResidual(
                        channels,
                        width,
                        channels * expansion,
                        kernel_size=kernel,
                        stride=stride,
                        with_expand_conv=expansion > 1,
                        with_cp=with_cp,
                        **self.layer_cfg,
                    )
                    # MMDetection's block has no argument for it.
                    block.depthwise_conv.conv.dilation = (inner, inner)
                    stage.append(block)
                    channels, stride, inner = width, 1, dilations[index]
            self.stages.append(Sequential(*stage))
            widths.append(channels)
        self.head = None
        if max(out_indices) == len(_STAGES):
            self.head = ConvModule(channels, _HEAD_CHANNELS, 1, **self.layer_cfg)
            widths.append(_HEAD_CHANNELS)
        self.out_channels = tuple(widths[index] for index in self.out_indices)
        self._freeze_stages()

    def init_weights(self) -> None:
        """Initialise at random, then apply ``init_cfg``.

        MMEngine's own order would let the layers' random start overwrite any checkpoint
        but that of its 'Pretrained'.
        """
        init_cfg, self.init_cfg = self.init_cfg, None
        super().init_weights()
        self.init_cfg = init_cfg
        # MMCV's start counts a depthwise kernel's channels: its signals would vanish.
        start = dict(type='Kaiming', layer='Conv2d', mode='fan_in')
        initialize(self, init_cfg or start)
        self._is_init = True

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the levels.

        Args:
            images: ``(B, 3, H, W)``, normalised; any size.

        Returns:
            Maps of ``out_indices``, finest first, ``(B, C_i, h_i, w_i)``, contiguous;
            sizes are rounded up at each stride.
        """
        # Inside, depthwise gradients take a third of the time with channels last. What
        # comes out is read by MMCV's operators, which take any memory for contiguous:
        # RoIAlign returns garbage, silently, of channels last.
        if not images.is_cuda:
            images = images.contiguous(memory_format=torch.channels_last)
        x = self.stem(images)
        levels = []
        for index, layer in enumerate(
            [*self.stages, *([] if self.head is None else [self.head])]
        ):
            x = layer(x)
            if index in self.out_indices:
                levels.append(x.contiguous())
        return tuple(levels)

    def train(self, mode: bool = True) -> 'EfficientNetLite':
        """Set the mode; frozen stages, and all statistics if so asked, stay as is."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        for part in (self.stem, *self.stages[: self.frozen_stages]):
            part.eval()
            part.requires_grad_(False)


def scaled_stages(arch: str) -> list[list[tuple[int, int, int, int]]]:
    """Return the blocks of an architecture.

    Args:
        arch: 'lite0' to 'lite4'.

    Returns:
        For each stage its groups: kernel size, expansion, channels, repeats.

    Example:
        >>> scaled_stages('lite4')[4]
        [(5, 6, 272, 8), (3, 6, 448, 1)]
    """
    width, depth = ARCHS[arch]
    stages = []
    for groups in _STAGES:
        scaled = []
        for kernel, expansion, channels, repeats in groups:
            if repeats > 1:  # the first group and the last one keep their depth
                repeats = math.ceil(depth * repeats)
            scaled.append(
                (kernel, expansion, _round_channels(channels * width), repeats)
            )
        stages.append(scaled)
    return stages


def _round_channels(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor``, but never below 90 % of ``channels``."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def _check_settings(
    arch: str,
    out_indices: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    frozen_stages: int,
) -> None:
    if arch not in ARCHS:
        raise ValueError(f'arch must be one of {tuple(ARCHS)}; got {arch!r}.')
    count = len(_STAGES)
    indices = list(out_indices)
    if not indices or indices != sorted({*indices} & {*range(count + 1)}):
        raise ValueError(
            f'out_indices must be different numbers from 0 to {count}, in increasing '
            f'order; got {out_indices}.'
        )
    for name, values in (('strides', strides), ('dilations', dilations)):
        if len(values) != count or min(values) < 1:
            raise ValueError(
                f'{name} must be {count} positive numbers, one per stage; got {values}.'
            )
    if max(strides) > 2:
        raise ValueError(f'strides must be 1 or 2; got {strides}.')
    if not -1 <= frozen_stages <= count:
        raise ValueError(
            f'frozen_stages must be from -1 to {count}; got {frozen_stages}.'
        )
