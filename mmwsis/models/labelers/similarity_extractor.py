"""Frozen encoder whose attention says which patches belong together."""

import logging

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from mmwsis.registry import MODELS


@MODELS.register_module()
class SimilarityExtractor(BaseModule):
    r"""Attention of one transformer layer as patch similarity.

    `EXITS <https://arxiv.org/abs/2405.20729>`_, section 3.2.1: with the queries
    :math:`Q_h` and keys :math:`K_h` of the heads :math:`h` of layer 10,

    .. math::
        S = \tfrac{1}{H} \sum_{h=1}^{H}
            \text{softmax}\left(Q_h K_h^\top / \sqrt{d}\right)

    without the row and the column of the class token. The encoder is trained beforehand
    with the projection loss alone (the warm-up stage); here it is frozen, always in
    evaluation mode, and keeps only the layers that it needs.

    Args:
        encoder: Config of :class:`LabelerViT`; EXITS has a linear patch embedding.
        layer: Layer whose attention is read, from 1; EXITS: 10 of 12. Defaults to 10.
        init_cfg: ``dict(type='mmwsis.EncoderPretrained', checkpoint=...)``, handed to
            the encoder. Without it the extractor stays random, which is warned of.
            Defaults to None.

    Example:
        >>> import torch
        >>> encoder = dict(type='mmwsis.LabelerViT', img_size=32, embed_dims=16,
        ...                num_layers=3, num_heads=2)
        >>> extractor = SimilarityExtractor(encoder, layer=2)
        >>> similarity = extractor(torch.rand(1, 3, 64, 64))
        >>> similarity.shape, bool((similarity.sum(-1) < 1).all())
        (torch.Size([1, 16, 16]), True)
    """

    def __init__(
        self, encoder: dict, layer: int = 10, init_cfg: dict | None = None
    ) -> None:
        super().__init__()
        encoder = dict(encoder)
        if init_cfg is not None:
            encoder['init_cfg'] = init_cfg
        self.encoder = MODELS.build(encoder)
        self.encoder.keep_layers(layer)
        self.layer = layer
        self.requires_grad_(False)
        self.train(False)

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.encoder.patch_size

    def init_weights(self) -> None:
        """Load the encoder; warn if there is nothing to load."""
        if not self.encoder.init_cfg:
            print_log(
                'The similarity extractor has no init_cfg and stays random: pseudo '
                'points will be meaningless. Set similarity_extractor.init_cfg='
                "dict(type='mmwsis.EncoderPretrained', checkpoint=...).",
                logger='current',
                level=logging.WARNING,
            )
        super().init_weights()

    def train(self, mode: bool = True) -> 'SimilarityExtractor':
        """Stay in evaluation mode, whatever is asked for."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Measure similarity.

        Args:
            images: Crops ``(B, 3, S, S)``, normalised; EXITS: the teacher view.

        Returns:
            ``(B, n, n)`` float32, ``n`` patches; row = attending patch.
        """
        return self.encoder.mean_attention(images, self.layer)
