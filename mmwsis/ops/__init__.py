"""Stateless tensor algorithms: no registry, no configuration, no files."""

from .paste_crop import (
    MaskPatch,
    combine_logits,
    crop_mask_patches,
    paste_crop_masks,
)
from .patch_rle import encode_patch

__all__ = [
    'MaskPatch',
    'combine_logits',
    'crop_mask_patches',
    'encode_patch',
    'paste_crop_masks',
]
