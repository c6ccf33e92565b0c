"""Checks of masks: form, agreement with the box and the area."""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import shapely
from pycocotools import mask as mask_api

from ..coco_masks import MaskError, check_polygons, checked_rle, rle_runs
from .box_readings import RELATIVE_TOLERANCE, are_apart, box_overlap, likely_reading
from .columns import Annotations
from .geometry import BORDER_PIXELS, MAX_BOX_IN_IMAGES

# IoU of a box and the box of its mask: below the first they cannot be one object.
_FAR_APART, _NEAR = 0.1, 0.5
# An image that claims more pixels is not rasterised for a second opinion.
MAX_PIXELS = 2**28


class MaskColumns(NamedTuple):
    """What the summary and the search for duplicates take from masks.

    Attributes:
        area: float64 (n,), pixels; NaN where there is no valid mask.
        checksum: float64 (n,), 0 where there is no valid mask.
    """

    area: np.ndarray
    checksum: np.ndarray


class PolygonColumns(NamedTuple):
    """Measures of n annotations with polygons.

    Attributes:
        low: float64 (n, 2), smallest x and y.
        high: float64 (n, 2), largest x and y.
        largest: float64 (n,), area of the largest polygon, in square pixels.
        total: float64 (n,), sum of the areas, which counts overlaps twice.
        perimeter: float64 (n,), sum of the perimeters, in pixels.
        checksum: float64 (n,), equal for equal polygons, by chance for no others.
    """

    low: np.ndarray
    high: np.ndarray
    largest: np.ndarray
    total: np.ndarray
    perimeter: np.ndarray
    checksum: np.ndarray


def check_masks(chunk: Annotations) -> MaskColumns:
    """Check ``segmentation``, and ``area`` and ``bbox`` against it.

    Args:
        chunk: Annotations.

    Returns:
        Areas and checksums of the masks.
    """
    columns = MaskColumns(np.full(len(chunk), np.nan), np.zeros(len(chunk)))
    polygons, rles = [], []
    sizes = chunk.sizes.tolist()
    for row in np.flatnonzero(chunk.masked).tolist():
        segmentation = chunk.entries[row]['segmentation']
        try:
            if not isinstance(segmentation, Mapping):
                check_polygons(segmentation)
                polygons.append(row)
            elif not math.isnan(sizes[row][0]):  # Else its image has an issue.
                width, height = map(int, sizes[row])
                runs = rle_runs(segmentation, height, width)
                columns.area[row] = runs[1::2].sum()
                columns.checksum[row] = runs @ (np.arange(len(runs)) + np.pi)
                rles.append(row)
        except MaskError as error:
            text = str(error)
            chunk.find(error.rule, np.array([row]), lambda _, text=text: text)
    if polygons:
        _check_polygons(chunk, np.asarray(polygons), columns)
    if rles:
        _check_rles(chunk, np.asarray(rles), columns)
    return columns


def measure_polygons(segmentations: Sequence[list[list[float]]]) -> PolygonColumns:
    """Measure polygons, all in a few calls of shapely.

    Args:
        segmentations: n lists of polygons that
            :func:`mmwsis.formats.coco_masks.check_polygons` lets through.

    Returns:
        The measures.
    """
    numbers, sizes, owner = array('d'), [], []
    for row, polygons in enumerate(segmentations):
        for polygon in polygons:
            numbers.extend(polygon)
            numbers.extend(polygon[:2])  # shapely wants the ring closed
            sizes.append(len(polygon) // 2 + 1)
            owner.append(row)
    points = np.frombuffer(numbers, dtype=np.float64).reshape(-1, 2)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    first = np.flatnonzero(np.diff(owner, prepend=-1))  # polygon of each annotation
    with np.errstate(over='ignore', invalid='ignore'):  # coordinates of 1e308
        shapes = shapely.from_ragged_array(
            shapely.GeometryType.POLYGON, points, (offsets, np.arange(len(offsets)))
        )
        areas, bounds = shapely.area(shapes), shapely.bounds(shapes)
        position = np.arange(len(points)) - np.repeat(offsets[:-1], sizes) + 1.5
        weighted = (points[:, 0] + np.pi * points[:, 1]) * position
        return PolygonColumns(
            low=np.minimum.reduceat(bounds[:, :2], first),
            high=np.maximum.reduceat(bounds[:, 2:], first),
            largest=np.maximum.reduceat(areas, first),
            total=np.add.reduceat(areas, first),
            perimeter=np.add.reduceat(shapely.length(shapes), first),
            checksum=np.add.reduceat(weighted, offsets[first]),
        )


def _check_polygons(chunk: Annotations, rows: np.ndarray, columns: MaskColumns) -> None:
    found = measure_polygons([chunk.entries[row]['segmentation'] for row in rows])
    columns.area[rows], columns.checksum[rows] = found.total, found.checksum
    sizes = chunk.sizes[rows]
    over = np.maximum(-found.low, found.high - sizes).max(axis=1)
    huge = over > MAX_BOX_IN_IMAGES * sizes.max(axis=1)
    for rule, wrong in (
        ('polygon-huge', huge),
        ('polygon-over-border', (over > BORDER_PIXELS) & ~huge),
    ):
        _find(
            chunk,
            rule,
            rows,
            wrong,
            lambda k: f'a vertex lies {over[k]:g} px outside the image.',
        )
    # Less than a pixel may still rasterise to one, and so do the two halves of a bow
    # tie, which shapely counts against each other.
    empty = found.total <= 0
    for k in np.flatnonzero(empty).tolist():
        raster = _raster(chunk, rows[k])
        if raster is not None:
            columns.area[rows[k]] = mask_api.area(raster)
            empty[k] = columns.area[rows[k]] == 0
    _find(chunk, 'mask-empty', rows, empty, lambda k: 'its polygons have no area.')
    # Outlines that cross themselves or leave the image, and spikes thinner than a
    # pixel, need the real raster.
    area = chunk.area.values[rows]
    margin = RELATIVE_TOLERANCE * found.total + found.perimeter / 2 + 2
    with np.errstate(invalid='ignore'):  # infinite areas
        off_area = (area < found.largest - margin) | (area > found.total + margin)
    boxes = np.concatenate([found.low, found.high - found.low], axis=1)
    pixels = np.where(off_area, found.total, area)
    for k in np.flatnonzero(off_area | _off_box(chunk, rows, boxes)).tolist():
        raster = _raster(chunk, rows[k])
        if raster is not None:
            boxes[k] = mask_api.toBbox(raster)
            if off_area[k]:
                pixels[k] = mask_api.area(raster)
    # A polygon inside another is no hole: pycocotools fills both.
    with np.errstate(invalid='ignore'):
        hole = np.abs(area - (2 * found.largest - found.total)) <= margin
    hole &= found.total > found.largest
    _find_area(chunk, rows, pixels, hole)
    _find_mask_box(chunk, rows, boxes)


def _raster(chunk: Annotations, row: int) -> dict | None:
    """RLE of polygons; None where the image has no size that can be true."""
    width, height = chunk.sizes[row]
    if not 0 < width * height <= MAX_PIXELS:
        return None
    polygons = chunk.entries[row]['segmentation']
    return checked_rle(polygons, int(height), int(width))


def _check_rles(chunk: Annotations, rows: np.ndarray, columns: MaskColumns) -> None:
    pixels = columns.area[rows]
    _find(chunk, 'mask-empty', rows, pixels == 0, lambda k: 'its RLE has no pixel.')
    _find_area(chunk, rows, pixels)
    rows = rows[pixels > 0]
    if len(rows):
        rles = [
            checked_rle(chunk.entries[row]['segmentation'], int(height), int(width))
            for row, (width, height) in zip(rows.tolist(), chunk.sizes[rows].tolist())
        ]
        _find_mask_box(chunk, rows, mask_api.toBbox(rles))


def _find_area(
    chunk: Annotations,
    rows: np.ndarray,
    pixels: np.ndarray,
    hole: np.ndarray | None = None,
) -> None:
    """Log where ``area`` is not the number of pixels (k,) of the mask."""
    area = chunk.area.values[rows]
    hints = {True: ' A polygon inside another one is no hole, it is filled.', False: ''}
    _find(
        chunk,
        'area-mismatch',
        rows,
        np.abs(pixels - area) > RELATIVE_TOLERANCE * pixels + 2,
        lambda k: (
            f'area is {area[k]:g}, but the mask has {pixels[k]:g} px.'
            f'{hints[hole is not None and bool(hole[k])]}'
        ),
    )


def _off_box(chunk: Annotations, rows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether ``bbox`` is not near the mask's box (k, 4); false without one."""
    return are_apart(chunk.box.values[rows], boxes)


def contradictions(
    given: np.ndarray, boxes: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, list[str]]:
    """Which boxes cannot be meant for their masks.

    Args:
        given: ``(k, 4)``, the four numbers of ``bbox``, apart from those of the mask.
        boxes: ``(k, 4)``, x, y, width, height of the masks, in pixels.
        sizes: ``(k, 2)``, width and height of the images in pixels.

    Returns:
        ``(k,)`` bool, and the reading of each box that would fit; empty: none.
    """
    overlap = box_overlap(given, boxes)
    readings = likely_reading(given, boxes, sizes)
    meant = np.array([bool(reading) for reading in readings], dtype=bool)
    # Far apart, or not near and yet equal when the numbers are read in another way.
    return (overlap < _FAR_APART) | (meant & (overlap < _NEAR)), readings


def contradiction_text(given: Any, box: Any, reading: str) -> str:
    """Say that a box is not that of its mask.

    Args:
        given: ``bbox`` as in the file.
        box: x, y, width, height of the mask.
        reading: Of :func:`contradictions`.
    """
    hint = f' It would be with {reading}.' if reading else ''
    return (
        f'bbox {given!r} is not the box of the mask, '
        f'{np.round(box, 2).tolist()!r} ([x, y, width, height]).{hint}'
    )


def _find_mask_box(chunk: Annotations, rows: np.ndarray, boxes: np.ndarray) -> None:
    off = _off_box(chunk, rows, boxes) & ~chunk.box_wrong[rows]
    off &= (boxes[:, 2:] > 0).all(axis=1)  # An empty mask is nowhere.
    if not off.any():
        return
    given, sizes = chunk.box.values[rows], chunk.sizes[rows]
    contradicts, reading = contradictions(given[off], boxes[off], sizes[off])
    readings = dict(zip(np.flatnonzero(off).tolist(), reading))
    wrong = off.copy()
    wrong[off] = contradicts

    def describe(k: int) -> str:
        box = chunk.entries[rows[k]]['bbox']
        return contradiction_text(box, boxes[k], readings[k])

    _find(chunk, 'box-contradicts-mask', rows, wrong, describe)
    _find(chunk, 'mask-off-box', rows, off & ~wrong, describe)


def _find(
    chunk: Annotations,
    rule: str,
    rows: np.ndarray,
    wrong: np.ndarray,
    describe: Callable[[int], str],
) -> None:
    """Log those of ``rows`` that are ``wrong`` (k,); ``describe`` takes the index."""
    picked = np.flatnonzero(wrong)
    back = dict(zip(rows[picked].tolist(), picked.tolist()))
    chunk.find(rule, rows[picked], lambda row: describe(back[row]))
