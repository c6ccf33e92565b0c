"""Mask head whose resolution follows the size of the object."""

import math
from collections.abc import Sequence

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from mmwsis.ops.tensor_checks import (
    as_integer,
    as_number,
    check_floating,
    check_shape,
    check_tensor,
)
from mmwsis.registry import MODELS


@MODELS.register_module()
class ScaleAwareMaskHead(BaseModule):
    r"""Object vector times pixel vectors: the decoder of MAL, which EXITS reuses.

    With the encoder's map :math:`F`, an object vector :math:`F_\text{proto}` per crop
    and a pixel vector :math:`F_\text{pixel}` per position
    (`EXITS <https://arxiv.org/abs/2405.20729>`_, Eq. a1;
    `MAL <https://arxiv.org/abs/2301.03992>`_, section 3: :math:`K(F) \cdot V(F)`),
    the mask is

    .. math::
        M = \sigma(F_\text{pixel} F_\text{proto})

    The spatial mean of the map goes through two linear layers and becomes the object
    vector. The map itself is resized to half, same or double size for small, medium and
    large objects and passes 3x3 convolutions with one bilinear doubling. The head
    returns the dot products; the sigmoid is left to the losses.

    Args:
        in_channels: Channels of the encoder. Defaults to 768.
        feat_channels: Channels of both vectors. Defaults to 256.
        num_convs: 3x3 convolutions, each followed by ReLU, the last one too. Defaults
            to 4.
        upsample_before: Index, from 0, of the convolution before which the map is
            doubled. MAL's code has 3; the supplement of EXITS says 2. Defaults to 3.
        adjust_scale: Resize the map by the size of the object. Without it the logits
            are four times as large as the convolutions' output, eight times the map.
            Defaults to True.
        area_bins: Upper bounds of small and of medium, box area in pixels of the
            original image; each belongs to the smaller bin. Defaults to
            (32**2, 96**2).
        scales: Factors for small, medium and large objects. Defaults to
            (0.5, 1.0, 2.0).
        logit_scale: Logits per cell of the encoder's map and side, if
            ``adjust_scale``. Defaults to 4.
        vector_bias: Start of the object vector's bias; None draws it. Pixel vectors are
            not negative, so a positive value lets every mask start as the whole crop.
            Drawn, all start as the whole crop or all as nothing, and from nothing a
            small network that learns from boxes alone does not recover. Defaults to
            None.
        init_cfg: Initialisation; convolutions Kaiming-normal, linear layers as torch
            has them if None. Defaults to None.

    Raises:
        ValueError: ``upsample_before`` names no convolution, the bins do not ascend, or
            a number of channels, a scale or a bound is none.

    Example:
        >>> import torch
        >>> head = ScaleAwareMaskHead(in_channels=16, feat_channels=8)
        >>> features = torch.rand(3, 16, 4, 4)  # of three crops
        >>> head(features, areas=[20 * 20, 50 * 60, 300 * 200]).shape
        torch.Size([3, 16, 16])
    """

    def __init__(
        self,
        in_channels: int = 768,
        feat_channels: int = 256,
        num_convs: int = 4,
        upsample_before: int = 3,
        adjust_scale: bool = True,
        area_bins: tuple[float, float] = (32**2, 96**2),
        scales: tuple[float, float, float] = (0.5, 1.0, 2.0),
        logit_scale: int = 4,
        vector_bias: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        in_channels = as_integer('in_channels', in_channels, 1)
        feat_channels = as_integer('feat_channels', feat_channels, 1)
        num_convs = as_integer('num_convs', num_convs, 1)
        upsample_before = as_integer('upsample_before', upsample_before)
        if not 0 <= upsample_before < num_convs:
            raise ValueError(
                f'upsample_before must be in 0..{num_convs - 1}, the index of one of '
                f'the {num_convs} convolutions; got {upsample_before}.'
            )
        area_bins = [as_number('area_bins', area) for area in area_bins]
        scales = [as_number('scales', scale, '(0, inf)') for scale in scales]
        if len(scales) != 3:
            raise ValueError(f'scales must be three factors; got {tuple(scales)}.')
        if len(area_bins) != 2 or not 0 < area_bins[0] < area_bins[1]:
            raise ValueError(
                f'area_bins must be two ascending areas; got {tuple(area_bins)}.'
            )
        self.upsample_before = upsample_before
        self.adjust_scale = adjust_scale
        self.area_bins = tuple(area_bins)
        self.scales = tuple(scales)
        self.logit_scale = as_integer('logit_scale', logit_scale, 1)
        self.in_channels = in_channels
        self.roi_head = nn.Sequential(
            nn.Linear(in_channels, feat_channels),
            nn.ReLU(inplace=True),
            nn.Linear(feat_channels, feat_channels),
        )
        if vector_bias is not None:
            nn.init.constant_(
                self.roi_head[-1].bias, as_number('vector_bias', vector_bias)
            )
        self.convs = nn.ModuleList(
            ConvModule(feat_channels if i else in_channels, feat_channels, 3, padding=1)
            for i in range(num_convs)
        )

    def forward(self, features: Tensor, areas: Tensor | Sequence[float]) -> Tensor:
        """Predict mask logits.

        Args:
            features: Encoder map ``(B, in_channels, h, w)``.
            areas: ``B`` box areas in pixels of the original image. On the CPU they cost
                no synchronisation.

        Returns:
            Logits ``(B, logit_scale * h, logit_scale * w)``; ``(B, 8h, 8w)`` without
            ``adjust_scale``.

        Raises:
            ValueError: Another number of channels, a map without positions; the number
                of areas differs from the batch, or one is negative or not finite.
        """
        check_tensor('features', features)
        if features.ndim != 4:
            raise ValueError(
                f'features must be (B, C, h, w); got shape {tuple(features.shape)}.'
            )
        check_shape('features', features, ('B', self.in_channels, 'h', 'w'))
        check_floating('features', features)
        if not min(features.shape[2:]):
            raise ValueError(
                f'features: expected positions, got shape {tuple(features.shape)}.'
            )
        # Object vector F_proto: (B, in_channels, h, w) -> (B, feat_channels).
        vector = self.roi_head(features.mean((2, 3)))
        if not self.adjust_scale:
            logits = self._pixel_logits(features, vector)
            return _resize(logits, (4 * logits.shape[1], 4 * logits.shape[2]))
        size = tuple(self.logit_scale * side for side in features.shape[-2:])
        # Small, medium and large objects pass at different resolutions, each group in
        # one batch.
        groups = self._group_by_size(areas, len(features))
        logits, order = [], []
        for scale, members in groups:
            index = torch.tensor(members, device=features.device)
            group = features if len(members) == len(features) else features[index]
            if min(features.shape[-2:]) * scale < 1:  # a side would vanish
                small = [max(1, int(side * scale)) for side in features.shape[-2:]]
                group = F.interpolate(
                    group, size=small, mode='bilinear', align_corners=False
                )
            elif scale != 1:
                group = F.interpolate(
                    group, scale_factor=scale, mode='bilinear', align_corners=False
                )
            # Whatever the resolution, the logits come back at one size.
            logits.append(_resize(self._pixel_logits(group, vector[index]), size))
            order.extend(members)
        # From the order of the groups to that of the batch.
        if not groups:  # an empty batch passes as it is, for its gradients
            return _resize(self._pixel_logits(features, vector), size)
        back = torch.tensor(order, device=features.device).argsort()
        return torch.cat(logits)[back]

    def _pixel_logits(self, features: Tensor, vector: Tensor) -> Tensor:
        """Dot products of (B, C, h, w) pixel vectors and (B, c) object vectors."""
        # Pixel vectors F_pixel: (B, C, h, w) -> (B, c, 2 * h, 2 * w).
        for index, conv in enumerate(self.convs):
            if index == self.upsample_before:
                features = F.interpolate(
                    features, scale_factor=2, mode='bilinear', align_corners=False
                )
            features = conv(features)
        # MAL scales neither the dot product nor the vectors and adds no bias.
        return torch.einsum('bc,bchw->bhw', vector, features)

    def _group_by_size(
        self, areas: Tensor | Sequence[float], batch: int
    ) -> list[tuple[float, list[int]]]:
        values = areas.tolist() if isinstance(areas, Tensor) else list(areas)
        if len(values) != batch or not all(0 <= area < math.inf for area in values):
            raise ValueError(
                f'areas must be {batch} box areas >= 0 in pixels, one per crop; '
                f'got {values}.'
            )
        bins = [sum(area > bound for bound in self.area_bins) for area in values]
        groups = [
            (scale, [i for i, own in enumerate(bins) if own == index])
            for index, scale in enumerate(self.scales)
        ]
        return [(scale, members) for scale, members in groups if members]


def _resize(logits: Tensor, size: tuple[int, ...]) -> Tensor:
    if logits.shape[1:] == size:
        return logits
    return F.interpolate(
        logits[:, None], size=size, mode='bilinear', align_corners=False
    )[:, 0]
