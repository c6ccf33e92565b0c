"""Quality of folders of maps that label generation wrote, against a COCO JSON."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.categories import alike_hint, name_list
from mmwsis.formats.class_maps import ClassMapStore
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.panoptic_files import PanopticFile, is_panoptic_file
from mmwsis.formats.segment_maps import renumber
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
    folder: str | os.PathLike,
    gt: str | os.PathLike,
    map_name: str = 'high_res',
    gt_seg_dir: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Mean IoU of class maps or semantic maps, background included.

    Class maps are judged at every threshold; IRNet's is 0.15. Only images in both
    count, so ground truth of some images is enough.

    Args:
        folder: Finished folder of ``tools/generate_pseudo_labels.py``.
        gt: COCO JSON with ``segmentation``; for semantic maps also a panoptic one.
        map_name: Class map of image size.
        gt_seg_dir: PNGs of a panoptic ``gt``. Defaults to the folder of its name
            without ``.json``.

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
    if index.kind == 'semantic_maps' and is_panoptic_file(gt):
        file = PanopticFile(gt, gt_seg_dir or Path(gt).with_suffix(''))
        return _report(index, file.image_ids, gt, partial(_panoptic_figures, file))
    named = index.classes[1:] if index.classes[:1] == (BACKGROUND,) else index.classes
    if index.kind != 'class_maps' and len(named) == len(index.classes):
        raise ValueError(
            f'{folder} holds semantic maps without a background, which the instances '
            f'of {gt} cannot judge; give a folder of semantic maps, or a panoptic '
            'file, as ground truth.'
        )
    truth = InstanceGroundTruth(str(gt), named)
    if index.kind == 'class_maps':
        figures = partial(_class_maps, truth, map_name)
    else:
        figures = partial(_semantic_maps, partial(_painted_truth, truth))
    return _report(index, truth.image_ids, gt, figures)


def _report(
    index: MapIndex,
    known: Iterable[Any],
    gt: str | os.PathLike,
    figures: Callable[[MapIndex, list[Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Figures of the images that labels and ground truth share."""
    known = set(known)
    shared = [image_id for image_id in index.image_ids if image_id in known]
    if not shared:
        raise ValueError(f'{index.folder} and {gt} share no image id.')
    return dict(
        kind=index.kind,
        pseudo_labels=str(index.folder),
        ground_truth=str(gt),
        images=len(shared),
        images_left_out=len(known) - len(shared),
        **figures(index, shared),
    )


def _truth_map(truth: InstanceGroundTruth, image_id: Any) -> np.ndarray:
    return semantic_truth(truth.objects(image_id), truth.image_size(image_id))


def _painted_truth(truth: InstanceGroundTruth, image_id: Any) -> np.ndarray:
    """Map of the instances' classes, the background 0 and void 255."""
    expected = _truth_map(truth, image_id)
    expected[expected == VOID] = IGNORE_INDEX
    return expected


def _panoptic_figures(
    truth: PanopticFile, index: MapIndex, image_ids: list[Any]
) -> dict[str, Any]:
    """Against the classes of panoptic segments; what is no segment is not judged."""
    categories = truth.categories
    names = {key: category['name'] for key, category in categories.items()}
    unknown = [name for name in names.values() if name not in index.classes]
    if unknown:
        raise ValueError(
            f'{truth.ann_file} has the categories {name_list(unknown)}, which '
            f'{index.folder} has no value for; it holds {name_list(index.classes)}.'
            f'{alike_hint(unknown, index.classes)}'
        )
    values = {key: index.classes.index(name) for key, name in names.items()}

    def expected(image_id: Any) -> np.ndarray:
        ids, segments = truth.read_truth(image_id)
        labels = {one['id']: values[one['category_id']] for one in segments}
        return renumber(ids, labels, IGNORE_INDEX)

    return _semantic_maps(expected, index, image_ids)


def _class_maps(
    truth: InstanceGroundTruth, map_name: str, index: MapIndex, image_ids: list[Any]
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
    truth: Callable[[Any], np.ndarray], index: MapIndex, image_ids: list[Any]
) -> dict[str, Any]:
    counts = 0
    for image_id in image_ids:
        path = index.path(image_id)
        values = read_semantic_map(path)
        classes = len(index.classes)
        counts += confusion_counts(truth(image_id), values, classes, str(path))
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
