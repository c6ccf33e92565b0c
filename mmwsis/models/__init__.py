"""Labelers and their parts; importing the package registers all of them."""

from . import backbones, heads, labelers, losses
from .encoder_pretrained import EncoderPretrained
from .object_crop_preprocessor import ObjectCropPreprocessor
from .whole_image_preprocessor import WholeImagePreprocessor

__all__ = [
    'EncoderPretrained',
    'ObjectCropPreprocessor',
    'WholeImagePreprocessor',
    'backbones',
    'heads',
    'labelers',
    'losses',
]
