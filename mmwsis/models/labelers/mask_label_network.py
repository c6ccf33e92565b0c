"""Encoder and mask head: one student, or one teacher."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmwsis.registry import MODELS


@MODELS.register_module()
class MaskLabelNetwork(BaseModule):
    """Predicts the mask of the object that fills a crop: decoder after encoder.

    :math:`D(E(I))` of `MAL <https://arxiv.org/abs/2301.03992>`_ (section 3), the pseudo
    label generator of `EXITS <https://arxiv.org/abs/2405.20729>`_ (supplement A).

    Args:
        encoder: Config of :class:`LabelerViT`, or of the variant
            :class:`BackboneEncoder`.
        mask_head: Config of :class:`ScaleAwareMaskHead`.
        init_cfg: Initialisation of the whole; encoder and head have their own. Defaults
            to None.

    Example:
        >>> import torch
        >>> network = MaskLabelNetwork(
        ...     encoder=dict(type='mmwsis.LabelerViT', img_size=32, embed_dims=16,
        ...                  num_layers=1, num_heads=2),
        ...     mask_head=dict(type='mmwsis.ScaleAwareMaskHead', in_channels=16,
        ...                    feat_channels=8))
        >>> network(torch.rand(2, 3, 64, 64), areas=[500.0, 5000.0]).shape
        torch.Size([2, 16, 16])
    """

    def __init__(
        self, encoder: dict, mask_head: dict, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.encoder = MODELS.build(encoder)
        self.mask_head = MODELS.build(mask_head)

    def forward(self, images: Tensor, areas: Tensor | Sequence[float]) -> Tensor:
        """Predict mask logits.

        Args:
            images: Crops ``(B, 3, S, S)``, normalised.
            areas: ``B`` box areas in pixels of the original image.

        Returns:
            Logits ``(B, H, W)``.
        """
        return self.mask_head(self.encoder(images), areas)
