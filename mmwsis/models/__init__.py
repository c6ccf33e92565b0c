"""Labelers, end-to-end detectors and their parts; importing registers them all."""

from . import backbones, detectors, heads, labelers, losses
from .encoder_pretrained import EncoderPretrained
from .object_crop_preprocessor import ObjectCropPreprocessor
from .whole_image_preprocessor import WholeImagePreprocessor

__all__ = [
    'EncoderPretrained',
    'ObjectCropPreprocessor',
    'WholeImagePreprocessor',
    'backbones',
    'detectors',
    'heads',
    'labelers',
    'losses',
]
