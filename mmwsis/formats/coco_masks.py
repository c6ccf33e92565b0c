"""Masks of COCO annotations, checked before pycocotools sees them.

pycocotools decodes what it is given; NaN vertices or negative runs end the process.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask


def annotation_mask(
    segmentation: Any, image_size: tuple[int, int], where: str
) -> np.ndarray:
    """Decode polygons or an RLE.

    Args:
        segmentation: COCO polygons, or an RLE with a list of runs or a string.
        image_size: ``(H, W)`` of the image in pixels.
        where: Names file, image id and annotation id in messages.

    Returns:
        ``(H, W)`` uint8, 0 or 1, column-major.

    Raises:
        ValueError: Not a mask of this image.
    """
    check_segmentation(segmentation, image_size, where)
    height, width = (int(v) for v in image_size)
    if isinstance(segmentation, Mapping):
        return coco_mask.decode(_rle(segmentation, height, width))
    return coco_mask.decode(polygons_rle(segmentation, height, width))


def polygons_rle(
    polygons: Sequence[Sequence[float]], height: int, width: int
) -> dict[str, Any]:
    """Rasterise polygons that are known to be well formed.

    Args:
        polygons: ``[[x, y, ...], ...]``, finite, at least three vertices each.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        Compressed RLE, as pycocotools makes it.
    """
    # Vertices far outside would make pycocotools trace an edge of that length.
    limit = 4.0 * max(height, width)
    parts = [np.clip(polygon, -limit, limit).tolist() for polygon in polygons]
    return coco_mask.merge(coco_mask.frPyObjects(parts, height, width))


def check_segmentation(
    segmentation: Any, image_size: tuple[int, int], where: str
) -> None:
    """Refuse what pycocotools cannot decode, without decoding it.

    Args:
        segmentation: COCO polygons, or an RLE with a list of runs or a string.
        image_size: ``(H, W)`` of the image in pixels.
        where: Names file, image id and annotation id in messages.

    Raises:
        ValueError: Not a mask of this image.
    """
    height, width = (int(v) for v in image_size)
    if isinstance(segmentation, Mapping):
        _check_rle(segmentation, height, width, where)
    elif isinstance(segmentation, Sequence) and not isinstance(segmentation, str):
        _check_polygons(segmentation, where)
    else:
        raise ValueError(
            f'{where}: segmentation must be polygons [[x, y, x, y, ...], ...] or an '
            f'RLE with size and counts; got {type(segmentation).__name__}.'
        )


def _rle(rle: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """A checked RLE in the form that pycocotools decodes."""
    size, counts = [height, width], rle['counts']
    if isinstance(counts, (str, bytes)):
        return dict(size=size, counts=counts)
    return coco_mask.frPyObjects(dict(size=size, counts=list(counts)), height, width)


def _check_rle(rle: Mapping[str, Any], height: int, width: int, where: str) -> None:
    size, counts = rle.get('size'), rle.get('counts')
    if not isinstance(size, Sequence) or list(size) != [height, width]:
        raise ValueError(
            f'{where}: the RLE has size {size}, its image is {[height, width]} '
            '(height, width).'
        )
    if isinstance(counts, (str, bytes)):
        runs = _runs_of_string(counts)
        if runs is None or (runs < 0).any() or runs.sum() != height * width:
            raise ValueError(
                f'{where}: the compressed RLE does not describe a {width}x{height} '
                f'image; got counts {str(counts)[:40]!r}. The file is damaged or was '
                'written for another image.'
            )
        return
    if (
        not isinstance(counts, Sequence)
        or not all(isinstance(run, int) and run >= 0 for run in counts)
        or sum(counts) != height * width
    ):
        raise ValueError(
            f'{where}: RLE counts must be a string, or runs that add up to '
            f'{height * width} pixels; got {str(counts)[:60]}.'
        )


def decompress_runs(counts: bytes) -> np.ndarray:
    """Undo COCO's compression of an RLE.

    Every character holds five bits and says whether more follow; from the fourth run
    on, the difference to the run before the last is stored. pycocotools fills up what
    is too short and stops the process at some of what is too long.

    Args:
        counts: The ``counts`` of a compressed RLE.

    Returns:
        int64 runs of 0s and 1s in turn, column-major; not checked against an image.

    Raises:
        ValueError: No RLE has such counts; the message says why.
    """
    chars = np.frombuffer(counts, dtype=np.uint8).astype(np.int64) - 48
    if not len(chars) or chars.min() < 0 or chars.max() > 63:
        raise ValueError('bad RLE: counts has characters that no RLE has')
    ends = np.flatnonzero((chars & 0x20) == 0)
    if not len(ends) or ends[-1] != len(chars) - 1:
        raise ValueError('bad RLE: counts is cut off')
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > 7:  # 35 bits: more than any image has pixels
        raise ValueError('bad RLE: counts has a run that no image can hold')
    shifts = 5 * (np.arange(len(chars)) - np.repeat(starts, lengths))
    runs = np.add.reduceat((chars & 0x1F) << shifts, starts)
    negative = (chars[ends] & 0x10) != 0
    runs[negative] -= np.int64(1) << (5 * lengths[negative])
    runs[1::2] = runs[1::2].cumsum()
    runs[2::2] = runs[2::2].cumsum()
    return runs


def _runs_of_string(counts: str | bytes) -> np.ndarray | None:
    """Runs of a compressed RLE; None if it is none."""
    try:
        data = counts.encode('ascii') if isinstance(counts, str) else counts
        return decompress_runs(data)
    except ValueError:  # characters outside ASCII raise one, too
        return None


def _check_polygons(polygons: Sequence[Any], where: str) -> None:
    if not polygons:
        raise ValueError(f'{where}: segmentation is an empty list.')
    for polygon in polygons:
        if not _is_polygon(polygon):
            raise ValueError(
                f'{where}: a polygon needs at least 3 vertices x, y, all finite; got '
                f'{str(polygon)[:60]}.'
            )


def _is_polygon(polygon: Any) -> bool:
    try:
        values = np.asarray(polygon, dtype=float)
    except (TypeError, ValueError):
        return False
    return (
        values.ndim == 1
        and values.size >= 6
        and values.size % 2 == 0
        and bool(np.isfinite(values).all())
    )
