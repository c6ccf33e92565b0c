"""Encoder and mask head: one student, or one teacher."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmwsis.registry import MODELS


@MODELS.register_module()
class MaskLabelNetwork(BaseModule):
    """Predicts the mask of the object that fills a crop (MAL, CVPR 2023).

    Args:
        encoder: Config of :class:`LabelerViT`.
        mask_head: Config of :class:`ScaleAwareMaskHead`.
        init_cfg: Initialisation of the whole; encoder and head have their own.
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
