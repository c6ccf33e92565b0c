"""Reading, writing, merging and checking the artefacts that labelers make."""

from .class_maps import ClassMaps, ClassMapStore, read_class_maps
from .generate import GenerationOptions, generate_pseudo_labels
from .labeler import Labeler
from .map_folder import MapIndex
from .plan import Shard
from .semantic_maps import read_semantic_map

__all__ = [
    'ClassMapStore',
    'ClassMaps',
    'GenerationOptions',
    'Labeler',
    'MapIndex',
    'Shard',
    'generate_pseudo_labels',
    'read_class_maps',
    'read_semantic_map',
]
