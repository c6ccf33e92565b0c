"""Cityscapes: labels, colours and published sizes, in one place."""

from typing import NamedTuple

TRAIN_ID_VOID = 255
# What a region of a class without a number of its own is multiplied by in instanceIds.
INSTANCE_BASE = 1000


class CityscapesLabel(NamedTuple):
    """One label of the dataset.

    Attributes:
        name: Its name.
        id: Value in labelIds.
        train_id: Value in labelTrainIds, 255 for what is neither trained nor measured.
        has_instances: Whether its objects are numbered in instanceIds.
        color: RGB, 0-255.
    """

    name: str
    id: int
    train_id: int
    has_instances: bool
    color: tuple[int, int, int]


CITYSCAPES_LABELS = tuple(
    CityscapesLabel(*row)
    for row in (
        ('unlabeled', 0, 255, False, (0, 0, 0)),
        ('ego vehicle', 1, 255, False, (0, 0, 0)),
        ('rectification border', 2, 255, False, (0, 0, 0)),
        ('out of roi', 3, 255, False, (0, 0, 0)),
        ('static', 4, 255, False, (0, 0, 0)),
        ('dynamic', 5, 255, False, (111, 74, 0)),
        ('ground', 6, 255, False, (81, 0, 81)),
        ('road', 7, 0, False, (128, 64, 128)),
        ('sidewalk', 8, 1, False, (244, 35, 232)),
        ('parking', 9, 255, False, (250, 170, 160)),
        ('rail track', 10, 255, False, (230, 150, 140)),
        ('building', 11, 2, False, (70, 70, 70)),
        ('wall', 12, 3, False, (102, 102, 156)),
        ('fence', 13, 4, False, (190, 153, 153)),
        ('guard rail', 14, 255, False, (180, 165, 180)),
        ('bridge', 15, 255, False, (150, 100, 100)),
        ('tunnel', 16, 255, False, (150, 120, 90)),
        ('pole', 17, 5, False, (153, 153, 153)),
        ('polegroup', 18, 255, False, (153, 153, 153)),
        ('traffic light', 19, 6, False, (250, 170, 30)),
        ('traffic sign', 20, 7, False, (220, 220, 0)),
        ('vegetation', 21, 8, False, (107, 142, 35)),
        ('terrain', 22, 9, False, (152, 251, 152)),
        ('sky', 23, 10, False, (70, 130, 180)),
        ('person', 24, 11, True, (220, 20, 60)),
        ('rider', 25, 12, True, (255, 0, 0)),
        ('car', 26, 13, True, (0, 0, 142)),
        ('truck', 27, 14, True, (0, 0, 70)),
        ('bus', 28, 15, True, (0, 60, 100)),
        ('caravan', 29, 255, True, (0, 0, 90)),
        ('trailer', 30, 255, True, (0, 0, 110)),
        ('train', 31, 16, True, (0, 80, 100)),
        ('motorcycle', 32, 17, True, (0, 0, 230)),
        ('bicycle', 33, 18, True, (119, 11, 32)),
    )
)
_MEASURED = [label for label in CITYSCAPES_LABELS if label.train_id != TRAIN_ID_VOID]
CITYSCAPES_THINGS = tuple(x.name for x in _MEASURED if x.has_instances)
CITYSCAPES_STUFF = tuple(x.name for x in _MEASURED if not x.has_instances)

# Images by kind of annotation and split (the dataset's paper and download page).
CITYSCAPES_SIZES = {
    ('gtFine', 'train'): 2975,
    ('gtFine', 'val'): 500,
    ('gtFine', 'test'): 1525,
    ('gtCoarse', 'train'): 2975,
    ('gtCoarse', 'val'): 500,
    ('gtCoarse', 'train_extra'): 19998,
}


def cityscapes_categories(train_ids: bool = False) -> list[dict]:
    """COCO categories of Cityscapes: the 8 things, then the 11 stuff classes.

    MMDetection's panoptic heads count things before stuff, in the order of the file.

    Args:
        train_ids: Take trainIds (0 to 18) for category ids instead of ids (7 to 33).

    Returns:
        With ``id``, ``name``, ``supercategory``, ``isthing`` and ``color``.
    """
    ordered = sorted(_MEASURED, key=lambda label: not label.has_instances)
    return [
        {
            'id': label.train_id if train_ids else label.id,
            'name': label.name,
            'supercategory': 'thing' if label.has_instances else 'stuff',
            'isthing': int(label.has_instances),
            'color': list(label.color),
        }
        for label in ordered
    ]
