"""How good instances are that were found: nobody says which object each stands for.

An object gets the mask of its class that overlaps it most; the masks as a whole are
ranked by score, as COCO does with the predictions of a detector.
"""

import contextlib
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

AP_THRESHOLDS = (0.25, 0.5, 0.75)
# Labels are not detections: every one of an image counts.
_ALL = 10**6


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
    artefact = (pseudo.get('info') or {}).get('mmwsis', {}).get('artefact') or {}
    return artefact.get('type') == 'instances'


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


def average_precision(
    pseudo: Sequence[Mapping[str, Any]],
    gt: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    names: Mapping[Any, str],
    rle_of: Any,
    thresholds: Sequence[float] = AP_THRESHOLDS,
) -> dict[str, dict[str, Any]]:
    """COCO's average precision of pseudo labels, taken as predictions.

    101-point interpolation, masks of all sizes, every mask of an image; crowds are
    ignored as in COCO. A label without ``score`` counts as sure.

    Args:
        pseudo: Pseudo annotations.
        gt: Ground-truth annotations.
        images: Their images.
        names: Category id -> class name.
        rle_of: Gives the compressed RLE of an annotation.
        thresholds: IoU from which a mask counts as right.

    Returns:
        ``'25'``, ``'50'`` ... -> ``all`` (mean over classes with objects) and
        ``classes`` (category id as text -> value, None without objects).
    """
    categories = [dict(id=key, name=name) for key, name in names.items()]

    def dataset(annotations: Sequence[Mapping[str, Any]]) -> COCO:
        # Ids from 1: COCOeval takes 0 for "no match".
        rows = [
            dict(
                id=number,
                image_id=annotation['image_id'],
                category_id=annotation['category_id'],
                iscrowd=int(bool(annotation.get('iscrowd'))),
                segmentation=rle_of(annotation),
                score=float(annotation.get('score', 1.0)),
            )
            for number, annotation in enumerate(annotations, 1)
        ]
        for row in rows:
            row['area'] = float(coco_mask.area(row['segmentation']))
        coco = COCO()
        coco.dataset = dict(images=images, categories=categories, annotations=rows)
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(dataset(gt), dataset(pseudo), 'segm')
        evaluation.params.iouThrs = np.array(thresholds)
        evaluation.params.areaRng = [[0, 1e10]]
        evaluation.params.areaRngLbl = ['all']
        evaluation.params.maxDets = [_ALL]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][..., 0, 0]  # threshold, recall, class
    by_class = precision.mean(axis=1)
    result = {}
    for threshold, values in zip(thresholds, by_class):
        keys = evaluation.params.catIds
        classes = {
            str(key): None if value < 0 else float(value)
            for key, value in zip(keys, values)
        }
        counted = [value for value in classes.values() if value is not None]
        mean = float(np.mean(counted)) if counted else None
        result[str(round(100 * threshold))] = dict(all=mean, classes=classes)
    return result
