"""What a report says of single classes and of the worst labels."""

import re
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from mmwsis.formats.coco_file import image_file_name, read_json

from .report_data import shown_figure, trained_on
from .stages import GenerateStage, ReportStage

if TYPE_CHECKING:
    from .report_page import Page
    from .runner import PipelineRunner

# Columns of per_class of quality.json, and how they are called here.
_LABEL_FIGURES = {
    'instances': 'objects',
    'objects': 'objects',
    'points': 'points',
    'iou': 'IoU of labels',
    'IoU': 'IoU of labels',
    'recall50': 'recall at IoU .5',
    'PQ': 'PQ of labels',
    'inside': 'points inside',
    'once': 'objects hit once',
}
_WORST = 20
# Metrics of one class in the output of evaluators with classwise=True, the most telling
# first; the first group is the class.
_CLASS_METRICS = (
    ('mask AP', re.compile(r'coco/(.+)_precision')),
    ('VOC AP50', re.compile(r'voc/AP50_(.+)')),
    ('PQ', re.compile(r'panoptic/PQ_(?!(?:th|st)$)(.+)')),
)


def gather_classes(
    runner: 'PipelineRunner', stage: ReportStage
) -> dict[str, Any] | None:
    """Collect the figures of every class.

    Args:
        runner: The runner, as far as it has got.
        stage: The report stage.

    Returns:
        ``columns``, their names, and ``rows``: dicts of ``name``, the class, and
        ``values``, one a column: a share of one, a number of objects, or None where
        nothing is known. None where no stage has figures of classes.
    """
    found = _of_labels(_quality(runner, stage))
    by_name = {entry.name: entry for entry in runner.pipeline.stages}
    weak = trained_on(runner, by_name[stage.weak]) if stage.weak else ''
    for masks, tests in (
        (weak, [stage.weak]),
        ('full masks', [stage.full, *stage.full_runs]),
    ):
        runs = [_metrics(runner, name) for name in tests if name]
        metric, values = _of_tests([metrics for metrics in runs if metrics])
        if values:
            found[f'{metric}, trained on {masks}'] = values
    names = list(dict.fromkeys(name for values in found.values() for name in values))
    if not names:
        return None
    rows = [
        dict(name=name, values=[values.get(name) for values in found.values()])
        for name in names
    ]
    return dict(columns=list(found), rows=rows)


def class_metrics(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Pick the figures of single classes out of an evaluator's output.

    Args:
        metrics: Such as ``{'coco/segm_mAP': 0.31, 'coco/cat_precision': 0.4}``.

    Returns:
        Metric -> class -> value.
    """
    found: dict[str, dict[str, float]] = {}
    # Without masks, AP of a class is that of its boxes.
    boxes = not any('segm_' in key for key in metrics)
    for title, pattern in _CLASS_METRICS:
        if title == 'mask AP' and boxes:
            title = 'box AP'
        for key, value in metrics.items():
            match = pattern.fullmatch(key)
            if match and isinstance(value, (int, float)):
                found.setdefault(title, {})[match[1]] = float(value)
    return found


def gather_worst(runner: 'PipelineRunner', stage: ReportStage) -> list[dict[str, Any]]:
    """Collect the worst pseudo labels: by ground truth, else the least trusted ones.

    Args:
        runner: The runner, as far as it has got.
        stage: The report stage.

    Returns:
        Entries of ``worst`` of the report's ``quality.json``, and ``class``. Without a
        quality stage ``confidence``, 0 to 1, and the signal that is ``weakest`` stand
        in place of the IoU. None of artifacts that are no masks of objects.
    """
    if not stage.quality:
        return _least_trusted(runner)
    quality = _quality(runner, stage)
    names = {one.get('id'): one['name'] for one in quality.get('per_class', [])}
    return [
        {'class': names.get(one['category_id'], one['category_id']), **one}
        for one in quality.get('worst', [])
    ]


def _least_trusted(runner: 'PipelineRunner') -> list[dict[str, Any]]:
    """First entries of the review list of the last pseudo labels that are masks."""
    # Here, because it brings MMDetection with it.
    from mmwsis.evaluation.review_list import review_labels

    made = [
        runner.root / one.out
        for one in runner.pipeline.stages
        if isinstance(one, GenerateStage)
        and runner.factory.artifact_of(one) in ('object_masks', 'instances')
        and (runner.root / one.out).is_file()
    ]
    try:
        labels = review_labels(made[-1], crf=False).labels if made else []
    except ValueError:  # there is no label
        return []
    return [
        {
            'class': row.class_name,
            'ann_id': row.annotation['id'],
            'image_id': row.image['id'],
            'file_name': image_file_name(row.image),
            'confidence': row.confidence,
            'weakest': row.weakest,
        }
        for row in labels[:_WORST]
    ]


def add_classes(page: 'Page', classes: dict[str, Any] | None) -> None:
    """Add the table of classes to a page.

    Args:
        page: The page.
        classes: Of :func:`gather_classes`; nothing is added without any.
    """
    if classes is None:
        return
    columns = classes['columns']
    rows = [
        [row['name'], *map(_shown, columns, row['values'])] for row in classes['rows']
    ]
    page.heading('Classes')
    page.table(['class', *columns], rows, text_columns=1)


def worst_rows(worst: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """Write the worst labels for people.

    Args:
        worst: Of :func:`gather_worst`.

    Returns:
        Titles of the columns, and the rows.
    """
    if worst and 'confidence' in worst[0]:
        header = [
            'class',
            'confidence',
            'annotation',
            'image',
            'what speaks against it',
        ]
        rows = [
            [
                *(one['class'], f'{one["confidence"]:.2f}', one['ann_id']),
                *(one['file_name'], one['weakest'].replace('_', ' ')),
            ]
            for one in worst
        ]
        return header, rows
    rows = []
    for one in worst:
        states = [name for name in ('missing', 'empty', 'separated') if one.get(name)]
        image = one.get('file_name', one['image_id'])
        figures = (shown_figure('IoU', one[key]) for key in ('iou', 'box_iou'))
        rows.append([one['class'], *figures, one['ann_id'], image, ', '.join(states)])
    header = ['class', 'IoU', 'IoU of the filled box', 'annotation', 'image', 'note']
    return header, rows


def _quality(runner: 'PipelineRunner', stage: ReportStage) -> dict[str, Any]:
    if not stage.quality:
        return {}
    folder = runner.root / runner.factory.quality_dir(stage.quality)
    file = folder / 'quality.json'
    return read_json(str(file)) if file.is_file() else {}


def _metrics(runner: 'PipelineRunner', test: str) -> dict[str, Any]:
    file = runner.root / runner.factory.metrics_file(test)
    return read_json(str(file)) if file.is_file() else {}


def _of_labels(quality: dict[str, Any]) -> dict[str, dict[str, float | int]]:
    """Column -> class -> value."""
    found: dict[str, dict[str, float | int]] = {}
    for row in quality.get('per_class', []):
        for key, title in _LABEL_FIGURES.items():
            if isinstance(row.get(key), (int, float)):
                found.setdefault(title, {})[row['name']] = row[key]
    return found


def _of_tests(runs: Sequence[dict[str, Any]]) -> tuple[str, dict[str, float]]:
    """The most telling metric, and its mean over the runs for each class."""
    picked = [class_metrics(metrics) for metrics in runs]
    for metric in picked[0] if picked else ():
        if all(metric in one for one in picked):
            values = [one[metric] for one in picked]
            names = [name for name in values[0] if all(name in one for one in values)]
            return metric, {name: mean(one[name] for one in values) for name in names}
    return '', {}


def _shown(column: str, value: float | int | None) -> str:
    if value is None:
        return '–'
    return str(value) if isinstance(value, int) else shown_figure(column, value)
