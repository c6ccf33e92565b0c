"""How good instances are that were found: nobody says which object each stands for.

An object gets the mask of its class that overlaps it most. How good the masks are as a
whole says :mod:`mmwsis.evaluation.pseudo_label_ap`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask


class BestMatch(NamedTuple):
    """The pseudo label of an object's class that overlaps it most.

    ``pseudo_id`` is None, and ``iou`` 0, where none overlaps it.
    """

    pseudo_id: Any
    iou: float


def matched_by_overlap(pseudo: Mapping[str, Any]) -> bool:
    """Whether the annotations of a file have ids of their own.

    Args:
        pseudo: COCO JSON of pseudo labels. Its ``info.mmwsis`` says what it holds;
            files of other origin are taken to keep the ids of the ground truth.
    """
    made_by = (pseudo.get('info') or {}).get('mmwsis', {})
    # Files of version 0.1 spell the key with an e.
    artifact = made_by.get('artifact') or made_by.get('artefact') or {}
    return artifact.get('type') == 'instances'


def best_matches(
    pseudo: Iterable[Mapping[str, Any]],
    gt: Iterable[Mapping[str, Any]],
    rle_of: Any,
) -> dict[Any, BestMatch]:
    """Find the best pseudo label of every object; several objects may share one.

    Args:
        pseudo: Pseudo annotations.
        gt: Ground-truth annotations.
        rle_of: Gives the compressed RLE of an annotation.

    Returns:
        Ground-truth id -> its best match of the same image and class.
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
            found.update({item['id']: BestMatch(None, 0.0) for item in objects})
            continue
        ious = coco_mask.iou(
            [rle_of(label) for label in labels],
            [rle_of(item) for item in objects],
            [0] * len(objects),
        )
        best = np.argmax(ious, axis=0)
        for column, (item, row) in enumerate(zip(objects, best)):
            iou = float(ious[row, column])
            found[item['id']] = BestMatch(labels[row]['id'] if iou else None, iou)
    return found
