"""Plain vision transformer of the mask labelers."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.utils.checkpoint
from mmengine.model import initialize
from mmseg.models.backbones import VisionTransformer
from torch import Tensor

from mmwsis.registry import MODELS

from .conv_stem import ConvStem
from .fused_attention import FusedSelfAttention

PATCH_EMBED_TYPES = ('linear', 'conv_stem')


@MODELS.register_module()
class LabelerViT(VisionTransformer):
    """ViT encoder of `MAL <https://arxiv.org/abs/2301.03992>`_ and EXITS.

    A plain vision transformer (`Dosovitskiy et al.
    <https://arxiv.org/abs/2010.11929>`_) whose features feed the mask head, and one of
    whose attention maps is the similarity matrix of `EXITS
    <https://arxiv.org/abs/2405.20729>`_ (section 3.2.1). It is mmseg's
    ``VisionTransformer`` with the settings of the MAE checkpoints (final norm, patch
    bias, LayerNorm eps 1e-6, class token in the sequence), the same parameter names,
    attention without materialised weights, and optionally MAL's convolutional patch
    embedding. The position table keeps the size given by ``img_size`` and is resized
    bicubically at every forward pass.

    Args:
        img_size: Side of the image in pixels, or (height, width), that the position
            table belongs to; 224 for MAE checkpoints, whatever the crops' size.
            Defaults to 224.
        patch_size: Side of a patch in pixels. Defaults to 16.
        embed_dims: Channels of a token. Defaults to 768.
        num_layers: Transformer layers. Defaults to 12.
        num_heads: Attention heads per layer. Defaults to 12.
        patch_embed_type: 'linear' (one strided convolution, as ViT and MAE have it) or
            'conv_stem' (MAL's labeler, see :class:`ConvStem`). Defaults to 'linear'.
        norm_eps: Epsilon of all norms. Defaults to 1e-6.
        with_cp: Recompute layers in the backward pass, which saves memory. Defaults to
            False.
        init_cfg: ``dict(type='mmwsis.EncoderPretrained', ...)``; random if None.
            Defaults to None.
        **kwargs: Passed to mmseg's ``VisionTransformer``.

    Raises:
        ValueError: ``patch_embed_type`` is unknown.

    Example:
        >>> import torch
        >>> encoder = LabelerViT(img_size=32, embed_dims=16, num_layers=2, num_heads=2)
        >>> crops = torch.rand(1, 3, 64, 48)  # larger than the position table
        >>> encoder(crops).shape
        torch.Size([1, 16, 4, 3])
        >>> encoder.mean_attention(crops, layer=1).shape
        torch.Size([1, 12, 12])
    """

    def __init__(
        self,
        img_size: int | tuple[int, int] = 224,
        patch_size: int = 16,
        embed_dims: int = 768,
        num_layers: int = 12,
        num_heads: int = 12,
        patch_embed_type: str = 'linear',
        norm_eps: float = 1e-6,
        with_cp: bool = False,
        init_cfg: dict | list[dict] | None = None,
        **kwargs: Any,
    ) -> None:
        if patch_embed_type not in PATCH_EMBED_TYPES:
            raise ValueError(
                f'patch_embed_type must be one of {PATCH_EMBED_TYPES}; '
                f'got {patch_embed_type!r}.'
            )
        size = (img_size, img_size) if isinstance(img_size, int) else tuple(img_size)
        super().__init__(
            img_size=size,
            patch_size=patch_size,
            embed_dims=embed_dims,
            num_layers=num_layers,
            num_heads=num_heads,
            patch_bias=True,
            final_norm=True,
            norm_cfg=dict(type='LN', eps=norm_eps),
            init_cfg=init_cfg,
            **kwargs,
        )
        self.embed_dims = embed_dims
        self.patch_embed_type = patch_embed_type
        self.with_cp = with_cp
        self.dropped_layers = 0
        if patch_embed_type == 'conv_stem':
            in_channels = kwargs.get('in_channels', 3)
            self.patch_embed = ConvStem(in_channels, embed_dims, patch_size, norm_eps)
        for layer in self.layers:
            layer.attn = FusedSelfAttention(
                embed_dims,
                num_heads,
                attn_drop=kwargs.get('attn_drop_rate', 0.0),
                proj_drop=kwargs.get('drop_rate', 0.0),
                batch_first=True,
                bias=kwargs.get('qkv_bias', True),
            )

    @property
    def table_grid(self) -> tuple[int, int]:
        """Rows and columns of the position table."""
        height, width = self.img_size
        return height // self.patch_size, width // self.patch_size

    def init_weights(self) -> None:
        """Initialise at random (as timm does), then apply ``init_cfg``.

        The random start comes first because a checkpoint need not hold everything: the
        convolutional patch embedding is in no MAE checkpoint.
        """
        init_cfg, self.init_cfg = self.init_cfg, None
        super().init_weights()
        self.init_cfg = init_cfg
        if init_cfg:
            initialize(self, init_cfg)
        self._is_init = True

    def train(self, mode: bool = True) -> 'LabelerViT':
        """Set the mode; returns self, which mmseg's encoder forgets."""
        super().train(mode)
        return self

    def patch_tokens(self, images: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Embed patches and add their positions.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            Tokens ``(B, h * w, C)`` without class token, row-major, and ``(h, w)``.
        """
        tokens, grid = self.patch_embed(images)
        table = self.pos_embed
        if grid != self.table_grid:
            table = self.resize_pos_embed(
                table, grid, self.table_grid, self.interpolate_mode
            )
        return self.drop_after_pos(tokens + table[:, 1:]), grid

    def prepend_class_token(self, tokens: Tensor) -> Tensor:
        """Put the class token, with its position, before the patch tokens.

        Args:
            tokens: ``(B, n, C)``.

        Returns:
            ``(B, 1 + n, C)``.
        """
        token = self.cls_token + self.pos_embed[:, :1]
        return torch.cat([token.expand(len(tokens), -1, -1).to(tokens), tokens], dim=1)

    def run_layers(self, tokens: Tensor, layers: Sequence[torch.nn.Module]) -> Tensor:
        """Run transformer layers, recomputing them in backward if ``with_cp``.

        Args:
            tokens: ``(B, n, C)``.
            layers: Some of ``self.layers``, in order.

        Returns:
            ``(B, n, C)``.
        """
        for layer in layers:
            if self.with_cp and tokens.requires_grad:
                tokens = torch.utils.checkpoint.checkpoint(
                    layer, tokens, use_reentrant=False
                )
            else:
                tokens = layer(tokens)
        return tokens

    def encode(self, tokens: Tensor) -> Tensor:
        """All layers and the final norm.

        Args:
            tokens: ``(B, 1 + n, C)``, class token first; ``n`` may be a subset of the
                patches.

        Returns:
            ``(B, 1 + n, C)``.

        Raises:
            RuntimeError: Layers were dropped by :meth:`keep_layers`.
        """
        if not self.final_norm:
            raise RuntimeError(
                f'the last {self.dropped_layers} layers and the final norm of this '
                'encoder were dropped; it serves mean_attention only.'
            )
        return self.norm1(self.run_layers(tokens, self.layers))

    def forward(self, images: Tensor) -> Tensor:
        """Encode images.

        Args:
            images: ``(B, 3, H, W)``, normalised.

        Returns:
            Features ``(B, C, h, w)`` after the final norm, class token dropped.
        """
        # (B, 3, H, W) -> (B, n, C), one token per patch, with its position.
        tokens, grid = self.patch_tokens(images)
        # The class token takes part in the attention and is then dropped.
        tokens = self.encode(self.prepend_class_token(tokens))[:, 1:]
        # (B, n, C) -> (B, C, h, w).
        return tokens.transpose(1, 2).unflatten(2, grid).contiguous()

    def mean_attention(self, images: Tensor, layer: int) -> Tensor:
        """Attention of one layer averaged over heads, between patches.

        EXITS' similarity matrix S (section 3.2.1), of layer 10 (Table a1). Layers after
        ``layer`` do not run, and of ``layer`` itself only the first norm, queries and
        keys.

        Args:
            images: ``(B, 3, H, W)``, normalised.
            layer: Layer, counted from 1.

        Returns:
            ``(B, h * w, h * w)`` float32, class token's row and column removed.

        Raises:
            ValueError: There is no such layer.
        """
        if not 1 <= layer <= len(self.layers):
            raise ValueError(
                f'layer must lie in 1..{len(self.layers)}, the layers of this encoder; '
                f'got {layer}.'
            )
        tokens = self.prepend_class_token(self.patch_tokens(images)[0])  # (B, 1 + n, C)
        tokens = self.run_layers(tokens, self.layers[: layer - 1])
        # Of the layer itself the first norm, queries and keys.
        last = self.layers[layer - 1]
        return last.attn.mean_patch_weights(last.norm1(tokens))

    def keep_layers(self, count: int) -> None:
        """Drop all layers after the first ``count`` and the final norm.

        Args:
            count: Layers to keep, at least 1. What is left serves
                :meth:`mean_attention` only.

        Raises:
            ValueError: There are fewer layers.
        """
        if not 1 <= count <= len(self.layers):
            raise ValueError(
                f'cannot keep {count} layers of an encoder of {len(self.layers)}; '
                f'give a number in 1..{len(self.layers)}.'
            )
        self.dropped_layers = len(self.layers) - count
        self.layers = self.layers[:count]
        if self.final_norm:
            delattr(self, self.norm1_name)
            self.final_norm = False
