"""KITTI: object classes, colours and published sizes, in one place.

KITTI names its classes twice: in words in the box files (``Car``), and by Cityscapes'
ids in the instance maps (26). Here both have Cityscapes' names, so that a model trained
on boxes or points is measured on masks; what Cityscapes lacks keeps KITTI's name in
small letters.
"""

from typing import NamedTuple

from .cityscapes_classes import CITYSCAPES_LABELS, CITYSCAPES_THINGS


class KittiClass(NamedTuple):
    """A class of the box files.

    Attributes:
        type: KITTI's name.
        name: Name in mmwsis.
        id: Category id; Cityscapes' where it has the class.
        color: RGB, 0-255.
    """

    type: str
    name: str
    id: int
    color: tuple[int, int, int]


_COLORS = {label.name: label.color for label in CITYSCAPES_LABELS}
KITTI_BOX_CLASSES = (
    KittiClass('Pedestrian', 'person', 24, _COLORS['person']),
    KittiClass('Car', 'car', 26, _COLORS['car']),
    KittiClass('Truck', 'truck', 27, _COLORS['truck']),
    KittiClass('Van', 'van', 41, (0, 60, 200)),
    KittiClass('Person_sitting', 'person sitting', 42, (250, 100, 130)),
    KittiClass('Cyclist', 'cyclist', 43, (200, 60, 0)),
    KittiClass('Tram', 'tram', 44, _COLORS['train']),
    KittiClass('Misc', 'misc', 45, (128, 128, 128)),
)
# KITTI's evaluation neither rewards nor punishes finding these for the class.
KITTI_NEIGHBOURS = {'car': 'van', 'person': 'person sitting'}
KITTI_IGNORED_TYPE = 'DontCare'
# Classes with numbered objects in the instance maps.
KITTI_MASK_CLASSES = CITYSCAPES_THINGS

# Images by file stem of their lists: the usual halves of the 7,481 annotated images.
KITTI_SIZES = {'train': 3712, 'val': 3769, 'trainval': 7481}
KITTI_MASK_IMAGES = 200
