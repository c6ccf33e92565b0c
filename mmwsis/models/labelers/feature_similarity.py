"""Frozen backbone whose features say which patches belong together."""

import logging

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from mmwsis.models.backbones.backbone_encoder import patch_grid, resize_to_grid
from mmwsis.ops.tensor_checks import as_integer, as_number, full_precision
from mmwsis.registry import MODELS

# Features shorter than this have no direction; their cosine is 0.
MIN_NORM = 1e-6


@MODELS.register_module()
class FeatureSimilarity(BaseModule):
    r"""Cosine of the features of a pretrained backbone as patch similarity.

    A variant of ours, in the place of :class:`SimilarityExtractor`: `EXITS
    <https://arxiv.org/abs/2405.20729>`_ (section 3.2.1) reads the attention of a
    vision transformer that was warmed up with the projection loss. Here nothing is
    trained. Every level of the backbone is brought to the patch grid, and with
    :math:`f_i^{(l)}` the features of patch i less their mean over the crop,

    .. math::
        S_{ij} = \exp\Big(\frac{\bar c_{ij} - 1}{T}\Big), \quad
        \bar c_{ij} = \frac{1}{L} \sum_l
            \frac{f_i^{(l)} \cdot f_j^{(l)}}{|f_i^{(l)}| \, |f_j^{(l)}|},

    which is positive, symmetric and 1 for a patch and itself. Dividing the rows by
    their sums, as the first step of Sinkhorn (Eq. 2) does, makes it the softmax that
    attention is. Without the mean, features of one crop resemble each other and the
    cosine is near 1 everywhere.

    Args:
        backbone: Config of the backbone, of which every output is a level; with
            pretrained weights, for example
            ``dict(type='mmwsis.EfficientNetLite', init_cfg=...)``.
        patch_size: Side of a cell of the grid in pixels; divides the sides of the
            crops. Defaults to 8.
        temperature: T; the smaller, the more the walk prefers the most similar patches.
            Defaults to 0.3.

    Example:
        >>> import torch
        >>> similarity = FeatureSimilarity(
        ...     backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8,
        ...                   stem_channels=8, out_indices=(1, 2)))
        >>> matrix = similarity(torch.rand(1, 3, 64, 64))
        >>> matrix.shape, bool((matrix > 0).all())
        (torch.Size([1, 64, 64]), True)
    """

    def __init__(
        self, backbone: dict, patch_size: int = 8, temperature: float = 0.3
    ) -> None:
        super().__init__()
        self.backbone = MODELS.build(backbone)
        self.patch_size = as_integer('patch_size', patch_size, 1)
        self.temperature = as_number('temperature', temperature, '(0, inf)')
        self.requires_grad_(False)
        self.train(False)

    def init_weights(self) -> None:
        """Load the backbone; warn if there is nothing to load."""
        super().init_weights()
        if 'Pretrained' not in str(self.backbone.init_cfg):
            print_log(
                'The backbone of the feature similarity has no pretrained weights and '
                'stays random: pseudo points follow colours at best. Set '
                'similarity_extractor.backbone.init_cfg.',
                logger='current',
                level=logging.WARNING,
            )

    def train(self, mode: bool = True) -> 'FeatureSimilarity':
        """Stay in evaluation mode, whatever is asked for."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Measure similarity.

        Args:
            images: Crops ``(B, 3, S, S)``, normalised; EXITS: the teacher view.

        Returns:
            ``(B, n, n)`` float32, ``n`` patches, in ``[exp(-2 / temperature), 1]``.

        Raises:
            ValueError: The sides are no multiples of ``patch_size``.
        """
        grid = patch_grid(images, self.patch_size)
        levels = self.backbone(images)
        with full_precision(images):
            cosine = sum(
                _cosine(resize_to_grid(level.float(), grid)) for level in levels
            )
            return torch.exp((cosine / len(levels) - 1) / self.temperature)


def _cosine(features: Tensor) -> Tensor:
    """Cosine of centred ``(B, C, h, w)`` features, ``(B, h * w, h * w)``."""
    features = features.flatten(2)
    features = features - features.mean(2, keepdim=True)
    features = F.normalize(features, dim=1, eps=MIN_NORM)
    return torch.bmm(features.transpose(1, 2), features)
