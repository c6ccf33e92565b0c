"""Quality of pseudo labels that are maps: semantic PNGs or COCO panoptic files."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.map_index import INDEX_NAME, MapIndex
from mmwsis.formats.panoptic_files import PanopticFile, is_panoptic_file
from mmwsis.formats.segment_maps import renumber
from mmwsis.formats.semantic_maps import IGNORE_INDEX
from mmwsis.utils.config_files import read_config
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table

from .collapse_report import collapse_of_maps, collapse_section
from .compare_files import check_same_classes
from .instance_ap import mean_over_classes
from .map_folder_report import map_folder_report, semantic_figures
from .metric_tables import percent, plain_number
from .panoptic_quality import category_quality, panoptic_counts, quality_figures
from .semantic_iou import (
    SemanticQuality,
    confusion_counts,
    folder_confusion,
    semantic_quality,
)


def semantic_report(
    pred_dir: str | os.PathLike,
    gt_dir: str | os.PathLike,
    classes: Sequence[str],
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Mean IoU of a folder of semantic label maps.

    Args:
        pred_dir: Folder of PNGs, 255 where the class is left open.
        gt_dir: Ground truth with the same file names, 255 ignored.
        classes: Names of the values 0, 1, ... in the maps, background included.
        names: Files to compare. Defaults to every PNG of ``pred_dir``.

    Returns:
        JSON-serialisable: ``mIoU``, ``mIoU_decided`` (pixels that are left open do not
        count), ``aAcc``, ``decided`` (share of pixels with a label), all 0 to 1,
        ``images``, ``images_left_out`` (maps of the ground truth without one of the
        labels) and ``per_class``.

    Raises:
        FileNotFoundError: A folder or a map is missing.
        ValueError: A map cannot be read or has wrong values; the message names it.
    """
    counts, images = folder_confusion(pred_dir, gt_dir, len(classes), names)
    found = Path(gt_dir).glob('*.png') if names is None else Path(gt_dir).rglob('*.png')
    left_out = len(list(found)) - images
    return dict(
        kind='semantic',
        pseudo_labels=str(pred_dir),
        ground_truth=str(gt_dir),
        images=images,
        images_left_out=left_out,
        **semantic_figures(semantic_quality(counts), classes),
    )


def panoptic_report(pred: PanopticFile, gt: PanopticFile) -> dict[str, Any]:
    """Panoptic quality and mean IoU of one COCO panoptic file against another.

    Only images in both files count, and how many the ground truth has besides is told.
    Regions of things that are not told apart (crowds) have a class, which counts in the
    mean IoU.

    Args:
        pred: The pseudo labels.
        gt: The ground truth.

    Returns:
        JSON-serialisable: the figures of ``mmwsis.PanopticQualityMetric``; those of
        :func:`semantic_report`, and ``mIoU_th`` and ``mIoU_st`` of things and stuff;
        ``ignored``, the share of all pixels that the pseudo labels leave open; all 0 to
        1; ``images``, ``images_left_out`` (of the ground truth) and ``per_class``.

    Raises:
        ValueError: The files have other categories, no image in common or no segment in
            those, or a map does not fit its JSON; the message names file and image.
    """
    names = [{k: c['name'] for k, c in one.categories.items()} for one in (pred, gt)]
    check_same_classes(*names, pred.ann_file, gt.ann_file)
    wanted = set(pred.image_ids)
    shared = [key for key in gt.image_ids if key in wanted]
    if not shared:
        raise ValueError(f'{pred.ann_file} and {gt.ann_file} share no image id.')
    labels = {key: label for label, key in enumerate(gt.categories)}
    total, pixels, sizes = np.zeros((len(labels), 4)), 0, []
    for image_id in shared:
        where = (
            f'{pred.ann_file}: image id {image_id!r} ({pred.map_path(image_id).name})'
        )
        truth = gt.read_truth(image_id)
        found = pred.segment_map(image_id), pred.segments(image_id)
        total += panoptic_counts(
            truth[0], found[0], truth[1], found[1], list(labels), where
        )
        maps = [_semantic(*one, labels) for one in (truth, found)]
        pixels = pixels + confusion_counts(*maps, len(labels), where)
        sizes.append((np.sum(maps[1] == IGNORE_INDEX), maps[1].size))
    if not total.any():
        raise ValueError(
            f'{pred.ann_file} and {gt.ann_file} have no segment in any of the '
            f'{len(shared)} images that they share: there is nothing to compare.'
        )
    figures = quality_figures(total, gt.is_thing)
    semantic = semantic_quality(pixels)
    ignored, size = np.sum(sizes, axis=0)
    return dict(
        kind='panoptic',
        pseudo_labels=pred.ann_file,
        ground_truth=gt.ann_file,
        images=len(shared),
        images_left_out=len(gt.image_ids) - len(shared),
        **{name: plain_number(value) for name, value in figures.items()},
        **_semantic_means(semantic, gt.is_thing),
        ignored=float(ignored / size),
        per_class=[
            dict(
                name=entry['name'],
                **dict(zip(('PQ', 'SQ', 'RQ', 'IoU'), map(plain_number, (*row, iou)))),
            )
            for entry, row, iou in zip(
                gt.categories.values(), category_quality(total), semantic.iou
            )
            if not (math.isnan(row[0]) and math.isnan(iou))
        ],
    )


def _semantic(
    ids: np.ndarray, segments: Sequence[Mapping[str, Any]], labels: Mapping[int, int]
) -> np.ndarray:
    """Labels of the pixels of a panoptic map."""
    return renumber(
        ids, {one['id']: labels[one['category_id']] for one in segments}, IGNORE_INDEX
    )


def _semantic_means(
    quality: SemanticQuality, is_thing: Sequence[bool]
) -> dict[str, float | None]:
    things = np.asarray(is_thing, dtype=bool)
    figures = dict(
        mIoU=quality.miou,
        mIoU_th=mean_over_classes(quality.iou[things]),
        mIoU_st=mean_over_classes(quality.iou[~things]),
        mIoU_decided=quality.miou_decided,
        aAcc=quality.accuracy,
        decided=quality.decided,
    )
    return {name: plain_number(value) for name, value in figures.items()}


def write_map_report(
    summary: Mapping[str, Any], out_dir: str | os.PathLike
) -> dict[str, Any]:
    """Write ``quality.json`` and ``quality.md``.

    Args:
        summary: Of a report of maps.
        out_dir: Folder; made if absent.

    Returns:
        The summary.
    """
    out_dir = Path(out_dir)
    atomic_write_text(out_dir / 'quality.md', map_report_markdown(summary))
    atomic_write_json(out_dir / 'quality.json', dict(summary), indent=1)
    return dict(summary)


def map_report_markdown(summary: Mapping[str, Any]) -> str:
    """The report for people.

    Args:
        summary: Of a report of maps.

    Returns:
        Markdown; percentages.
    """
    figures = {
        key: value
        for key, value in summary.items()
        if key not in ('images', 'images_left_out')
        and (value is None or isinstance(value, float))
    }
    names = [key for key in summary['per_class'][0] if key != 'name']
    total = [percent(value) for value in figures.values()]
    rows = [
        [row['name'], *(percent(row[name]) for name in names)]
        for row in summary['per_class']
    ]
    blocks = [
        f'# Quality of {summary["pseudo_labels"]}',
        f'Compared with {summary["ground_truth"]} on {summary["images"]} images'
        f'{_left_out(summary)}.',
        markdown_table(list(figures), [total], text_columns=0),
        '## Classes',
        markdown_table(['class', *names], rows, text_columns=1),
    ]
    if summary.get('collapse'):
        blocks.append(collapse_section(summary['collapse']))
    return '\n\n'.join(blocks) + '\n'


def _left_out(summary: Mapping[str, Any]) -> str:
    count = summary['images_left_out']
    return (
        f' ({count} images of the ground truth have no pseudo labels)' if count else ''
    )


def _write(summary: dict[str, Any], files: Sequence[Any], out_dir: Any) -> dict:
    """Write a report, with what shows without ground truth."""
    collapse = collapse_of_maps(*files)
    return write_map_report(dict(summary, collapse=collapse), out_dir)


def report_of_maps(
    pseudo: str | os.PathLike,
    gt: str | os.PathLike,
    out_dir: str | os.PathLike,
    *,
    classes: Sequence[str] | None = None,
    background: bool = False,
    pseudo_seg_dir: str | os.PathLike | None = None,
    gt_seg_dir: str | os.PathLike | None = None,
) -> dict[str, Any] | None:
    """Write the report of pseudo labels that are maps; leave instances alone.

    Args:
        pseudo: Folder of semantic PNGs or of class maps, or COCO panoptic JSON.
        gt: Ground truth of the same kind; for a folder that label generation wrote
            also COCO JSON with masks.
        out_dir: Folder of the report.
        classes: For semantic maps: names, or one config file that defines
            ``metainfo`` or ``data_spec``.
        background: Value 0 is background and the first class has the value 1.
        pseudo_seg_dir: PNGs of ``pseudo``, if it is a JSON; by default the folder of
            its name without ``.json``.
        gt_seg_dir: The same for ``gt``.

    Returns:
        Content of ``quality.json``, or ``None`` if ``pseudo`` is neither.

    Raises:
        FileNotFoundError: A file or folder is missing.
        ValueError: The two are of different kinds, or do not fit each other.
    """
    if Path(pseudo).is_dir():
        if not Path(gt).is_dir():
            if not Path(pseudo, INDEX_NAME).is_file():
                raise ValueError(
                    f'{pseudo} is a folder of label maps, {gt} is none; give the '
                    "folder of the ground truth's maps."
                )
            report = map_folder_report(pseudo, gt, gt_seg_dir=gt_seg_dir)
            return _write(report, [pseudo], out_dir)
        return _write(
            _folder_report(pseudo, gt, classes, background), [pseudo], out_dir
        )
    if not is_panoptic_file(pseudo):
        return None
    files = [
        PanopticFile(path, folder or Path(path).with_suffix(''))
        for path, folder in ((pseudo, pseudo_seg_dir), (gt, gt_seg_dir))
    ]
    return _write(panoptic_report(*files), [pseudo, pseudo_seg_dir], out_dir)


def _folder_report(
    pseudo: str | os.PathLike,
    gt: str | os.PathLike,
    classes: Sequence[str] | None,
    background: bool,
) -> dict[str, Any]:
    """Report of two folders; an index says which classes and files there are."""
    folders = [Path(pseudo), Path(gt)]
    indices = [
        MapIndex(one, 'semantic_maps')
        for one in folders
        if (one / INDEX_NAME).is_file()
    ]
    if classes or not indices:
        names = semantic_class_names(classes, background)
        return semantic_report(pseudo, gt, names)
    tables = {index.classes for index in indices}
    if len(tables) > 1:
        raise ValueError(
            f'{pseudo} holds maps of {indices[0].classes}, {gt} of '
            f'{indices[1].classes}; import one of them with the names and the order of '
            'the other.'
        )
    files = [
        {index.entry(image_id)['file'] for image_id in index.image_ids}
        for index in indices
    ]
    shared = sorted(set.intersection(*files))
    if not shared:
        raise ValueError(f'{pseudo} and {gt} have no map of the same name.')
    return semantic_report(pseudo, gt, tables.pop(), shared)


def semantic_class_names(
    classes: Sequence[str] | None, background: bool = False
) -> list[str]:
    """Names of the values of semantic maps.

    Args:
        classes: Names, or one config file that defines ``metainfo`` or ``data_spec``.
        background: Value 0 is background and the first class has the value 1.

    Raises:
        ValueError: There are no names.
    """
    if classes and len(classes) == 1 and Path(classes[0]).suffix in ('.py', '.json'):
        cfg = read_config(classes[0])
        given = cfg.get('metainfo') or cfg.get('data_spec') or {}
        classes = given.get('classes')
    if not classes:
        raise ValueError(
            'semantic maps need the names of their values: give --classes with the '
            'names, or with a config that defines metainfo or data_spec with classes.'
        )
    return [*(['background'] if background else []), *classes]
