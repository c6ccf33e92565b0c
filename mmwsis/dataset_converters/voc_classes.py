"""PASCAL VOC: classes, colours and published sizes, in one place."""

import io
from typing import NamedTuple

import numpy as np
from PIL import Image

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
VOC_VOID = 255
# Panoptic files: the one class of stuff.
VOC_STUFF = ('background',)


def voc_palette() -> np.ndarray:
    """Colours of PASCAL VOC's label images, RGB uint8 (256, 3)."""
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    # The bits of the index go to red, green and blue in turn, highest bit first.
    for place in range(8):
        for channel in range(3):
            bit = (index >> (3 * place + channel)) & 1
            palette[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return palette


VOC_PALETTE = tuple(map(tuple, voc_palette()[1 : len(VOC_CLASSES) + 1].tolist()))


def voc_label_png(labels: np.ndarray) -> bytes:
    """PNG with VOC's palette, as the dataset stores labels.

    Args:
        labels: uint8 (H, W), indices into the palette.

    Returns:
        The file's content.
    """
    image = Image.fromarray(labels)
    image.putpalette(voc_palette().tobytes())
    buffer = io.BytesIO()
    image.save(buffer, format='PNG')
    return buffer.getvalue()


class SplitSize(NamedTuple):
    """Published size of a split.

    Attributes:
        images: Number of images, None where it is not published.
        objects: Number of objects with a mask, None where it is not published.
    """

    images: int | None
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
