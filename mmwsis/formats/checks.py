"""The check of a COCO dictionary by whatever reads one; errors name file and ids.

The rules are those of :mod:`mmwsis.formats.validation`; here the first error ends the
reading, and labels are looked at only as far as the reader's level goes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmwsis.structures.extreme_points import box_of_extreme_points
from mmwsis.structures.supervision import Supervision, image_supervision

from .json_file import CHUNK, refuse_other_json
from .validation.annotations import AnnotationChecker
from .validation.columns import ImageTable, number_column
from .validation.header import check_categories, check_images, check_lists, check_tags
from .validation.issues import IssueLog

Annotation = dict[str, Any]


def check_document(
    coco: Any, source: str, lists: Sequence[str] = ('images', 'categories')
) -> None:
    """Refuse JSON that is no COCO instances file.

    Args:
        coco: Parsed JSON.
        source: Name of the file, for error messages.
        lists: Keys that must be there.

    Raises:
        ValueError: It is no object, or one of the lists is missing or no list.
    """
    refuse_other_json(coco, source)
    check_lists(coco, source, lists)
    if not isinstance(coco.get('annotations', []), list):
        raise ValueError(f'{source}: annotations must be a list.')


def check_coco(coco: Any, source: str, level: Supervision | None = None) -> None:
    """Refuse what no dataset can be read from.

    Args:
        coco: With a ``level``, the result of :func:`mmwsis.structures.restrict_coco`:
            points up to one pixel outside their image are moved onto its border, in
            place. Else a parsed JSON.
        source: Name of the file, for error messages.
        level: Supervision level of the dataset. None: what derives labels looks at
            images, categories, ids and references here, and at no label.

    Raises:
        ValueError: Names the file, the image id and the annotation id.
    """
    check_document(coco, source, ('images', 'categories', 'annotations'))
    log = IssueLog(max_examples=1)
    known = check_categories(coco['categories'], log)
    log.raise_first(source)
    images = ImageTable()
    check_images(
        coco['images'],
        images,
        log,
        level,
        Supervision.MASKS,
        own_levels=level is not None,
    )
    log.raise_first(source)
    checker = AnnotationChecker(
        images, log, masks=False, leaks=False, keys=None if level is not None else ()
    )
    annotations = coco['annotations']
    for start in range(0, len(annotations), CHUNK):
        checker.add(annotations[start : start + CHUNK])
    checker.finish(known)
    log.raise_first(source)
    # Last, because the tags of the guard hold the categories of the annotations.
    check_tags(images, known, log)
    log.raise_first(source)
    for key, shape in (('point', (2,)), ('extreme_points', (4, 2))):
        if log.counts['point-border' if key == 'point' else 'extreme-border']:
            _move_points(coco, key, shape, level)


def _move_points(
    coco: Mapping[str, Any], key: str, shape: tuple[int, ...], level: Supervision
) -> None:
    """Move points that are up to a pixel outside onto the border, in place."""
    images = {image['id']: image for image in coco['images']}
    annotations: Sequence[Annotation] = coco['annotations']
    owners = [images[annotation['image_id']] for annotation in annotations]
    sizes = np.array([(image['width'], image['height']) for image in owners], float)
    points = number_column(annotations, key, shape).values
    points = points.reshape(len(annotations), -1, 2)
    inside = np.clip(points, 0, sizes[:, None])
    for row in np.flatnonzero(
        (inside != points).any(axis=(1, 2)) & ~np.isnan(points[:, 0, 0])
    ):
        annotation = annotations[row]
        moved = inside[row].tolist()
        annotation[key] = moved if key == 'extreme_points' else moved[0]
        own = image_supervision(owners[row], level)
        if key == 'extreme_points' and own is Supervision.EXTREME_POINTS:
            box = box_of_extreme_points(moved)
            annotation.update(bbox=box, area=box[2] * box[3])
