"""PNGs of segment ids, in COCO's colours or as 16 bits of grey.

``'rgb'`` is COCO's panoptic format, ``id = R + 256 G + 65536 B``, which every tool
reads. ``'grey16'`` takes half the memory and, as instance maps need it, tells "no
segment" (0) from "not to be judged" (-1 in memory, 65535 in the file).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from scipy.ndimage import find_objects

from mmwsis.structures.segment_ids import colours_of_ids, ids_of_colours

VOID = 0
IGNORED = -1
_GREY_IGNORED = 65535
# Largest id of each encoding.
ENCODINGS = {'rgb': 2**24 - 1, 'grey16': _GREY_IGNORED - 1}
_JPEG = b'\xff\xd8'


def encode_segment_map(
    ids: np.ndarray, encoding: str = 'rgb', where: str = 'segment map'
) -> bytes:
    """Make a PNG of segment ids.

    Args:
        ids: ``(H, W)`` integers: 0 no segment; 1 to 16777215 in colours, 1 to 65534 in
            grey; with grey also -1, not to be judged.
        encoding: 'rgb' or 'grey16'. Defaults to 'rgb'.
        where: Names the image in messages. Defaults to 'segment map'.

    Returns:
        The file's content.

    Raises:
        ValueError: An unknown encoding, no map of integers, or an id that the encoding
            cannot hold.

    Example:
        >>> png = encode_segment_map(np.array([[70000, 0]]))
        >>> decode_segment_map(png)
        array([[70000,     0]], dtype=int32)
    """
    if encoding not in ENCODINGS:
        raise ValueError(f'encoding must be one of {[*ENCODINGS]}, got {encoding!r}.')
    if ids.ndim != 2 or ids.dtype.kind not in 'iu' or not ids.size:
        raise ValueError(
            f'{where}: segment ids are (H, W) integers, got {ids.shape} of {ids.dtype}.'
        )
    lowest, highest = int(ids.min()), int(ids.max())
    least = IGNORED if encoding == 'grey16' else VOID
    if lowest < least or highest > ENCODINGS[encoding]:
        wrong = lowest if lowest < least else highest
        other = "; encoding='rgb' holds ids up to 16777215" if highest == wrong else ''
        raise ValueError(
            f'{where}: the segment id {wrong} does not fit into a PNG of encoding '
            f'{encoding!r}, which holds {least} to {ENCODINGS[encoding]}'
            f'{other if encoding == "grey16" else ""}.'
        )
    if encoding == 'grey16':
        pixels = np.where(ids == IGNORED, _GREY_IGNORED, ids).astype(np.uint16)
    else:
        pixels = colours_of_ids(ids)
    return cv2.imencode('.png', pixels)[1].tobytes()


def decode_segment_map(content: bytes, where: str = 'segment map') -> np.ndarray:
    """Read a PNG of segment ids, of whichever encoding.

    Args:
        content: The file's content.
        where: Names the file in messages. Defaults to 'segment map'.

    Returns:
        int32 ``(H, W)``: 0 no segment, -1 not to be judged (65535 in 16 bits of grey).

    Raises:
        ValueError: It is no image, a JPEG, or of other channels or bits.
    """
    if content.startswith(_JPEG):
        raise ValueError(
            f'{where} is a JPEG, which smears the ids of segments; save it as PNG.'
        )
    # As it is stored: OpenCV turns nothing that it reads unchanged.
    pixels = None
    if content:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError(f'{where} is no readable image.')
    if pixels.ndim == 2 and pixels.dtype == np.uint16:
        ids = pixels.astype(np.int32)
        ids[pixels == _GREY_IGNORED] = IGNORED
        return ids
    if pixels.ndim != 3 or pixels.shape[2] < 3 or pixels.dtype != np.uint8:
        channels = 1 if pixels.ndim == 2 else pixels.shape[2]
        raise ValueError(
            f'{where} has {channels} channels of {8 * pixels.itemsize} bits; a PNG of '
            'segment ids has three of 8 bits, id = R + 256 G + 65536 B, or one of 16 '
            'bits.'
        )
    return ids_of_colours(pixels[..., :3])


def is_segment_id(value: Any) -> bool:
    """Whether a value of ``segments_info`` can be the id of a segment.

    Args:
        value: Anything that a JSON holds.
    """
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer and VOID < value <= ENCODINGS['rgb']


def is_grey(content: bytes) -> bool:
    """Whether a PNG stores one channel of 16 bits, by its header.

    Args:
        content: The file, or its first 26 bytes.
    """
    return content[24:26] == b'\x10\x00'


def distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of a map; ``np.unique`` in a fraction of its time.

    Runs of equal pixels are sorted as one.

    Args:
        values: Integers ``(H, W)``, not empty.

    Returns:
        Them ``(N,)``, ascending, and the place of each pixel's among them ``(H, W)``.
    """
    flat = values.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    present, places = np.unique(flat[starts], return_inverse=True)
    lengths = np.diff(starts, append=flat.size)
    return present, np.repeat(places, lengths).reshape(values.shape)


def renumber(ids: np.ndarray, numbers: Mapping[int, int], other: int) -> np.ndarray:
    """Put another number in the place of every segment id.

    Args:
        ids: int32 ``(H, W)``.
        numbers: Segment id -> its number.
        other: Number of the ids that are not among them.

    Returns:
        int32 ``(H, W)``.

    Example:
        >>> renumber(np.array([[0, 70000, 5]]), {70000: 1}, other=255)
        array([[255,   1, 255]], dtype=int32)
    """
    present, places = distinct(ids)
    found = [numbers.get(number, other) for number in present.tolist()]
    return np.array(found, dtype=np.int32)[places]


def segments_of_map(
    ids: np.ndarray, segments: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """COCO's ``segments_info`` of a map whose ids count from 1.

    Args:
        ids: ``(H, W)`` integers, ``n`` on the pixels of segment ``n``; below 1 none.
        segments: What is known of segment ``n`` at place ``n - 1``, such as
            ``category_id`` and ``score``.

    Returns:
        For each of them ``id``, the tight ``bbox`` ``[x, y, width, height]``, the
        ``area`` in pixels, ``iscrowd`` 0, and what is known besides. Segments without a
        pixel are left out.

    Example:
        >>> segments_of_map(np.array([[0, 1, 1]]), [dict(category_id=7)])
        [{'id': 1, 'category_id': 7, 'iscrowd': 0, 'bbox': [1, 0, 2, 1], 'area': 2}]
    """
    areas = np.bincount(np.maximum(ids, 0).ravel(), minlength=len(segments) + 1)
    found = []
    for number, (known, place) in enumerate(
        zip(segments, find_objects(ids, len(segments)), strict=True), start=1
    ):
        if place is None:
            continue
        rows, columns = place
        box = [columns.start, rows.start]
        box += [columns.stop - columns.start, rows.stop - rows.start]
        entry = dict(id=number, category_id=known['category_id'], iscrowd=0)
        found.append({**entry, 'bbox': box, 'area': int(areas[number]), **known})
    return found
