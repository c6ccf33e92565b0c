"""Quality of folders of maps that label generation wrote, against a COCO JSON."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.semantic_maps import BACKGROUND, IGNORE_INDEX, read_semantic_map

from .class_map_quality import (
    THRESHOLDS,
    best_threshold,
    class_map_quality,
    count_pixels,
)
from .instance_ground_truth import InstanceGroundTruth
from .metric_tables import plain_number
from .semantic_ground_truth import VOID, semantic_truth
from .semantic_iou import SemanticQuality, confusion_counts, semantic_quality


def map_folder_report(
    folder: str | os.PathLike, gt: str | os.PathLike, map_name: str = 'high_res'
) -> dict[str, Any]:
    """Mean IoU of class maps or semantic maps, background included.

    Class maps are judged at every threshold; IRNet's is 0.15. Only images in both
    count, so ground truth of some images is enough.

    Args:
        folder: Finished folder of ``tools/generate_pseudo_labels.py``.
        gt: COCO JSON with ``segmentation``.
        map_name: Class map of image size.

    Returns:
        JSON-serialisable: ``kind``, ``images``, ``images_left_out``, ``per_class``
        and, all 0 to 1, for class maps ``mIoU`` (at 0.15), ``mIoU_best``,
        ``best_threshold`` and ``per_threshold``, for semantic maps the figures of
        :func:`mmwsis.evaluation.label_map_report.semantic_report`.

    Raises:
        FileNotFoundError: A file is missing, or the folder is not finished.
        ValueError: The two do not fit each other; the message names file and image.
    """
    index = MapIndex(folder)
    named = index.classes[1:] if index.classes[:1] == (BACKGROUND,) else index.classes
    if index.kind != 'class_maps' and len(named) == len(index.classes):
        raise ValueError(
            f'{folder} holds semantic maps without a background, which the instances '
            f'of {gt} cannot judge; give a folder of semantic maps as ground truth.'
        )
    truth = InstanceGroundTruth(str(gt), named)
    known = set(truth.image_ids)
    shared = [image_id for image_id in index.image_ids if image_id in known]
    if not shared:
        raise ValueError(f'{folder} and {gt} share no image id.')
    report = _class_maps if index.kind == 'class_maps' else _semantic_maps
    return dict(
        kind=index.kind,
        pseudo_labels=str(folder),
        ground_truth=str(gt),
        images=len(shared),
        images_left_out=len(known) - len(shared),
        **report(index, truth, shared, map_name),
    )


def _truth_map(truth: InstanceGroundTruth, image_id: Any) -> np.ndarray:
    return semantic_truth(truth.objects(image_id), truth.image_size(image_id))


def _class_maps(
    index: MapIndex, truth: InstanceGroundTruth, image_ids: list, map_name: str
) -> dict[str, Any]:
    store, counts = ClassMapStore(index.folder), []
    for image_id in image_ids:
        found = store.read(image_id, [map_name], truth.image_size(image_id))
        counts.append(
            count_pixels(
                found.maps[map_name].astype(np.float32),
                found.labels,
                _truth_map(truth, image_id),
                len(store.classes),
                where=str(index.path(image_id)),
            )
        )
    figures = class_map_quality(counts, len(store.classes))
    at, best = THRESHOLDS.index(0.15), best_threshold(figures)
    names = (BACKGROUND, *store.classes)
    return dict(
        mIoU=plain_number(figures[at].miou),
        mIoU_best=plain_number(figures[best].miou),
        best_threshold=THRESHOLDS[best],
        per_threshold=[
            dict(threshold=threshold, mIoU=plain_number(one.miou))
            for threshold, one in zip(THRESHOLDS, figures)
        ],
        per_class=[
            dict(name=name, IoU=plain_number(value), IoU_best=plain_number(other))
            for name, value, other in zip(names, figures[at].iou, figures[best].iou)
        ],
    )


def _semantic_maps(
    index: MapIndex, truth: InstanceGroundTruth, image_ids: list, map_name: str
) -> dict[str, Any]:
    counts = 0
    for image_id in image_ids:
        path = index.path(image_id)
        expected = _truth_map(truth, image_id)
        expected[expected == VOID] = IGNORE_INDEX
        counts = counts + confusion_counts(
            expected, read_semantic_map(path), len(index.classes), str(path)
        )
    return semantic_figures(semantic_quality(counts), index.classes)


def semantic_figures(
    quality: SemanticQuality, classes: Sequence[str]
) -> dict[str, Any]:
    """Entries of a report on semantic maps.

    Args:
        quality: Of the dataset.
        classes: Names of the values in the maps.

    Returns:
        JSON-serialisable; see
        :func:`mmwsis.evaluation.label_map_report.semantic_report`.
    """
    return dict(
        mIoU=plain_number(quality.miou),
        mIoU_decided=plain_number(quality.miou_decided),
        aAcc=plain_number(quality.accuracy),
        decided=plain_number(quality.decided),
        per_class=[
            dict(name=name, IoU=plain_number(value))
            for name, value in zip(classes, quality.iou)
        ],
    )
