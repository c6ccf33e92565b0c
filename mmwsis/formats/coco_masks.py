"""Masks of COCO annotations: checked here, then left to pycocotools.

pycocotools trusts its input. Runs that do not fit the image end the process or come
back as uninitialised memory, and four numbers are taken for a box. Whatever reads a
``segmentation`` therefore goes through :func:`rle_runs` or :func:`check_polygons`; both
say what is wrong in one text, the same for loaders, converters and reports.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_api

from mmwsis.structures.extreme_points import is_finite_number
from mmwsis.structures.run_lengths import decompress_counts

MIN_VERTICES = 3
_DAMAGED = 'The file is damaged, or was written for another image.'


class MaskError(ValueError):
    """A ``segmentation`` that is no mask of its image.

    Args:
        message: What was expected and what is there.
        rule: Name of the broken rule in :mod:`mmwsis.formats.validation.rules`.
    """

    def __init__(self, message: str, rule: str = 'mask-format') -> None:
        super().__init__(message)
        self.rule = rule


class MaskCrop(NamedTuple):
    """A mask, cut to its tight box.

    Attributes:
        mask: uint8 0/1 array (h, w); every border row and column holds a 1.
        offset: ``(x, y)`` of its first pixel in the image.
    """

    mask: np.ndarray
    offset: tuple[int, int]


def check_polygons(polygons: Any) -> None:
    """Refuse what cannot outline an object.

    Args:
        polygons: ``[[x0, y0, x1, y1, ...], ...]`` in pixels.

    Raises:
        MaskError: No list, none at all, fewer than three vertices, an odd number of
            coordinates, or values that are not finite numbers.
    """
    if not isinstance(polygons, (list, tuple)):
        raise MaskError(
            'segmentation must be polygons [[x, y, x, y, ...], ...] or an RLE with '
            f'size and counts; got {type(polygons).__name__}.'
        )
    if not polygons:
        raise MaskError('segmentation is an empty list.')
    for polygon in polygons:
        if not isinstance(polygon, (list, tuple, np.ndarray)):
            raise MaskError(
                'segmentation must be a list of polygons [[x, y, x, y, ...], ...]; an '
                f'entry is a {type(polygon).__name__}: {shorten(polygon)}. A single '
                'polygon needs two pairs of brackets.'
            )
        count = len(polygon)
        if count < 2 * MIN_VERTICES or count % 2:
            hint = ''
            if flat_polygons(polygons) is not None:
                hint = ' COCO has no [x, y] pairs: one flat list [x, y, x, y, ...].'
            raise MaskError(
                f'a polygon needs at least {MIN_VERTICES} vertices x, y; got {count} '
                f'numbers: {shorten(polygon)}.{hint}',
                'polygon-vertices',
            )
        if not _all_finite(polygon):
            hint = ''
            if _are_pairs(polygon):
                hint = ' COCO has no [x, y] pairs: one flat list [x, y, x, y, ...].'
            elif any(isinstance(value, str) for value in polygon):
                hint = ' Numbers are written without quotation marks.'
            raise MaskError(
                f'polygon coordinates must be finite numbers; got {shorten(polygon)}.'
                f'{hint}',
                'polygon-numbers',
            )


def flat_polygons(polygons: Any) -> list[list[float]] | None:
    """Polygons written as [x, y] pairs, or with too few brackets, in COCO's form.

    Args:
        polygons: What stands in ``segmentation``.

    Returns:
        ``[[x, y, x, y, ...], ...]``; None where it is something else.

    Example:
        >>> flat_polygons([[[1, 2], [3, 4], [5, 6]]])
        [[1, 2, 3, 4, 5, 6]]
    """
    if not isinstance(polygons, list) or not polygons:
        return None
    if _are_pairs(polygons) and len(polygons) >= MIN_VERTICES:
        return [[value for pair in polygons for value in pair]]
    if all(map(is_finite_number, polygons)):
        long_enough = len(polygons) >= 2 * MIN_VERTICES and len(polygons) % 2 == 0
        return [list(polygons)] if long_enough else None
    if all(_are_pairs(part) and len(part) >= MIN_VERTICES for part in polygons):
        return [[value for pair in part for value in pair] for part in polygons]
    return None


def _are_pairs(points: Any) -> bool:
    return isinstance(points, (list, tuple)) and all(
        isinstance(p, (list, tuple)) and len(p) == 2 and all(map(is_finite_number, p))
        for p in points
    )


def _all_finite(values: Sequence[Any]) -> bool:
    try:
        # One sum for all, because a million polygons come through here; it starts as a
        # float, so that integers beyond the range of one cannot cancel out.
        return math.isfinite(sum(values, 0.0)) or all(map(math.isfinite, values))
    except (TypeError, OverflowError):
        return False


def rle_runs(rle: Mapping[str, Any], height: int, width: int) -> np.ndarray:
    """Run lengths of an RLE, compressed or not, checked against the image.

    Args:
        rle: ``{'size': [height, width], 'counts': str | bytes | list[int]}``.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        int64 run lengths of 0s and 1s in turn, in column-major order.

    Raises:
        MaskError: A key is missing, the size is not the image's, or the counts are
            broken or do not add up to the image.
    """
    size, counts = rle.get('size'), rle.get('counts')
    if not isinstance(counts, (str, bytes, list, tuple)) or not isinstance(
        size, (list, tuple)
    ):
        raise MaskError(
            'an RLE needs size [height, width] and counts, a text or a list; got size '
            f'{shorten(size)} and counts {shorten(counts)}.'
        )
    if list(size) != [height, width] or not all(type(side) is int for side in size):
        raise MaskError(
            f'the RLE has size {shorten(list(size))}, its image is {[height, width]} '
            '(height, width).',
            'rle-size',
        )
    if isinstance(counts, (str, bytes)):
        found = decompress_counts([counts])
        runs = None if found is None else found[0]
        if runs is None or runs.min() < 0:
            raise MaskError(
                f'the counts of the RLE are damaged; got {shorten(counts)}. {_DAMAGED}',
                'rle-counts',
            )
    elif all(type(run) is int and 0 <= run <= height * width for run in counts):
        runs = np.asarray(counts, dtype=np.int64)
    else:
        raise MaskError(
            'the counts of an RLE must be integers from 0 to the '
            f'{height * width} pixels of the image; got {shorten(counts)}. {_DAMAGED}',
            'rle-counts',
        )
    total = int(runs.sum())
    if total != height * width:
        raise MaskError(
            f'the runs of the RLE add up to {total} pixels, the image has {width} x '
            f'{height} = {width * height}; got counts {shorten(counts)}. '
            f'{_DAMAGED}',
            'rle-counts',
        )
    return runs


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
    try:
        if isinstance(segmentation, Mapping):
            rle_runs(segmentation, *map(int, image_size))
        else:
            check_polygons(segmentation)
    except MaskError as error:
        raise ValueError(f'{where}: {error}') from None


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
    return mask_api.decode(checked_rle(segmentation, *map(int, image_size)))


def decode_segmentation(segmentation: Any, height: int, width: int) -> MaskCrop:
    """Bitmap of an annotation, cut to its tight box.

    Args:
        segmentation: Polygons, uncompressed or compressed RLE.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        The mask and where it is.

    Raises:
        MaskError: The mask is empty or not well formed; the message says how.
    """
    if isinstance(segmentation, Mapping):
        rle_runs(segmentation, height, width)
    else:
        check_polygons(segmentation)
    rle = checked_rle(segmentation, height, width)
    x, y, w, h = (int(value) for value in mask_api.toBbox(rle))
    if w == 0 or h == 0:
        raise MaskError(
            'the mask is empty: it covers no pixel of the image.', 'mask-empty'
        )
    return MaskCrop(mask_api.decode(rle)[y : y + h, x : x + w], (x, y))


def checked_rle(
    segmentation: Mapping[str, Any] | Sequence[Sequence[float]], height: int, width: int
) -> dict[str, Any]:
    """RLE, as pycocotools makes it, of a mask that was checked.

    Args:
        segmentation: Polygons or RLE, well formed.
        height: Image height in pixels.
        width: Image width in pixels.

    Returns:
        ``{'size': [height, width], 'counts': str | bytes}``.
    """
    if not isinstance(segmentation, Mapping):
        # Vertices far outside would make pycocotools trace an edge of that length.
        limit = 4.0 * max(height, width)
        parts = [np.clip(part, -limit, limit).tolist() for part in segmentation]
        return mask_api.merge(mask_api.frPyObjects(parts, height, width))
    rle = dict(size=[height, width], counts=segmentation['counts'])
    if isinstance(rle['counts'], (str, bytes)):
        return rle
    rle['counts'] = list(rle['counts'])
    return mask_api.frPyObjects(rle, height, width)


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
    """Whether a vertex lies more than ``by`` pixels outside the image.

    Args:
        polygons: ``[[x0, y0, x1, y1, ...], ...]``, well formed.
        height: Image height in pixels.
        width: Image width in pixels.
        by: Distance in pixels. Defaults to 1.
    """
    # The last pixel has the index size - 1.
    limits = ((0, width), (1, height))
    return any(
        min(polygon[axis::2]) < -by or max(polygon[axis::2]) > size - 1 + by
        for polygon in polygons
        for axis, size in limits
    )


def shorten(value: Any, limit: int = 60) -> str:
    """A broken value for a message, cut after ``limit`` characters."""
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
