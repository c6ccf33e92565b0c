"""Supervision levels, what each may see, and the samples that labelers consume."""

from .extreme_points import (
    box_of_extreme_points,
    check_extreme_points,
    pixels_of_points,
    points_of_pixels,
)
from .grid_map import GridMap
from .object_crop_sample import ObjectCropSample
from .proposals import Proposals
from .run_lengths import RunLengths
from .segment_ids import colours_of_ids, ids_of_colours
from .supervision import (
    Supervision,
    annotation_place,
    image_supervision,
    restrict_coco,
)
from .tags import tags_to_vector

__all__ = [
    'GridMap',
    'ObjectCropSample',
    'Proposals',
    'RunLengths',
    'Supervision',
    'annotation_place',
    'box_of_extreme_points',
    'check_extreme_points',
    'colours_of_ids',
    'ids_of_colours',
    'image_supervision',
    'pixels_of_points',
    'points_of_pixels',
    'restrict_coco',
    'tags_to_vector',
]
