"""PASCAL VOC: classes, colours and published sizes, in one place."""

from typing import NamedTuple

# In the order of the dataset's label images: class k has the value k + 1 there.
VOC_CLASSES = (
    'aeroplane',
    'bicycle',
    'bird',
    'boat',
    'bottle',
    'bus',
    'car',
    'cat',
    'chair',
    'cow',
    'diningtable',
    'dog',
    'horse',
    'motorbike',
    'person',
    'pottedplant',
    'sheep',
    'sofa',
    'train',
    'tvmonitor',
)
# The dataset's colour map, entries 1 to 20.
VOC_PALETTE = (
    (128, 0, 0),
    (0, 128, 0),
    (128, 128, 0),
    (0, 0, 128),
    (128, 0, 128),
    (0, 128, 128),
    (128, 128, 128),
    (64, 0, 0),
    (192, 0, 0),
    (64, 128, 0),
    (192, 128, 0),
    (64, 0, 128),
    (192, 0, 128),
    (64, 128, 128),
    (192, 128, 128),
    (0, 64, 0),
    (128, 64, 0),
    (0, 192, 0),
    (128, 192, 0),
    (0, 64, 128),
)
VOC_VOID = 255
# Panoptic files: the one class of stuff.
VOC_STUFF = ('background',)


class SplitSize(NamedTuple):
    """Published size of a split.

    Attributes:
        images: Number of images.
        objects: Number of objects with a mask, None where it is not published.
    """

    images: int
    objects: int | None


# VOC 2012 development kit, segmentation sets; train_aug is the union with SBD that
# IRNet, BESTIE and EXITS train on.
VOC_SIZES = {
    'train': SplitSize(1464, 3507),
    'val': SplitSize(1449, 3422),
    'trainval': SplitSize(2913, 6929),
    'train_aug': SplitSize(10582, None),
}


def voc_categories() -> list[dict]:
    """COCO categories of VOC: ids 1 to 20 in VOC's order, with VOC's colours."""
    return [
        {'id': k, 'name': name, 'supercategory': 'thing', 'color': list(color)}
        for k, (name, color) in enumerate(zip(VOC_CLASSES, VOC_PALETTE), start=1)
    ]


def voc_panoptic_categories() -> list[dict]:
    """COCO panoptic categories: VOC's classes as things, then background as stuff."""
    number = len(VOC_CLASSES) + 1
    stuff = dict(id=number, name=VOC_STUFF[0], supercategory='stuff', color=[0, 0, 0])
    return [
        *({**one, 'isthing': 1} for one in voc_categories()),
        {**stuff, 'isthing': 0},
    ]
