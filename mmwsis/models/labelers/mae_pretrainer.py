"""Self-supervised start for the encoder of a labeler."""

import torch
from mmseg.models.backbones.vit import TransformerEncoderLayer
from torch import Tensor, nn

from mmwsis.models.backbones import FusedSelfAttention
from mmwsis.ops.tensor_checks import check_finite
from mmwsis.registry import MODELS

from .base_labeler import BaseLabeler
from .patch_grid import patchify, sincos_positions, unpatchify


@MODELS.register_module()
class MAEPretrainer(BaseLabeler):
    r"""Masked autoencoder on the user's own images.

    `MAE <https://arxiv.org/abs/2111.06377>`_ (He et al., CVPR 2022): the encoder sees
    the few patches that are not masked, a light decoder restores the masked ones
    (sections 3 and 4). The loss is the squared error of the masked patches
    :math:`M`, normalised by the mean and variance of each, :math:`\bar x_p`:

    .. math::
        L = \frac{1}{|M|} \sum_{p \in M} \frac{1}{d} \lVert \hat x_p - \bar x_p \rVert^2

    For people without suitable pretrained weights; afterwards
    ``EncoderPretrained`` takes the encoder out of the checkpoint, all but the patch
    embedding where the labeler has a convolutional one.

    Args:
        encoder: Config of :class:`LabelerViT` with a linear patch embedding.
        decoder_dims: Channels of the decoder, a multiple of 4 and of its heads.
            Defaults to 512.
        decoder_layers: Transformer layers of the decoder. Defaults to 8.
        decoder_heads: Attention heads per layer of the decoder. Defaults to 16.
        mask_ratio: Share of patches that are masked, in (0, 1). Defaults to 0.75.
        norm_pixel_loss: Restore every patch normalised by its own mean and variance.
            Defaults to True.
        data_preprocessor: Config of :class:`ObjectCropPreprocessor`. Defaults to None.
        init_cfg: Initialisation of the whole; the encoder has its own. Defaults to
            None.

    Raises:
        ValueError: The encoder has a convolutional patch embedding, which mixes masked
            with visible patches, or ``mask_ratio`` is out of range.

    Example:
        >>> import torch
        >>> model = MAEPretrainer(
        ...     encoder=dict(type='mmwsis.LabelerViT', img_size=64, embed_dims=16,
        ...                  num_layers=1, num_heads=2),
        ...     decoder_dims=8, decoder_layers=1, decoder_heads=2)
        >>> predicted, masked = model(dict(image=torch.rand(2, 3, 64, 64)))
        >>> predicted.shape, masked.sum(1).tolist()  # 12 of 16 patches are masked
        (torch.Size([2, 16, 768]), [12, 12])
    """

    def __init__(
        self,
        encoder: dict,
        decoder_dims: int = 512,
        decoder_layers: int = 8,
        decoder_heads: int = 16,
        mask_ratio: float = 0.75,
        norm_pixel_loss: bool = True,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(None, data_preprocessor, init_cfg)
        self.encoder = MODELS.build(encoder)
        if self.encoder.patch_embed_type != 'linear':
            raise ValueError(
                "MAEPretrainer needs patch_embed_type='linear': a conv stem looks "
                'beyond its patch and would see the masked pixels; got '
                f'{self.encoder.patch_embed_type!r}.'
            )
        if not 0 < mask_ratio < 1:
            raise ValueError(f'mask_ratio must lie in (0, 1); got {mask_ratio}.')
        self.mask_ratio = mask_ratio
        self.norm_pixel_loss = norm_pixel_loss
        patch_size = self.encoder.patch_size
        self.decoder = nn.ModuleDict(
            dict(
                embed=nn.Linear(self.encoder.embed_dims, decoder_dims),
                layers=nn.Sequential(
                    *(
                        _decoder_layer(decoder_dims, decoder_heads)
                        for _ in range(decoder_layers)
                    )
                ),
                norm=nn.LayerNorm(decoder_dims, eps=1e-6),
                predict=nn.Linear(decoder_dims, 3 * patch_size**2),
            )
        )
        self.mask_token = nn.Parameter(torch.zeros(1, 1, decoder_dims))
        # Positions are fixed in MAE; the labeler goes on with them as parameters.
        self.encoder.pos_embed.requires_grad_(False)

    def init_weights(self) -> None:
        """Start as MAE does: Xavier for linear layers, sine-cosine positions.

        An encoder with an ``init_cfg`` of its own keeps what that says.
        """
        super().init_weights()
        fresh = [self.decoder]
        if not self.encoder.init_cfg:
            fresh.append(self.encoder)
            codes = sincos_positions(self.encoder.table_grid, self.encoder.embed_dims)
            self.encoder.pos_embed.data[0, 0].zero_()
            self.encoder.pos_embed.data[0, 1:].copy_(codes)
            weight = self.encoder.patch_embed.projection.weight
            nn.init.xavier_uniform_(weight.data.view(len(weight), -1))
        for part in fresh:
            for module in part.modules():
                if isinstance(module, nn.Linear):
                    nn.init.xavier_uniform_(module.weight)
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.mask_token, std=0.02)

    def loss(self, inputs: dict[str, Tensor], data_samples: list) -> dict[str, Tensor]:
        """Error of the masked patches.

        Args:
            inputs: ``image`` (or ``teacher``, of two views): ``(B, 3, S, S)``,
                normalised.
            data_samples: Not used.

        Returns:
            ``loss``.
        """
        images = _images(inputs)
        predicted, masked, _ = self._restore(images)
        return dict(loss=self._loss(images, predicted, masked))

    def _forward(
        self, inputs: dict[str, Tensor], data_samples: list | None = None
    ) -> tuple[Tensor, Tensor]:
        """Predicted patches ``(B, n, 3 * p * p)`` and the masked ones, ``(B, n)``."""
        predicted, masked, _ = self._restore(_images(inputs))
        return predicted, masked

    def _restore(self, images: Tensor) -> tuple[Tensor, Tensor, tuple[int, int]]:
        # One token per patch, (B, n, C).
        tokens, grid = self.encoder.patch_tokens(images)
        batch, count, dims = tokens.shape
        # Keep a random few of them: (B, n) -> (B, keep).
        keep = max(1, round(count * (1 - self.mask_ratio)))
        order = torch.rand(batch, count, device=tokens.device).argsort(1)
        visible = order[:, :keep]
        masked = torch.ones_like(order, dtype=torch.bool).scatter_(1, visible, False)
        # Encode these only, with the class token: (B, 1 + keep, C).
        tokens = tokens.gather(1, visible[..., None].expand(-1, -1, dims))
        encoded = self.encoder.encode(self.encoder.prepend_class_token(tokens))

        # Back to the full grid: mask tokens where a patch was masked, (B, n, c).
        encoded = self.decoder['embed'](encoded)
        dims = encoded.shape[-1]
        filled = self.mask_token.to(encoded).expand(batch, count, dims)
        filled = filled.scatter(
            1, visible[..., None].expand(-1, -1, dims), encoded[:, 1:]
        )
        filled = filled + sincos_positions(grid, dims).to(encoded)
        # Decode all, and predict the pixels of every patch: (B, n, 3 * p * p).
        decoded = torch.cat([encoded[:, :1], filled], dim=1)
        decoded = self.decoder['norm'](self.decoder['layers'](decoded))
        return self.decoder['predict'](decoded[:, 1:]), masked, grid

    def _loss(self, images: Tensor, predicted: Tensor, masked: Tensor) -> Tensor:
        # Pixels of every patch, (B, n, 3 * p * p), normalised within the patch.
        target = patchify(images.float(), self.encoder.patch_size)
        if self.norm_pixel_loss:
            mean, scale = _patch_statistics(target)
            target = (target - mean) / scale
        # Squared error per patch, (B, n); the mean over the masked ones.
        error = (predicted.float() - target).square().mean(-1)
        return (error * masked).sum() / masked.sum()

    @torch.no_grad()
    def predict(
        self, inputs: dict[str, Tensor], data_samples: list | None = None
    ) -> list:
        """Restore images.

        Args:
            inputs: As for :meth:`loss`.
            data_samples: B samples. Defaults to None: new dictionaries.

        Returns:
            The samples with ``restored``, uint8 ``(3, S, S)``, whose visible patches
            are the input's, and ``masked``, bool ``(h, w)``.
        """
        images = _images(inputs)
        predicted, masked, grid = self._restore(images)
        patches = patchify(images.float(), self.encoder.patch_size)
        restored = predicted.float()
        if self.norm_pixel_loss:
            # What is predicted is relative to the patch's own statistics, which only
            # the original knows; MAE's figures borrow them in the same way.
            mean, scale = _patch_statistics(patches)
            restored = restored * scale + mean
        restored = torch.where(masked[..., None], restored, patches)
        restored = unpatchify(restored, grid, self.encoder.patch_size)
        preprocessor = self.data_preprocessor
        if hasattr(preprocessor, 'std'):
            restored = restored * preprocessor.std + preprocessor.mean
        check_finite('restored images', restored, 'The network has diverged.')
        samples = data_samples or [dict() for _ in restored]
        for sample, image, hidden in zip(samples, restored, masked, strict=True):
            values = dict(
                restored=image.round().clamp(0, 255).byte(), masked=hidden.view(grid)
            )
            if isinstance(sample, dict):
                sample.update(values)
            else:
                sample.set_data(values)
        return samples


def _images(inputs: dict[str, Tensor]) -> Tensor:
    return inputs['image'] if 'image' in inputs else inputs['teacher']


def _decoder_layer(dims: int, heads: int) -> nn.Module:
    layer = TransformerEncoderLayer(
        dims, heads, 4 * dims, norm_cfg=dict(type='LN', eps=1e-6)
    )
    layer.attn = FusedSelfAttention(dims, heads, batch_first=True, bias=True)
    return layer


def _patch_statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of every patch, as MAE normalises them."""
    variance, mean = torch.var_mean(patches, dim=-1, keepdim=True)
    return mean, (variance + 1e-6).sqrt()
