"""Synthetic scenes with labels of every kind, made on the spot."""

from .dataset import SyntheticSettings, make_synthetic
from .scene import STUFF_CLASSES, THING_CLASSES, Scene, compose_scene

__all__ = [
    'STUFF_CLASSES',
    'THING_CLASSES',
    'Scene',
    'SyntheticSettings',
    'compose_scene',
    'make_synthetic',
]
