"""Labelers and their parts; importing the package registers all of them."""

from . import backbones, heads, labelers, losses
from .encoder_pretrained import EncoderPretrained
from .object_crop_preprocessor import ObjectCropPreprocessor

__all__ = [
    'EncoderPretrained',
    'ObjectCropPreprocessor',
    'backbones',
    'heads',
    'labelers',
    'losses',
]
