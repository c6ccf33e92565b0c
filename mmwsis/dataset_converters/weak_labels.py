"""Weak labels of single annotations, derived from their masks.

The protocols are those of EXITS (CVPR 2024) for extreme points, and three ways to
simulate a click. Everything here looks at one annotation at a time, so that the
result does not depend on the order of annotations or the number of processes.
"""

import functools
import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from pycocotools import mask as mask_api

from mmwsis.formats.coco_file import PIXEL_INDEX
from mmwsis.formats.coco_masks import (
    MaskCrop,
    MaskError,
    check_polygons,
    checked_rle,
    decode_segmentation,
    leaves_image,
    rle_runs,
    tight_box,
)
from mmwsis.formats.validation.box_readings import BOX_PIXELS, are_apart
from mmwsis.formats.validation.columns import number_column
from mmwsis.formats.validation.geometry import MAX_BOX_IN_IMAGES, outside_by
from mmwsis.formats.validation.masks import contradiction_text, contradictions
from mmwsis.ops.extreme_points import (
    extreme_points_from_mask,
    extreme_points_from_polygons,
)
from mmwsis.ops.interior_points import interior_point
from mmwsis.structures.extreme_points import points_of_pixels
from mmwsis.structures.supervision import Supervision, strongest_label

from .click_noise import move_clicks, move_edges

POINTS_MODES = ('distance', 'centre', 'uniform')
EXTREME_MODES = ('auto', 'band', 'rowmajor', 'polygon', 'polygon-cyclic')
BOXES_MODES = ('file', 'mask')
COORDINATES = ('continuous', PIXEL_INDEX)


@dataclass(frozen=True)
class WeakProtocol:
    """How weak labels are simulated.

    Attributes:
        points_mode: See :func:`mmwsis.ops.interior_points.interior_point`.
        extreme_mode: 'band' or 'rowmajor' on bitmaps, 'polygon' or 'polygon-cyclic'
            on polygons, 'auto': 'polygon' where the object is polygons that stay in
            the image, else 'band'.
        boxes_mode: 'file' keeps the boxes of the file and derives missing ones;
            'mask' derives all from the masks.
        seed: Seed of the 'uniform' points and of the noise, >= 0.
        coordinates: Of extreme points. 'continuous': pixel ``i`` covers
            ``[i, i + 1]``, so that their box is the half-open tight box of the object.
            'pixel-index': ExtremeNet's integers, the truncated corners of polygons and
            the outermost pixels of bitmaps.
        click_noise: Standard deviation of the clicks on extreme points and of the edges
            of boxes, as a share of the object's sides, in [0, 1].

    Raises:
        ValueError: A mode is unknown or the seed is negative.
    """

    points_mode: str = 'distance'
    extreme_mode: str = 'auto'
    boxes_mode: str = 'file'
    seed: int = 0
    coordinates: str = 'continuous'
    click_noise: float = 0.0

    def __post_init__(self) -> None:
        for name, value, known in (
            ('points_mode', self.points_mode, POINTS_MODES),
            ('extreme_mode', self.extreme_mode, EXTREME_MODES),
            ('boxes_mode', self.boxes_mode, BOXES_MODES),
            ('coordinates', self.coordinates, COORDINATES),
        ):
            if value not in known:
                raise ValueError(f'{name} must be one of {known}, given {value!r}')
        if self.seed < 0:
            raise ValueError(f'seed must not be negative, given {self.seed}')
        if not 0 <= self.click_noise <= 1:
            raise ValueError(
                f'click_noise must be a share from 0 to 1, given {self.click_noise}'
            )
        if self.click_noise and self.coordinates != 'continuous':
            raise ValueError(
                f'click_noise needs continuous coordinates, given {self.coordinates!r}'
            )

    def describe(self, level: Supervision) -> dict[str, Any]:
        """The settings that ``level`` depends on, for the file's ``info`` block."""
        reads = {
            Supervision.IMAGE_TAGS: (),
            Supervision.POINTS: ('points_mode',),
            Supervision.BOXES: ('boxes_mode',),
            Supervision.EXTREME_POINTS: ('extreme_mode',),
        }[level]
        if level is Supervision.POINTS and self.points_mode == 'uniform':
            reads = (*reads, 'seed')
        if level >= Supervision.BOXES and self.click_noise:
            reads = (*reads, 'click_noise', 'seed')
        return {name: value for name, value in asdict(self).items() if name in reads}


def derive_weak_labels(
    annotation: Mapping[str, Any],
    size: tuple[int, int],
    levels: Collection[Supervision],
    protocol: WeakProtocol,
) -> dict[str, Any]:
    """Weak labels of one annotation.

    Crowd regions have no single object to click on: they get a box and nothing else.
    An annotation that holds a point and nothing stronger, as in a file of points, keeps
    it, and its score.

    Args:
        annotation: COCO annotation with ``segmentation``, or with a point alone;
            ``iscrowd`` may be missing.
        size: Height and width of its image in pixels.
        levels: The levels wanted; the mask is decoded once for all of them.
        protocol: How labels are simulated.

    Returns:
        ``point`` ``[x, y]`` for POINTS (and the ``score`` of a given one), ``bbox``
        ``[x, y, w, h]`` for BOXES, ``extreme_points`` for EXTREME_POINTS (a crowd
        region: ``bbox``).

    Raises:
        ValueError: The mask or the box is broken; the message says how.
    """
    labels: dict[str, Any] = {}

    @functools.cache
    def crop() -> MaskCrop:
        # Decoded when it is first needed, if it is.
        return decode_segmentation(_segmentation(annotation), *size)

    is_crowd = bool(annotation.get('iscrowd', 0))
    wants_box = Supervision.BOXES in levels
    if wants_box or (is_crowd and Supervision.EXTREME_POINTS in levels):
        box = _box(annotation, size, crop, protocol)
        if protocol.click_noise and not is_crowd:
            noise = _generator_of(annotation['id'], protocol.seed)
            box = move_edges(box, size, protocol.click_noise, noise)
        labels['bbox'] = box
    if Supervision.EXTREME_POINTS in levels and not is_crowd:
        segmentation = _segmentation(annotation)
        points = _extreme_points(segmentation, size, crop, protocol)
        if protocol.click_noise:
            noise = _generator_of(annotation['id'], protocol.seed)
            points = move_clicks(points, size, protocol.click_noise, noise)
        labels['extreme_points'] = points
    if Supervision.POINTS in levels and not is_crowd:
        if holds_point_alone(annotation):
            labels.update(_given_point(annotation, size))
        else:
            labels['point'] = _point(annotation, crop(), protocol)
    if labels:
        _refuse_other_box(annotation, size)
    return labels


def holds_point_alone(annotation: Mapping[str, Any]) -> bool:
    """Whether an annotation holds a point and nothing stronger.

    Args:
        annotation: COCO annotation.
    """
    return strongest_label(annotation) is Supervision.POINTS


def _given_point(
    annotation: Mapping[str, Any], size: tuple[int, int]
) -> dict[str, Any]:
    """The point of a file of points, and its score, where it has one."""
    column = number_column([annotation], 'point', (2,))
    if (
        not column.valid[0]
        or outside_by(column.values[:, None], np.array([size[::-1]]))[0] > 0
    ):
        raise ValueError(
            f'point must be [x, y] in its image of {size[1]} x {size[0]} pixels, given '
            f'{annotation["point"]!r}'
        )
    given = {key: annotation[key] for key in ('point', 'score') if key in annotation}
    score = number_column([annotation], 'score', ())
    if score.given[0] and not 0 <= score.values[0] <= 1:
        raise ValueError(
            f'score must be a number from 0 to 1, given {annotation["score"]!r}'
        )
    return given


def _segmentation(annotation: Mapping[str, Any]) -> Any:
    if annotation.get('segmentation') is None:
        raise ValueError('segmentation is missing; weak labels are derived from masks')
    return annotation['segmentation']


def _point(
    annotation: Mapping[str, Any], crop: MaskCrop, protocol: WeakProtocol
) -> list[int]:
    generator = None
    if protocol.points_mode == 'uniform':
        generator = _generator_of(annotation['id'], protocol.seed)
    return list(interior_point(crop.mask, protocol.points_mode, generator, crop.offset))


def _generator_of(annotation_id: int | str, seed: int) -> np.random.Generator:
    """Random generator that depends on nothing but the seed and the annotation."""
    digest = hashlib.sha256(repr(annotation_id).encode('utf-8')).digest()
    return np.random.Generator(
        np.random.PCG64([seed, int.from_bytes(digest[:8], 'little')])
    )


def _box(
    annotation: Mapping[str, Any],
    size: tuple[int, int],
    crop: Callable[[], MaskCrop],
    protocol: WeakProtocol,
) -> list[float]:
    box = annotation.get('bbox')
    if protocol.boxes_mode == 'mask' or box is None:
        return tight_box(crop())
    try:
        x, y, width, height = (float(value) for value in box)
        # float() reads texts and booleans, too.
        numbers = all(type(value) in (int, float) for value in box)
    except (TypeError, ValueError, OverflowError):
        numbers = False
    if not numbers:
        raise ValueError(
            f'bbox must be four numbers [x, y, width, height], given {box!r}'
        )
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) <= 0:
        raise ValueError(
            'bbox must have finite coordinates and a positive width and height, '
            f'given {box!r}; --boxes-mode mask takes the box of the mask instead'
        )
    rows, columns = size
    if (
        x >= columns
        or y >= rows
        or x + width < 0
        or y + height < 0
        or width > MAX_BOX_IN_IMAGES * columns
        or height > MAX_BOX_IN_IMAGES * rows
    ):
        raise ValueError(
            f'bbox {box!r} does not fit its image of {columns} x {rows} pixels; '
            '--boxes-mode mask takes the box of the mask instead'
        )
    return list(box)


def _refuse_other_box(annotation: Mapping[str, Any], size: tuple[int, int]) -> None:
    """Refuse a box that belongs to another object, scale or format than the mask.

    Neither tells which of the two is right. Broken ones are refused where they are
    used.
    """
    given, segmentation = annotation.get('bbox'), annotation.get('segmentation')
    if not isinstance(given, (list, tuple)) or len(given) != 4 or not segmentation:
        return
    try:
        if isinstance(segmentation, Mapping):
            rle_runs(segmentation, *size)
            box = mask_api.toBbox(checked_rle(segmentation, *size)).tolist()
        else:
            check_polygons(segmentation)
            box = _outline_box(segmentation)
        x, y, width, height = given
        far = max(
            abs(x - box[0]),
            abs(y - box[1]),
            abs(x + width - box[0] - box[2]),
            abs(y + height - box[1] - box[3]),
        )
    except (MaskError, TypeError, OverflowError):
        return
    # The rules allow more than that: nearly all boxes need no closer look.
    if not far > BOX_PIXELS or min(box[2:]) <= 0:
        return
    numbers = np.array([given], float), np.array([box]), np.array([size[::-1]], float)
    if np.isfinite(numbers[0]).all() and are_apart(*numbers[:2])[0]:
        wrong, (reading,) = contradictions(*numbers)
        if wrong[0]:
            raise ValueError(contradiction_text(given, box, reading))


def _outline_box(polygons: Sequence[Sequence[float]]) -> list[float]:
    xs = [x for polygon in polygons for x in polygon[::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    low = min(xs), min(ys)
    return [*low, max(xs) - low[0], max(ys) - low[1]]


def _extreme_points(
    segmentation: Any,
    size: tuple[int, int],
    crop: Callable[[], MaskCrop],
    protocol: WeakProtocol,
) -> list[list[float]]:
    mode = protocol.extreme_mode
    continuous = protocol.coordinates == 'continuous'
    is_rle = isinstance(segmentation, Mapping)
    if mode.startswith('polygon') and is_rle:
        raise ValueError(
            f'--extreme-mode {mode} needs polygons, but the mask is an RLE; use auto '
            'or band'
        )
    if mode in ('band', 'rowmajor') or is_rle:
        rule = 'rowmajor' if mode == 'rowmajor' else 'band'
        return _from_bitmap(crop(), rule, continuous)
    check_polygons(segmentation)
    height, width = size
    if leaves_image(segmentation, height, width):
        if mode != 'auto':
            raise ValueError(
                'a polygon leaves the image by more than one pixel; use --extreme-mode '
                'auto or band'
            )
        return _from_bitmap(crop(), 'band', continuous)
    points = extreme_points_from_polygons(
        segmentation,
        cyclic=mode == 'polygon-cyclic',
        truncate=not continuous,
        floor_middle=not continuous,
    )
    # COCO's polygons end on the image's far border, one pixel past the last one.
    last = 0 if continuous else 1
    return np.clip(points, 0, (width - last, height - last)).tolist()


def _from_bitmap(crop: MaskCrop, mode: str, continuous: bool) -> list[list[float]]:
    pixels = extreme_points_from_mask(crop.mask, mode, crop.offset).tolist()
    return points_of_pixels(pixels) if continuous else pixels
