"""COCO's ways to write a mask, checked and turned into a bitmap.

pycocotools trusts its input: run lengths that do not add up to the image come back as
uninitialised memory, and four numbers are taken for a box. Everything is therefore
checked before it is handed over.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_api

from .coco_masks import decompress_runs, polygons_rle

MIN_CORNERS = 3


class MaskCrop(NamedTuple):
    """A mask, cut to its tight box.

    Attributes:
        mask: uint8 0/1 array (h, w); every border row and column holds a 1.
        offset: ``(x, y)`` of its first pixel in the image.
    """

    mask: np.ndarray
    offset: tuple[int, int]


def segmentation_kind(segmentation: Any) -> str:
    """Say how a ``segmentation`` is written.

    Args:
        segmentation: The value of the annotation's key.

    Returns:
        'polygons', or 'rle' (compressed or not).

    Raises:
        ValueError: It is neither.
    """
    if isinstance(segmentation, dict):
        return 'rle'
    if isinstance(segmentation, (list, tuple)):
        return 'polygons'
    raise ValueError(
        'segmentation must be a list of polygons or an RLE object with size and '
        f'counts, given {type(segmentation).__name__}'
    )


def check_polygons(polygons: Any) -> None:
    """Refuse polygons that cannot outline an object.

    Args:
        polygons: ``[[x0, y0, x1, y1, ...], ...]`` in pixels.

    Raises:
        ValueError: None at all, fewer than three corners, an odd number of
            coordinates, or values that are not finite numbers.
    """
    if not polygons:
        raise ValueError('the mask is empty: the list of polygons has no entry')
    for polygon in polygons:
        if not isinstance(polygon, (list, tuple)):
            raise ValueError(
                'a polygon must be a list [x0, y0, x1, y1, ...], given '
                f'{type(polygon).__name__}'
            )
        if len(polygon) % 2:
            raise ValueError(
                f'a polygon has an odd number of coordinates: {len(polygon)}'
            )
        if len(polygon) < 2 * MIN_CORNERS:
            raise ValueError(
                f'a polygon has {len(polygon) // 2} corners; at least {MIN_CORNERS} '
                'are needed'
            )
        try:
            finite = np.isfinite(np.asarray(polygon, dtype=np.float64)).all()
        except (TypeError, ValueError):
            finite = False
        if not finite:
            raise ValueError('polygon coordinates must be finite numbers')


def rle_runs(rle: dict[str, Any], height: int, width: int) -> np.ndarray:
    """Run lengths of an RLE, compressed or not, checked against the image.

    Args:
        rle: ``{'size': [height, width], 'counts': str | bytes | list[int]}``.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        int64 run lengths of 0s and 1s in turn, in column-major order.

    Raises:
        ValueError: A key is missing, the size is not the image's, or the runs are
            broken or do not add up to the image.
    """
    if 'size' not in rle or 'counts' not in rle:
        raise ValueError(f'an RLE needs size and counts, given keys {sorted(rle)}')
    if list(rle['size']) != [height, width]:
        raise ValueError(
            f'the RLE has size [height, width] = {list(rle["size"])}, its image has '
            f'{[height, width]}'
        )
    counts = rle['counts']
    if isinstance(counts, str):
        counts = counts.encode('utf-8')
    if isinstance(counts, bytes):
        runs = decompress_runs(counts)
    else:
        runs = np.asarray(counts)
        if runs.ndim != 1 or (runs.size and runs.dtype.kind not in 'iu'):
            raise ValueError('bad RLE: counts must be a string or a list of integers')
        runs = runs.astype(np.int64)
    if (runs < 0).any() or int(runs.sum()) != height * width:
        raise ValueError(
            f'bad RLE: the runs add up to {int(runs.sum())} pixels, the image has '
            f'{height * width}'
        )
    return runs


def decode_segmentation(segmentation: Any, height: int, width: int) -> MaskCrop:
    """Bitmap of an annotation, whatever way its mask is written.

    Args:
        segmentation: Polygons, uncompressed or compressed RLE.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        The mask, cut to its tight box.

    Raises:
        ValueError: The mask is empty or not well formed; the message says how.
    """
    if segmentation_kind(segmentation) == 'polygons':
        check_polygons(segmentation)
        rle = polygons_rle(segmentation, height, width)
    else:
        rle_runs(segmentation, height, width)
        rle = _compressed(segmentation, height, width)
    x, y, w, h = (int(value) for value in mask_api.toBbox(rle))
    if w == 0 or h == 0:
        raise ValueError('the mask is empty: it covers no pixel of the image')
    return MaskCrop(mask_api.decode(rle)[y : y + h, x : x + w], (x, y))


def _compressed(rle: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    counts = rle['counts']
    if isinstance(counts, str):
        return {'size': [height, width], 'counts': counts.encode('utf-8')}
    if isinstance(counts, bytes):
        return {'size': [height, width], 'counts': counts}
    uncompressed = {'size': [height, width], 'counts': [int(run) for run in counts]}
    return mask_api.frPyObjects(uncompressed, height, width)


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Compressed RLE of a bitmap, ready for JSON.

    Args:
        mask: Bool or 0/1 array (H, W).

    Returns:
        ``{'size': [H, W], 'counts': str}``.
    """
    rle = mask_api.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {'size': list(mask.shape), 'counts': rle['counts'].decode('ascii')}


def tight_box(crop: MaskCrop) -> list[int]:
    """Tight box ``[x, y, width, height]`` of a cut mask, in image pixels."""
    height, width = crop.mask.shape
    return [*crop.offset, width, height]


def leaves_image(
    polygons: Sequence[Sequence[float]], height: int, width: int, by: float = 1.0
) -> bool:
    """Whether a corner lies more than ``by`` pixels outside the image."""
    for polygon in polygons:
        xs, ys = polygon[0::2], polygon[1::2]
        if min(xs) < -by or min(ys) < -by or max(xs) > width - 1 + by:
            return True
        if max(ys) > height - 1 + by:
            return True
    return False
