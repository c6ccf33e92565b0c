"""Datasets; a config writes them ``type='mmwsis.X'``."""

from .coco_weak import CocoWeakDataset
from .object_crop import ObjectCropDataset
from .seeded_samplers import SeededEpochSampler, SeededInfiniteSampler
from .unlabelled_images import UnlabelledImageDataset

__all__ = [
    'CocoWeakDataset',
    'ObjectCropDataset',
    'SeededEpochSampler',
    'SeededInfiniteSampler',
    'UnlabelledImageDataset',
]
