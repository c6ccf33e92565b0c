"""What the datasets and metrics of a config need of a label file beyond its format."""

from pathlib import Path

import numpy as np

from mmwsis.formats.categories import name_list
from mmwsis.formats.validation import IssueLog, ValidationReport
from mmwsis.formats.validation.image_files import check_image_files
from mmwsis.structures.crop_limits import crop_limits
from mmwsis.structures.supervision import Supervision

from .preflight import DatasetClasses

# Of the images of a dataset before training: a second on a slow disk.
_IMAGES_OPENED = 200


def check_reading(report: ValidationReport, dataset: DatasetClasses) -> None:
    """Log what the dataset and the metric of a config need beyond the format.

    Args:
        report: Of the file; takes the issues.
        dataset: It reads the file.
    """
    log = report.log
    if dataset.by_name:
        log.discard(('area-missing',))  # Our datasets and metrics do without.
    elif 'LVIS' not in str(dataset.config.get('type')):
        _escalate(log, 'image-url-only', f'{dataset.where} is mmdet.CocoDataset')
    if _has_coco_metric(dataset):
        for rule in ('iscrowd-missing', 'annotation-id-text'):
            _escalate(log, rule, f'{dataset.where} is measured by mmdet.CocoMetric')
    reads_objects = report.level not in (None, Supervision.IMAGE_TAGS)
    # Where the labels are broken, that is the reason.
    if is_training(dataset) and reads_objects and not report.failed():
        _check_what_is_left(report, dataset)


def _escalate(log: IssueLog, rule: str, reason: str) -> None:
    """Make an error of what the format allows and a reader does not."""
    if log.counts[rule]:
        first = log.examples[rule][0]
        text = f'{reason}, which breaks {rule}: {first} ({log.counts[rule]} in all)'
        log.add('config-reader', f'{text}.')


def _check_what_is_left(report: ValidationReport, dataset: DatasetClasses) -> None:
    """MMDetection's datasets die of an empty list, and train on images of nothing."""
    filter_cfg = dataset.config.get('filter_cfg', {})
    smallest = (filter_cfg or {}).get('min_size', 0)
    sizes = np.asarray(report.images.sizes, dtype=float).reshape(-1, 2)
    wanted = [k for k, name in enumerate(report.categories) if name in dataset.names]
    found = np.isin(report.labels, wanted) & (report.rows >= 0)
    classes = name_list(dataset.names, 5)
    if not found.any():
        text = f'no annotation is of {classes}; the file has {_labelled(report)}.'
    elif report.level >= Supervision.BOXES and not (found & report.trainable).any():
        text = (
            f'all {found.sum()} annotations of {classes} are left out: crowds, boxes '
            'below one pixel or an area of 0.'
        )
    elif str(dataset.config.get('type', '')).endswith('ObjectCropDataset'):
        limits = crop_limits(filter_cfg)
        if (found & _are_cropped(report, limits)).any():
            return
        text = (
            f'none of the {found.sum()} annotations of {classes} has a size that '
            f'training keeps: {limits["min_area"]:g} < width * height < '
            f'{limits["max_area"]:g}, both sides > {limits["min_size"]:g} pixels '
            '(filter_cfg).'
        )
    elif not (sizes[report.rows[found]].min(axis=1) >= smallest).any():
        text = f'no labelled image has sides of {smallest} pixels (filter_cfg).'
    else:
        return
    report.log.add('config-nothing-left', text)


def _are_cropped(report: ValidationReport, limits: dict[str, float]) -> np.ndarray:
    areas, sides = report.extents.prod(axis=1), report.extents.min(axis=1)
    inside = (limits['min_area'] < areas) & (areas < limits['max_area'])
    return report.trainable & inside & (sides > limits['min_size'])


def _labelled(report: ValidationReport) -> str:
    used = np.unique(report.labels[report.labels >= 0])
    return name_list([report.categories[k] for k in used], 5) or 'none at all'


def check_some_images(report: ValidationReport, dataset: DatasetClasses) -> None:
    """Log what is wrong with a sample of the image files, where they are local.

    Whether they are there at all is another check's.

    Args:
        report: Of the label file; takes the issues.
        dataset: It reads the file.
    """
    steps = dataset.config.get('pipeline') or []
    remote = any(isinstance(step, dict) and step.get('backend_args') for step in steps)
    if remote or not dataset.images.is_dir():
        return
    sample = report.images.sample(_IMAGES_OPENED)
    check_image_files(sample, dataset.images, report.log, decode=False)
    report.log.discard(('image-missing',))


def is_training(dataset: DatasetClasses) -> bool:
    """Whether a dataset filters its images, as for training.

    Args:
        dataset: Of a config.
    """
    return not (dataset.config or {}).get('test_mode')


def _has_coco_metric(dataset: DatasetClasses) -> bool:
    """Whether MMDetection's own metric reads the file, with pycocotools."""
    given = dataset.evaluator or []
    for metric in given if isinstance(given, (list, tuple)) else [given]:
        file, kind = metric.get('ann_file'), str(metric.get('type'))
        if kind.rpartition('.')[2] == 'CocoMetric' and file:
            return Path(file) == dataset.ann_file
    return False
