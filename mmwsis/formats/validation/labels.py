"""Checks of which labels are there: enough for the level, and nothing stronger."""

from itertools import chain

import numpy as np

from mmwsis.structures.supervision import ANNOTATION_KEYS, LABEL_KEYS, Supervision

from .columns import NO_LEVEL, Annotations
from .geometry import box_of_points

# Keys that every level has, or that have a rule of their own; the last two are kept by
# the importers and by the converter of panoptic files, for people to read.
_KNOWN_KEYS = {
    *ANNOTATION_KEYS[Supervision.EXTREME_POINTS],
    *LABEL_KEYS,
    *('area', 'attributes', 'segment_id'),
}


def check_needed(chunk: Annotations, masks: bool = True) -> None:
    """Check that every object has the label of its level.

    Crowd regions are no single object: at points and extreme points a box will do.

    Args:
        chunk: Annotations.
        masks: Ask for masks, too. Our own datasets read images without any.
    """
    level = chunk.required
    objects = ~chunk.crowd
    missing = {
        'point': (level == Supervision.POINTS) & objects & ~chunk.point.given,
        'extreme_points': (level == Supervision.EXTREME_POINTS)
        & objects
        & ~chunk.extreme.given,
        'bbox': (level >= Supervision.BOXES)
        & ~chunk.box.given
        & ~((level == Supervision.EXTREME_POINTS) & (chunk.extreme.given | objects))
        & ~chunk.ignored,
    }
    for key, rows in missing.items():
        chunk.find(
            'label-missing', rows, lambda row, key=key: _missing(chunk, row, key)
        )
    undeclared = (level == NO_LEVEL) & objects & chunk.masked & ~chunk.box.given
    chunk.find(
        'label-missing',
        undeclared & ~chunk.ignored,
        lambda row: 'a mask without bbox, which every loader of COCO files needs.',
    )
    if masks:
        chunk.find(
            'mask-missing',
            (level == Supervision.MASKS) & ~chunk.masked & ~chunk.ignored,
            lambda row: "supervision 'masks', but there is no segmentation.",
        )


def _missing(chunk: Annotations, row: int, key: str) -> str:
    label = Supervision(int(chunk.required[row])).label
    if key == 'bbox':
        return (
            'bbox must be [x, y, width, height], finite numbers in pixels; got None. '
            f'Supervision {label!r} needs it.'
        )
    return f'supervision {label!r} needs the key {key}.'


def check_leaks(chunk: Annotations) -> None:
    """Check that nothing is stronger than what the file or its user claims.

    Args:
        chunk: Annotations. Claims are ``leak`` issues, what a config declares, whose
            dataset removes the rest, ``guarded`` ones.
    """
    config_only = np.where(
        chunk.required >= 0, chunk.required, Supervision.MASKS
    ) < np.minimum(chunk.claimed, Supervision.MASKS)
    _find_stronger(chunk, chunk.claimed, 'leak')
    if config_only.any():
        levels = np.where(config_only, chunk.required, Supervision.MASKS)
        _find_stronger(chunk, levels, 'guarded')
    _check_keys(chunk)


def _find_stronger(chunk: Annotations, levels: np.ndarray, rule: str) -> None:
    if (levels == Supervision.MASKS).all():
        return
    stronger = {k: chunk.given[k] & (levels < own) for k, own in LABEL_KEYS.items()}
    stronger['area'] = chunk.area.given & (levels <= Supervision.POINTS)
    stronger['an area that is not that of the box'] = _foreign_area(chunk, levels)
    tags = levels == Supervision.IMAGE_TAGS

    def describe(row: int) -> str:
        names = [name for name, rows in stronger.items() if rows[row]]
        if tags[row]:
            # The number of annotations alone tells how many objects there are.
            names.insert(0, 'an annotation')
        label = Supervision(int(levels[row])).label
        return f'{", ".join(names)} at supervision {label!r}.'

    found = np.logical_or.reduce([tags, *stronger.values()])
    chunk.find(rule, found, describe)


def _foreign_area(chunk: Annotations, levels: np.ndarray) -> np.ndarray:
    """Whether ``area`` tells more than the box, at the levels that have one."""
    boxes = chunk.box.values.copy()
    if chunk.extreme.valid.any():
        use = (levels == Supervision.EXTREME_POINTS) & chunk.extreme.valid
        boxes[use] = box_of_points(chunk.extreme.values)[use]
    area = boxes[:, 2] * boxes[:, 3]
    boxed = (levels == Supervision.BOXES) | (levels == Supervision.EXTREME_POINTS)
    off = np.abs(chunk.area.values - area) > 1 + 0.01 * area
    return boxed & (off | (chunk.area.given & np.isnan(area)))


def _check_keys(chunk: Annotations) -> None:
    """Note keys that the guard drops below masks."""
    levels = np.where(chunk.required >= 0, chunk.required, Supervision.MASKS)
    restricted = np.minimum(levels, chunk.claimed) < Supervision.MASKS
    if not restricted.any():
        return
    others = set(chain.from_iterable(chunk.entries)) - _KNOWN_KEYS
    for key in sorted(others, key=str):
        has = np.fromiter((key in entry for entry in chunk.entries), bool, len(chunk))
        chunk.find(
            'unlisted-key',
            has & restricted,
            lambda row, key=key: f'key {key!r} is not read below masks.',
        )
