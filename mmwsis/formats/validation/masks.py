"""Checks of masks: form, agreement with the box and the area."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_api

from ..coco_masks import polygons_rle
from .columns import Annotations
from .findings import FindingLog
from .geometry import BORDER_PIXELS
from .polygon_batch import PolygonBatch, measure_polygons
from .rle_batch import RunBatch, decompress, mask_statistics

# Rasterisation moves the outline by up to a pixel.
_RELATIVE_TOLERANCE = 0.05
_BOX_PIXELS = 2.0
# An image that claims more pixels is not rasterised for a second opinion.
MAX_PIXELS = 2**28


class MaskColumns(NamedTuple):
    """What the summary and the search for duplicates take from masks.

    Attributes:
        area: float64 (n,), pixels; NaN where there is no sound mask.
        checksum: float64 (n,), 0 where there is no sound mask.
    """

    area: np.ndarray
    checksum: np.ndarray


def check_masks(part: Annotations, log: FindingLog) -> MaskColumns:
    """Check ``segmentation``, and ``area`` and ``bbox`` against it.

    Args:
        part: Annotations.
        log: Takes the findings.

    Returns:
        Areas and checksums of the masks.
    """
    n = len(part)
    columns = MaskColumns(np.full(n, np.nan), np.zeros(n))
    polygons, rles = [], []
    for row in np.flatnonzero(part.masked).tolist():
        segmentation = part.entries[row]['segmentation']
        if isinstance(segmentation, list):
            polygons.append(row)
        elif isinstance(segmentation, dict):
            rles.append(row)
        else:
            part.find(
                log,
                'mask-format',
                np.array([row]),
                lambda row: (
                    'segmentation must be polygons [[x, y, x, y, ...], ...] or an RLE '
                    'with size and counts; got '
                    f'{type(part.entries[row]["segmentation"]).__name__}.'
                ),
            )
    if polygons:
        _check_polygons(part, np.asarray(polygons), columns, log)
    if rles:
        _check_rles(part, np.asarray(rles), columns, log)
    return columns


def _check_polygons(
    part: Annotations, rows: np.ndarray, columns: MaskColumns, log: FindingLog
) -> None:
    batch = measure_polygons([part.entries[row]['segmentation'] for row in rows])
    for rule, index, message in batch.faults:
        part.find(log, rule, rows[index : index + 1], lambda _, text=message: text)
    sizes = part.sizes[rows]
    over = np.maximum(-batch.low, batch.high - sizes).max(axis=1)
    _find(
        part,
        log,
        'polygon-over-border',
        rows,
        batch.sound & (over > BORDER_PIXELS),
        lambda k: f'a vertex lies {over[k]:g} px outside the image.',
    )
    # Less than a pixel may still rasterise to one; nothing at all cannot.
    empty = batch.sound & (batch.total <= 0)
    _find(part, log, 'mask-empty', rows, empty, lambda k: 'its polygons have no area.')
    columns.area[rows] = np.where(batch.sound, batch.total, np.nan)
    columns.checksum[rows] = batch.checksum
    _check_polygon_area(part, rows, batch, log)
    _check_polygon_box(part, rows, batch, log)


def _check_polygon_box(
    part: Annotations, rows: np.ndarray, batch: PolygonBatch, log: FindingLog
) -> None:
    boxes = np.concatenate([batch.low, batch.high - batch.low], axis=1)
    for k in np.flatnonzero(_off_box(part, rows, boxes)).tolist():
        # Spikes thinner than a pixel, and what is outside, have no pixels.
        raster = _raster(part, int(rows[k]))
        if raster is not None:
            boxes[k] = mask_api.toBbox(raster)
    _find_mask_box(part, rows, boxes, log)


def _check_polygon_area(
    part: Annotations, rows: np.ndarray, batch: PolygonBatch, log: FindingLog
) -> None:
    area = part.area.values[rows]
    margin = _RELATIVE_TOLERANCE * batch.total + batch.perimeter / 2 + 2
    off = (area < batch.largest - margin) | (area > batch.total + margin)
    suspects = np.flatnonzero(batch.sound & off)
    measured = {}
    for k in suspects.tolist():
        # Outlines that cross themselves or leave the image need the real raster.
        raster = _raster(part, int(rows[k]))
        pixels = batch.total[k] if raster is None else int(mask_api.area(raster))
        if abs(pixels - area[k]) > _RELATIVE_TOLERANCE * pixels + 2:
            measured[k] = pixels
    _find_area(part, log, rows, measured, area)


def _find_area(
    part: Annotations,
    log: FindingLog,
    rows: np.ndarray,
    measured: dict[int, float],
    area: np.ndarray,
) -> None:
    wrong = np.zeros(len(rows), dtype=bool)
    wrong[list(measured)] = True
    _find(
        part,
        log,
        'area-mismatch',
        rows,
        wrong,
        lambda k: f'area is {area[k]:g}, but the mask has {measured[k]:g} px.',
    )


def _raster(part: Annotations, row: int) -> dict[str, Any] | None:
    """RLE of well-formed polygons; None where the image size is not to be trusted."""
    width, height = part.sizes[row]
    if not 0 < width * height <= MAX_PIXELS:
        return None
    polygons = part.entries[row]['segmentation']
    return polygons_rle(polygons, int(height), int(width))


def _check_rles(
    part: Annotations, rows: np.ndarray, columns: MaskColumns, log: FindingLog
) -> None:
    counts, sized = _checked_counts(part, rows, log)
    rows = rows[sized]
    if not len(rows):
        return
    batch = _runs(counts)
    widths, heights = part.sizes[rows].astype(np.int64).T
    statistics = mask_statistics(batch, heights, widths)

    def describe(k: int) -> str:
        given = str(part.entries[rows[k]]['segmentation']['counts'])[:40]
        if batch.counts[k] == 0:
            return f'the counts of the RLE are damaged; got {given!r}.'
        return (
            f'the runs of the RLE add up to {statistics.total[k]} pixels, the image '
            f'has {widths[k]} x {heights[k]} = {widths[k] * heights[k]}; got counts '
            f'{given!r}.'
        )

    _find(part, log, 'rle-counts', rows, ~statistics.sound, describe)
    sound = statistics.sound
    _find(
        part,
        log,
        'mask-empty',
        rows,
        sound & (statistics.area == 0),
        lambda k: 'its RLE has no pixel.',
    )
    columns.area[rows] = np.where(sound, statistics.area, np.nan)
    columns.checksum[rows] = _run_checksums(batch)
    area = part.area.values[rows]
    off = np.abs(area - statistics.area) > _RELATIVE_TOLERANCE * statistics.area + 2
    measured = {k: statistics.area[k] for k in np.flatnonzero(sound & off).tolist()}
    _find_area(part, log, rows, measured, area)
    _find_mask_box(part, rows, statistics.boxes, log)


def _checked_counts(
    part: Annotations, rows: np.ndarray, log: FindingLog
) -> tuple[list[Any], np.ndarray]:
    """Counts of the RLEs whose form and size are right, and which these are."""
    counts, sized = [], np.zeros(len(rows), dtype=bool)
    sizes = part.sizes[rows].tolist()
    for k, (row, (width, height)) in enumerate(zip(rows.tolist(), sizes)):
        rle = part.entries[row]['segmentation']
        value, size = rle.get('counts'), rle.get('size')
        if not isinstance(value, (str, list)) or not isinstance(size, list):
            rule, text = (
                'mask-format',
                'an RLE needs size [height, width] and counts, a text or a list; got '
                f'size {size!r} and counts {str(value)[:40]!r}.',
            )
        elif width != width:
            continue  # Its image has a finding already.
        elif size != [height, width]:
            rule, text = (
                'rle-size',
                f'the RLE has size {size}, its image is [{height:g}, {width:g}] '
                '(height, width).',
            )
        else:
            counts.append(value)
            sized[k] = True
            continue
        part.find(log, rule, rows[k : k + 1], lambda _, text=text: text)
    return counts, sized


def _runs(counts: list[Any]) -> RunBatch:
    """Runs of compressed and plain RLEs together; broken ones have none."""
    texts = [_encoded(value) for value in counts]
    batch = decompress(texts)
    if not any(isinstance(value, list) for value in counts):
        return batch
    parts = []
    for k, value in enumerate(counts):
        if isinstance(value, list):
            parts.append(_plain_runs(value))
        else:
            start = batch.starts[k]
            parts.append(batch.runs[start : start + batch.counts[k]])
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    return RunBatch(np.concatenate(parts), np.cumsum(lengths) - lengths, lengths)


def _encoded(value: Any) -> bytes:
    return value.encode('utf-8', 'replace') if isinstance(value, str) else b''


def _plain_runs(value: list[Any]) -> np.ndarray:
    if not set(map(type, value)) <= {int} or max(value, default=0) >= 2**40:
        return np.zeros(0, dtype=np.int64)
    return np.maximum(np.asarray(value, dtype=object), -1).astype(np.int64)


def _run_checksums(batch: RunBatch) -> np.ndarray:
    owner = np.repeat(np.arange(len(batch.counts)), batch.counts)
    position = np.arange(len(batch.runs)) - batch.starts[owner]
    weights = batch.runs * (position + np.pi)
    return np.bincount(owner, weights, minlength=len(batch.counts))


def _off_box(part: Annotations, rows: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether ``bbox`` is not near the mask's box (k, 4); false without one."""
    given = part.box.values[rows]
    margin = np.maximum(_BOX_PIXELS, _RELATIVE_TOLERANCE * np.tile(given[:, 2:], 2))
    return (np.abs(_corners(given) - _corners(boxes)) > margin).any(axis=1)


def _find_mask_box(
    part: Annotations, rows: np.ndarray, boxes: np.ndarray, log: FindingLog
) -> None:
    _find(
        part,
        log,
        'mask-off-box',
        rows,
        _off_box(part, rows, boxes),
        lambda k: (
            f'bbox {part.entries[rows[k]]["bbox"]!r} is not the box of the mask, '
            f'{np.round(boxes[k], 2).tolist()!r} ([x, y, width, height]).'
        ),
    )


def _corners(boxes: np.ndarray) -> np.ndarray:
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _find(
    part: Annotations,
    log: FindingLog,
    rule: str,
    rows: np.ndarray,
    wrong: np.ndarray,
    describe: Callable[[int], str],
) -> None:
    """Log those of ``rows`` that are ``wrong`` (k,); ``describe`` takes the index."""
    picked = np.flatnonzero(wrong)
    back = dict(zip(rows[picked].tolist(), picked.tolist()))
    part.find(log, rule, rows[picked], lambda row: describe(back[row]))
