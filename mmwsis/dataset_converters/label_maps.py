"""Label images: reading them unchanged, and one RLE per label in a single pass."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_api

from mmwsis.formats.image_file import read_header, read_stored


class Region(NamedTuple):
    """All pixels of one label.

    Attributes:
        rle: Compressed RLE, ``{'size': [H, W], 'counts': str}``.
        bbox: Tight box ``[x, y, width, height]`` in pixels.
        area: Number of pixels.
    """

    rle: dict[str, Any]
    bbox: list[int]
    area: int

    def entry(self, category_id: int, iscrowd: int = 0) -> dict[str, Any]:
        """What a COCO annotation and a panoptic segment both say of the region.

        Args:
            category_id: Its class.
            iscrowd: 1 for a group of an unknown number of objects. Defaults to 0.

        Returns:
            ``category_id``, ``iscrowd``, ``bbox`` and ``area``.
        """
        return dict(
            category_id=category_id, iscrowd=iscrowd, bbox=self.bbox, area=self.area
        )


def read_labels(path: str | os.PathLike, what: str) -> np.ndarray:
    """Read a single-channel PNG as the numbers it stores, never turned.

    Args:
        path: PNG with a palette, or 8 or 16 bit grey values.
        what: Name of the expected format, for the message.

    Returns:
        uint8 or uint16 (H, W); palette indices, not colours.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be decoded, or stores colours.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: there is no such file; expected a {what}')
    try:
        mode, labels = read_stored(path)
    except OSError as error:
        raise ValueError(
            f'{path}: cannot be decoded ({error}); fetch or unpack it again'
        ) from None
    if labels.ndim != 2 or mode == '1':
        raise ValueError(
            f'{path}: expected a {what}, which stores one number per pixel; this is an '
            f'image of mode {mode!r} and shape {labels.shape}. A copy that was saved '
            'as a photograph has lost its labels'
        )
    # Labels of 16 bits do not fit into 8; all 0 they may have been made smaller.
    if '16 bit' in what and labels.dtype == np.uint8 and labels.any():
        raise ValueError(
            f'{path}: expected a {what}, found 8 bits per pixel, which hold no numbers '
            f'of objects; its largest are {np.unique(labels)[-5:].tolist()}'
        )
    # Pillow gives 16 bit files as int32 in some versions.
    return labels if labels.dtype == np.uint8 else labels.astype(np.uint16)


def image_shape(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of the upright image, from its header.

    Args:
        path: Image file.

    Returns:
        ``(height, width)`` in pixels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no image.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path}: the image is missing')
    try:
        width, height = read_header(path).size
    except OSError as error:
        raise ValueError(f'{path}: is no readable image ({error})') from None
    return height, width


def check_size(
    labels: np.ndarray, size: tuple[int, int], path: object, other: object
) -> None:
    """Refuse a label map that does not fit its image.

    Args:
        labels: Array (H, W).
        size: Expected (height, width).
        path: File of the labels.
        other: File that has the expected size.

    Raises:
        ValueError: The sizes differ.
    """
    if labels.shape != size:
        raise ValueError(
            f'{path}: is {labels.shape[1]} x {labels.shape[0]} pixels (width x '
            f'height), but {other} is {size[1]} x {size[0]}'
        )


def recode(labels: np.ndarray, numbers: Mapping[int, int], other: int) -> np.ndarray:
    """Replace the numbers of a label map.

    Args:
        labels: uint8 or uint16 (H, W).
        numbers: New number by old one, 0 to 65535.
        other: New number of all that ``numbers`` does not have.

    Returns:
        uint16 (H, W).
    """
    table = np.full(1 << 16, other, dtype=np.uint16)
    table[list(numbers)] = list(numbers.values())
    return table[labels]


def label_regions(labels: np.ndarray) -> dict[int, Region]:
    """Find the pixels of every label at once.

    RLEs run down the columns, so the runs of all labels are the runs of the transposed
    map: one pass serves them all, however many there are, where encoding one bitmap
    per label passes over the image once for each.

    Args:
        labels: Integer array (H, W), not empty.

    Returns:
        By label present, ascending.
    """
    height, width = labels.shape
    flat = labels.T.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size)
    values = flat[starts]
    order = np.argsort(values, kind='stable')
    present, first = np.unique(values[order], return_index=True)
    return {
        int(label): _region(starts[runs], lengths[runs], height, width)
        for label, runs in zip(present, np.split(order, first[1:]))
    }


def bitmap_region(mask: np.ndarray) -> Region | None:
    """Pixels of a bitmap, as a region.

    Args:
        mask: Bool array (H, W).

    Returns:
        The region, or None if no pixel is set.
    """
    return label_regions(mask.astype(np.uint8)).get(1)


def _region(starts: np.ndarray, lengths: np.ndarray, height: int, width: int) -> Region:
    """Region of runs in column-major order."""
    ends = starts + lengths
    counts = np.empty(2 * len(starts), dtype=np.int64)
    counts[0] = starts[0]
    counts[2::2] = starts[1:] - ends[:-1]
    counts[1::2] = lengths
    rest = height * width - int(ends[-1])
    runs = counts.tolist() + ([rest] if rest else [])
    rle = mask_api.frPyObjects({'size': [height, width], 'counts': runs}, height, width)
    box = [int(value) for value in mask_api.toBbox(rle)]
    text = {'size': [height, width], 'counts': rle['counts'].decode('ascii')}
    return Region(text, box, int(lengths.sum()))
