"""Labelers, end-to-end detectors and their parts; importing registers them all."""

from . import backbones, detectors, heads, labelers, layers, losses, necks
from .efficientnet_lite_pretrained import EfficientNetLitePretrained
from .encoder_pretrained import EncoderPretrained
from .object_crop_preprocessor import ObjectCropPreprocessor
from .weak_data_preprocessor import WeakDataPreprocessor
from .whole_image_preprocessor import WholeImagePreprocessor

__all__ = [
    'EfficientNetLitePretrained',
    'EncoderPretrained',
    'ObjectCropPreprocessor',
    'WeakDataPreprocessor',
    'WholeImagePreprocessor',
    'backbones',
    'detectors',
    'heads',
    'labelers',
    'layers',
    'losses',
    'necks',
]
