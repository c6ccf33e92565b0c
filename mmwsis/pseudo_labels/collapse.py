"""Whether pseudo labels collapsed, told without ground truth.

A labeler that learned nothing from an image returns the box it was given, or nothing,
or the same map everywhere. All of these are valid labels, and a model trains on them.
How much of its box a mask fills gives them away.

What the shares mean: an ellipse whose axes are those of its box fills pi / 4 = 0.785 of
it, a tilted one less; a convex object with one extreme point on every side fills
between 0 (a thin bar along the diagonal) and 1, which only a rectangle along the axes
reaches: a square that is tilted by 1.5 degrees fills less than 0.95. True masks of
animals fill 0.60 (median), of cell nuclei 0.76, of fruits 0.70, of windows and doors on
photographs of facades 0.80. More than 0.95 fill 0.1 %, 0.3 %, 0 % and 8 % of them, in
no class more than 13 %; less than 0.05 fill at most 2 % of a class. The limits below
lie at twice that or more.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmwsis.ops import filled_box_span

ELLIPSE = math.pi / 4
# A mask that covers more of its box is the box, one that covers less is next to none.
FILLED, NEARLY_EMPTY = 0.95, 0.05
# Masks up to this many pixels are next to none, too, whatever box they came from.
SPECK = 4
# In smaller boxes, pixels, an ellipse is drawn as a rectangle.
MIN_SIDE = 4
# Real objects keep below these shares of the masks, and their median inside.
MAX_FILLED, MAX_NEARLY_EMPTY, MAX_EMPTY = 0.3, 0.1, 0.1
MEDIAN_RANGE = (0.15, 0.92)
# A class is judged by itself from this many masks on.
MIN_OF_CLASS = 20
# An image is filled if this share of its masks are; it needs some to tell.
MOST_OF_IMAGE, MIN_OF_IMAGE, MAX_FILLED_IMAGES = 0.8, 3, 0.05
# A map is flat if this share of its decided pixels has one value. A few flat maps are
# close-ups; more than this share of the maps, or of images without any instance, is
# not what photographs give.
FLAT, MAX_FLAT, MAX_WITHOUT = 0.99, 0.5, 0.5

CLASS_MAP_THRESHOLD = 0.15

_ADVICE = "docs/faq.md, 'My labels collapsed', says what helps"
_BINS = 20
_CLASSES_SHOWN = 5


def mask_collapse(coco: Mapping[str, Any], found: bool = False) -> dict[str, Any]:
    """How much of their boxes the masks of a file fill.

    The box is ``weak_bbox``, which the labeler was given; a mask without one is
    compared with its own tight box, which tells rectangles and specks but not what is
    missing.

    Args:
        coco: COCO JSON of pseudo labels. Annotations need ``bbox`` (tight), ``area`` in
            pixels and may have ``weak_bbox`` and ``empty_prediction``; crowds do not
            count.
        found: Whether a labeler found the instances in whole images, so that images
            without any are a sign, too. Defaults to False.

    Returns:
        JSON-serialisable: ``masks`` (how many), ``judged`` (in boxes of at least 4
        pixels, not empty), ``median_fill``, ``filled``, ``nearly_empty`` (shares of the
        judged), ``empty`` (share of all), ``per_class`` (a list with the same and
        ``name``), ``boxes`` ('weak' or 'own', of the first mask), ``histogram``, for
        found instances ``images_without`` (share), ``filled_images`` (share of the
        images with at least 3 judged masks of which 80 % are filled; the first have
        ``filled_image_names``), and ``warnings``, one text each.
        Figures that are not defined are ``None``.
    """
    sizes = {im['id']: (im['height'], im['width']) for im in coco['images']}
    own = [one for one in coco['annotations'] if not one.get('iscrowd')]
    fills = np.array([_fill(one, sizes[one['image_id']]) for one in own]).reshape(-1, 2)
    classes = np.array([one['category_id'] for one in own])
    rows = [
        dict(name=str(category['name']), **_row(fills[classes == category['id']]))
        for category in coco['categories']
    ]
    total = _row(fills)
    judged = fills[~np.isnan(fills[:, 0]), 0]
    counts, edges = np.histogram(judged, bins=_BINS, range=(0.0, 1.0))
    weak = bool(own) and 'weak_bbox' in own[0]
    result = dict(
        total,
        boxes='weak' if weak else 'own',
        per_class=[row for row in rows if row['masks']],
        histogram=dict(edges=edges.round(6).tolist(), counts=counts.tolist()),
    )
    images = np.array([one['image_id'] for one in own], dtype=object)
    result.update(_filled_images(coco, images, fills[:, 0]))
    if found:
        result['images_without'] = _images_without(coco)
    return dict(result, warnings=list(_mask_warnings(result)))


def _fill(annotation: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, float]:
    """Share of the box that is filled, NaN if nobody can tell; whether it is empty."""
    area = annotation['area']
    if annotation.get('empty_prediction') or not area:
        return math.nan, 1.0
    width, height = annotation['bbox'][2:]
    weak = annotation.get('weak_bbox')
    if weak:
        left, top, right, bottom = filled_box_span(weak, size)
        box = right - left + 1, bottom - top + 1
    else:
        box = (width, height) if area > SPECK else (MIN_SIDE, math.inf)
    if min(box) < MIN_SIDE:
        return math.nan, 0.0
    if area <= SPECK:
        return 0.0, 0.0
    fill, own = area / (box[0] * box[1]), width * height
    # A rectangle a pixel inside its box is the box, too: its own box says so.
    if area > FILLED * own and fill > 0.25 and min(width, height) >= MIN_SIDE:
        fill = max(fill, area / own)
    return min(fill, 1.0), 0.0


def _row(fills: np.ndarray) -> dict[str, Any]:
    judged = fills[~np.isnan(fills[:, 0]), 0]
    return dict(
        masks=len(fills),
        judged=len(judged),
        median_fill=_rounded(np.median(judged)) if len(judged) else None,
        filled=_share(judged > FILLED),
        nearly_empty=_share(judged < NEARLY_EMPTY),
        empty=_share(fills[:, 1] > 0),
    )


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _share(flags: np.ndarray) -> float | None:
    return _rounded(flags.mean()) if len(flags) else None


def _filled_images(
    coco: Mapping[str, Any], images: np.ndarray, fills: np.ndarray
) -> dict[str, Any]:
    """Share of the images where nearly every mask fills its box, and their names."""
    counts: dict[Any, list[int]] = {}
    for image_id, fill in zip(images, fills):
        if not math.isnan(fill):
            own = counts.setdefault(image_id, [0, 0])
            own[0] += 1
            own[1] += fill > FILLED
    telling = {key: own for key, own in counts.items() if own[0] >= MIN_OF_IMAGE}
    filled = {key for key, own in telling.items() if own[1] >= MOST_OF_IMAGE * own[0]}
    names = [str(im.get('file_name')) for im in coco['images'] if im['id'] in filled]
    return dict(
        filled_images=_rounded(len(filled) / len(telling)) if telling else None,
        filled_image_names=names[:_CLASSES_SHOWN],
    )


def _images_without(coco: Mapping[str, Any]) -> float | None:
    """Share of the images without an instance; those with tags, if any has some."""
    having = {annotation['image_id'] for annotation in coco['annotations']}
    tagged = [im for im in coco['images'] if im.get('tags')] or coco['images']
    return _share(np.array([im['id'] not in having for im in tagged]))


def _mask_warnings(result: Mapping[str, Any]) -> Iterable[str]:
    box = 'their box' if result['boxes'] == 'weak' else 'their own tight box'
    median, (low, high) = result['median_fill'], MEDIAN_RANGE
    middle = f'the median fill is {_percent(median)}, that of an ellipse 79 %'
    where = _beyond(result, 'filled', MAX_FILLED)
    filled_images = result['filled_images'] or 0
    if where is None and filled_images > MAX_FILLED_IMAGES:
        names = ', '.join(result['filled_image_names'])
        yield (
            f'in {_percent(filled_images)} of the images nearly every mask fills more '
            f'than {_percent(FILLED)} of {box}, such as in {names}: the labeler '
            'returned boxes there, unless they are boxes (windows, TVs, books). Look '
            f'at these before training on them; {_ADVICE}.'
        )
    elif where is not None or (median or 0) > high:
        yield (
            f'{_percent(result["filled"])} of {result["judged"]} masks fill more than '
            f'{_percent(FILLED)} of {box}{where or ""}; {middle}, and of real objects '
            'at most 13 % fill so much. The labeler returned boxes, unless these '
            'objects are boxes themselves (windows, TVs, books). Look at some before '
            f'training on them; {_ADVICE}.'
        )
    where = _beyond(result, 'nearly_empty', MAX_NEARLY_EMPTY)
    if where is not None or (median is not None and median < low):
        yield (
            f'{_percent(result["nearly_empty"])} of {result["judged"]} masks fill less '
            f'than {_percent(NEARLY_EMPTY)} of {box} or have at most {SPECK} pixels'
            f'{where or ""}; {middle}. Only thin objects along the diagonal fill so '
            f'little. Look at some before training on them; {_ADVICE}.'
        )
    where = _beyond(result, 'empty', MAX_EMPTY)
    if where is not None:
        yield (
            f'{_percent(result["empty"])} of {result["masks"]} predicted masks are '
            f'empty{where}; the file has the filled box in their place. {_ADVICE}.'
        )
    without = result.get('images_without')
    if without is not None and without > MAX_WITHOUT:
        yield (
            f'{_percent(without)} of the images have no pseudo label at all, because '
            f'the labeler found nothing. Look at its class maps and scores; {_ADVICE}.'
        )


def _beyond(result: Mapping[str, Any], key: str, limit: float) -> str | None:
    """Name the classes beyond a limit; None if neither they nor the whole are."""
    number = 'masks' if key == 'empty' else 'judged'
    rows = [
        row
        for row in result['per_class']
        if row[number] >= MIN_OF_CLASS and row[key] > limit
    ]
    rows.sort(key=lambda row: -row[key])
    if not rows or len(rows) == len(result['per_class']):
        return '' if (result[key] or 0) > limit else None
    shown = [f'{row["name"]} {_percent(row[key])}' for row in rows[:_CLASSES_SHOWN]]
    if len(rows) > len(shown):
        shown.append(f'{len(rows) - len(shown)} more classes')
    return f' ({", ".join(shown)})'


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{100 * share:.0f} %'


def dominant_value(values: np.ndarray, open_value: int | None = None) -> list | None:
    """The value that most decided pixels of a map have.

    Args:
        values: ``(H, W)`` integers from 0.
        open_value: Value of pixels that are not decided. Defaults to None.

    Returns:
        ``[value, share of the decided pixels]``; None if no pixel is decided.
    """
    counts = np.bincount(values.ravel())
    if open_value is not None:
        counts[open_value : open_value + 1] = 0
    if not counts.any():
        return None
    value = int(counts.argmax())
    return [value, _rounded(counts[value] / counts.sum())]


def map_collapse(
    dominant: Iterable[Sequence[float] | None], classes: Sequence[str]
) -> dict[str, Any]:
    """How many maps are of one class, or background, everywhere.

    Args:
        dominant: Of :func:`dominant_value`, one entry per map.
        classes: Name of every value.

    Returns:
        JSON-serialisable: ``maps``, ``flat`` (share of the maps of which more than 99 %
        have one value), ``undecided`` (share of the maps without a decided pixel),
        ``values`` (how many flat maps have which class, by name) and ``warnings``.
    """
    dominant = list(dominant)
    decided = [entry for entry in dominant if entry is not None]
    flat = [int(value) for value, share in decided if share > FLAT]
    shares = dict(
        flat=_share(np.array([share > FLAT for _, share in decided])),
        undecided=_share(np.array([entry is None for entry in dominant])),
    )
    values = {classes[key]: flat.count(key) for key in sorted(set(flat))}
    result = dict(maps=len(dominant), **shares, values=values)
    return dict(result, warnings=list(_map_warnings(result)))


def _map_warnings(result: Mapping[str, Any]) -> Iterable[str]:
    if (result['flat'] or 0) > MAX_FLAT:
        most = sorted(result['values'].items(), key=lambda item: -item[1])
        named = ', '.join(f'{name} {count}' for name, count in most[:_CLASSES_SHOWN])
        yield (
            f'{_percent(result["flat"])} of {result["maps"]} maps are of one class on '
            f'more than {_percent(FLAT)} of their labelled pixels ({named}). Look at '
            f'some before training on them; {_ADVICE}.'
        )
    if (result['undecided'] or 0) > MAX_FLAT:
        yield (
            f'{_percent(result["undecided"])} of {result["maps"]} maps decide no '
            f'pixel. Look at some before training on them; {_ADVICE}.'
        )


def dominant_class(labels: np.ndarray, maps: Iterable[np.ndarray]) -> list | None:
    """What most pixels of an image are, by its class maps.

    A pixel is of its strongest class if that exceeds IRNet's threshold of 0.15.

    Args:
        labels: ``(K,)`` classes that have a map.
        maps: ``(K, ...)`` each; the one with the most values is judged.

    Returns:
        ``[value, share]``, where 0 is the background and ``k + 1`` class ``k``; None
        without a class.
    """
    if not len(labels):
        return None
    largest = max(maps, key=np.size).reshape(len(labels), -1)
    strongest = np.where(
        largest.max(axis=0) > CLASS_MAP_THRESHOLD, labels[largest.argmax(axis=0)] + 1, 0
    )
    return dominant_value(strongest)


def index_collapse(
    entries: Iterable[Mapping[str, Any]], classes: Sequence[str]
) -> dict[str, Any]:
    """How many maps of a folder are of one class, or background, everywhere.

    Args:
        entries: ``images`` of its index; ``labels``, if there, are the classes that
            have a map.
        classes: Name of every value.

    Returns:
        As :func:`map_collapse`; images without a class do not count.
    """
    found = (entry.get('dominant') for entry in entries if entry.get('labels', True))
    return map_collapse(found, classes)


def log_collapse(path: Path, collapse: Mapping[str, Any]) -> None:
    """Log the warnings about labels, one line each.

    Args:
        path: File or folder of the labels.
        collapse: Of :func:`mask_collapse` or :func:`map_collapse`.
    """
    for warning in collapse['warnings']:
        print_log(f'{path}: {warning}', logger='current', level=logging.WARNING)
