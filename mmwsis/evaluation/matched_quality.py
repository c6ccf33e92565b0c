"""How good instances are that were found: nobody says which object each stands for.

An object gets the mask of its class that overlaps it most. How good the masks are as a
whole says :mod:`mmwsis.evaluation.pseudo_label_ap`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mmwsis.formats.provenance import are_found_instances


def matched_by_overlap(pseudo: Mapping[str, Any]) -> bool:
    """Whether labels are compared with the objects that they overlap most.

    Args:
        pseudo: COCO JSON of pseudo labels. Its ``info.mmwsis`` says what it holds;
            files of other origin are taken to keep the ids of the ground truth. What
            was found in images has an average precision even where it keeps the ids of
            points.
    """
    return are_found_instances(pseudo)


def best_matches(
    pseudo: Iterable[Mapping[str, Any]], gt: Iterable[Mapping[str, Any]], rle_of: Any
) -> dict[Any, Any]:
    """Find the best pseudo label of every object; several objects may share one.

    Args:
        pseudo: Pseudo annotations.
        gt: Ground-truth annotations.
        rle_of: Gives the compressed RLE of an annotation.

    Returns:
        Ground-truth id -> id of its best match of the same image and class; None where
        none overlaps it.
    """
    groups: dict[tuple, tuple[list, list]] = defaultdict(lambda: ([], []))
    for column, annotations in enumerate((pseudo, gt)):
        for annotation in annotations:
            place = annotation['image_id'], annotation['category_id']
            groups[place][column].append(annotation)
    found = {}
    for labels, objects in groups.values():
        if not objects:
            continue
        if not labels:
            found.update(dict.fromkeys(item['id'] for item in objects))
            continue
        ious = coco_mask.iou(
            [rle_of(label) for label in labels],
            [rle_of(item) for item in objects],
            [0] * len(objects),
        )
        best = np.argmax(ious, axis=0)
        for column, (item, row) in enumerate(zip(objects, best)):
            found[item['id']] = labels[row]['id'] if ious[row, column] else None
    return found
