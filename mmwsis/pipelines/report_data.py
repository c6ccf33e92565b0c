"""The numbers of a report, read from what the stages wrote."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from mmwsis.dataset_converters.correction_files import SUMMARY_SUFFIX
from mmwsis.evaluation.counting import is_error
from mmwsis.evaluation.retention import Retention, compare
from mmwsis.formats.coco_file import read_json
from mmwsis.formats.provenance import provenance_of

from .stages import (
    CommandStage,
    GenerateStage,
    QualityStage,
    ReportStage,
    Stage,
    TestStage,
    TrainStage,
)

if TYPE_CHECKING:
    from .runner import PipelineRunner

# Metrics of a final model, most telling first, how they are called here, and what they
# are divided by, because other projects' are in percent.
_FINAL_METRICS = (
    ('segm_mAP', 'mask AP', 1),
    ('segm_AP', 'mask AP', 1),
    ('segm_mAP_50', 'AP50', 1),
    ('segm_AP50', 'AP50', 1),
    ('segm_mAP_75', 'AP75', 1),
    ('segm_AP75', 'AP75', 1),
    ('segm_AP25', 'AP25', 1),
    ('segm_AP50_with_objects', 'AP50, images with objects', 1),
    ('segm_AP75_with_objects', 'AP75, images with objects', 1),
    ('segm_AP25_with_objects', 'AP25, images with objects', 1),
    ('AP50', 'VOC AP50', 1),
    ('AP70', 'VOC AP70', 1),
    ('AP25', 'VOC AP25', 1),
    ('MUCov', 'MUCov', 1),
    ('MWCov', 'MWCov', 1),
    ('PQ', 'PQ', 100),
    ('PQ_th', 'PQ of things', 100),
    ('PQ_st', 'PQ of stuff', 100),
    ('APr_vol', 'AP^r_vol', 1),
    ('APr_vol_th', 'AP^r_vol of things', 1),
    ('APr_vol_st', 'AP^r_vol of stuff', 1),
    # Of Cityscapes; those above are PASCAL VOC's, from .1 to .9.
    ('APr_vol_50_95', 'AP^r_vol .5:.95', 1),
    ('APr_vol_50_95_th', 'AP^r_vol .5:.95 of things', 1),
    ('APr_vol_50_95_st', 'AP^r_vol .5:.95 of stuff', 1),
    ('mIoU', 'mIoU', 100),
    ('mIoU_th', 'mIoU of things', 100),
    ('mIoU_st', 'mIoU of stuff', 100),
    ('MAE', 'count MAE', 1),
    ('class_MAE', 'class-wise count MAE', 1),
    ('bbox_mAP', 'box AP', 1),
)
_OWN_PREFIXES = ('panoptic/', 'class_maps/', 'semantic/')
# How metrics of training are called in the table of stages.
_TRAINING_METRICS = ('segm_mAP', 'segm_AP', 'class_mean_iou', 'class_miou', 'mIoU')
_TRAINING_METRICS += ('tag_mAP', 'all_right')


def final_metrics(metrics: dict[str, Any]) -> dict[str, float]:
    """Pick the mask metrics out of an evaluator's output.

    Args:
        metrics: Such as ``{'coco/segm_mAP': 0.31}``.

    Returns:
        Names for people -> value; values of -1 (nothing to measure) are left out.
    """
    flat = {key.rpartition('/')[2]: (key, value) for key, value in metrics.items()}
    picked = {}
    for key, name, scale in _FINAL_METRICS:
        full, value = flat.get(key, (key, None))
        if isinstance(value, (int, float)) and value >= 0:
            own = full.startswith(_OWN_PREFIXES)
            picked.setdefault(name, float(value) / (1 if own else scale))
    if 'mask AP' in picked:  # boxes are the result of a detector alone
        picked.pop('box AP', None)
    return picked


def compared(
    weak: dict[str, float], runs: Sequence[dict[str, float]]
) -> list[Retention]:
    """Compare a final model with its baseline.

    Args:
        weak: Of :func:`final_metrics`.
        runs: The same of each run of the baseline.

    Returns:
        A row for each metric that all have, the most telling first, errors of counts
        last.
    """
    return [
        compare(name, value, [run[name] for run in runs])
        for name, value in weak.items()
        if runs and all(name in run for run in runs)
    ]


def quality_summary(quality: dict[str, Any]) -> dict[str, float]:
    """Pick the most telling figures out of a quality report.

    Args:
        quality: Content of ``quality.json``.

    Returns:
        Names such as ``'class-mean IoU, all'`` -> value; only what the file has.
    """
    places = {
        'class-mean IoU, all': ('class_mean_iou', 'all'),
        'class-mean IoU, separated': ('class_mean_iou', 'separated'),
        'class-mean IoU of filled boxes, all': ('filled_boxes', 'all'),
        'class-mean IoU of filled boxes, separated': ('filled_boxes', 'separated'),
        'pseudo labels as predictions, AP25': ('average_precision', 'AP25'),
        'pseudo labels as predictions, AP50': ('average_precision', 'AP50'),
        'pseudo labels as predictions, AP75': ('average_precision', 'AP75'),
        'mean IoU of maps': ('mIoU',),
        'mean IoU of maps, things': ('mIoU_th',),
        'mean IoU of maps, stuff': ('mIoU_st',),
        'ignored pixels of maps': ('ignored',),
        'panoptic quality': ('PQ',),
        'mean IoU of class maps at the best threshold': ('mIoU_best',),
        'points inside an object of their class': ('inside',),
        'objects that one point hits': ('once',),
        'recall of proposals at IoU .5': ('all', 'mask', 'recall50'),
        'recall of proposals at IoU .7': ('all', 'mask', 'recall70'),
        'pseudo labels as predictions, MUCov': ('average_precision', 'MUCov'),
        'pseudo labels as predictions, MWCov': ('average_precision', 'MWCov'),
        'pseudo labels, count MAE': ('average_precision', 'MAE'),
        'pseudo labels, class-wise count MAE': ('average_precision', 'class_MAE'),
        'points, count MAE': ('MAE',),
        'points, class-wise count MAE': ('class_MAE',),
    }
    found = {}
    for name, keys in places.items():
        value: Any = quality
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)) and math.isfinite(value):
            found[name] = float(value)
    return found


def shown_figure(name: str, value: float) -> str:
    """Write a figure for people.

    Args:
        name: As :func:`final_metrics` and :func:`quality_summary` call it.
        value: A share of one, or objects per image, of an error of counts.

    Returns:
        Percent with one decimal, or objects with two.
    """
    return f'{value:.2f}' if is_error(name) else f'{100 * value:.1f}'


def stage_result(runner: 'PipelineRunner', stage: Stage) -> dict[str, float]:
    """Key numbers of one stage.

    Args:
        runner: The runner.
        stage: A stage of its pipeline.

    Returns:
        Names for people -> value; empty where there is nothing to say.
    """
    factory, root = runner.factory, runner.root
    if isinstance(stage, TrainStage):
        return _training_result(root / factory.train_dir(stage))
    if isinstance(stage, GenerateStage):
        return _generation_result(_read(root / stage.result))
    if isinstance(stage, QualityStage):
        file = root / factory.quality_dir(stage.name) / 'quality.json'
        return quality_summary(_read(file))
    if isinstance(stage, TestStage):
        return final_metrics(_read(root / factory.metrics_file(stage.name)))
    if isinstance(stage, CommandStage):
        return _correction_result(runner, stage)
    return {}


def _correction_result(
    runner: 'PipelineRunner', stage: CommandStage
) -> dict[str, float]:
    """What a stage that applies corrections has changed; nothing of other commands."""
    summaries = [out for out in stage.outputs if out.endswith(SUMMARY_SUFFIX)]
    summary = _read(runner.root / summaries[0]) if summaries else {}
    names = dict(
        images='images reviewed',
        reviewed='labels reviewed',
        changed='changed',
        deleted='deleted',
        added='added',
        masks_drawn='masks drawn',
        minutes='minutes of correction',
    )
    return {name: summary[key] for key, name in names.items() if key in summary}


def _read(path: Path) -> dict[str, Any]:
    """Content of a JSON file; nothing where there is none."""
    return read_json(str(path)) if path.is_file() else {}


def label_warnings(runner: 'PipelineRunner', stage: Stage) -> list[str]:
    """What label generation said of its labels, such as that they fill their boxes.

    Or of the classifier that made them, such as that it is at chance.

    Args:
        runner: The runner.
        stage: A stage of its pipeline; others than generation have none.
    """
    if not isinstance(stage, GenerateStage):
        return []
    own = provenance_of(_read(runner.root / stage.result))
    told = [own.get(key) or {} for key in ('tag_accuracy', 'collapse')]
    return [warning for one in told for warning in one.get('warnings', [])]


def _collapse(content: dict[str, Any]) -> dict[str, Any]:
    """What is known of labels without ground truth; files of others have none."""
    return provenance_of(content).get('collapse') or {}


def _generation_result(content: dict[str, Any]) -> dict[str, float]:
    """How many labels a file holds, or maps or proposals a folder."""
    collapse = _collapse(content)
    accuracy = (provenance_of(content).get('tag_accuracy') or {}).get('mAP')
    judged = {} if accuracy is None else {'mAP over the tags': accuracy}
    kind = (provenance_of(content).get('artifact') or {}).get('type')
    annotations = content.get('annotations')
    if kind == 'proposals':
        counts = [image['count'] for image in content['images']]
        mean = sum(counts) / max(len(counts), 1)
        return {'images': len(counts), 'proposals per image': round(mean, 1)}
    if annotations is None or kind == 'panoptic_maps':
        flat = collapse.get('flat')
        known = {} if flat is None else {'of one class everywhere': flat}
        if annotations is not None:
            known['segments'] = sum(len(one['segments_info']) for one in annotations)
        return {'maps': len(content.get('images', [])), **known, **judged}
    noun = kind if kind in ('points', 'detections') else 'pseudo labels'
    made = {noun: len(annotations), **judged}
    # Masks of known objects.
    if any('weak_bbox' in one or 'weak_point' in one for one in annotations):
        empty = sum(bool(entry.get('empty_prediction')) for entry in annotations)
        made['empty predictions'] = empty
    if collapse.get('median_fill') is not None:
        made['median fill of the box'] = collapse['median_fill']
    return made


def _training_result(work_dir: Path) -> dict[str, float]:
    """Last loss and last validation metrics of a training run."""
    # Here, because figures bring MMDetection with them, and other stages need none.
    from mmwsis.visualization.curves import read_scalars

    try:
        curves = read_scalars(work_dir)
    except FileNotFoundError:
        return {}
    return {name: curves[key][-1][1] for key, name in training_measures(curves).items()}


def training_measures(curves: Iterable[str]) -> dict[str, str]:
    """Choose the scalars of a training run that tell how it went.

    Args:
        curves: Names of scalars that were logged.

    Returns:
        Name -> name for people, of the loss and of the metrics of validation.
    """
    names = {key: key.rpartition('/')[2] for key in curves}
    return {
        key: name
        for key, name in names.items()
        if key == 'loss' or (key != name and name in _TRAINING_METRICS)
    }


def gather(runner: 'PipelineRunner', stage: ReportStage | None) -> dict[str, Any]:
    """Collect all numbers of a pipeline.

    Args:
        runner: The runner, as far as it has got.
        stage: The report stage; ``None`` leaves the comparison out.

    Returns:
        What ``report.json`` holds, without figures.
    """
    outcomes = {outcome.stage.name: outcome for outcome in runner.outcomes}
    rows = []
    for entry in runner.pipeline.stages:
        outcome = outcomes.get(entry.name)
        record = runner.manifest.stages.get(entry.name)
        known = record is not None and record.status == 'finished'
        rows.append(
            {
                'stage': entry.name,
                'type': entry.kind,
                'status': outcome.status if outcome else 'not reached',
                'seconds': round(record.seconds, 1) if record else 0.0,
                'command': record.command if record else [],
                'result': stage_result(runner, entry) if known else {},
                'warnings': label_warnings(runner, entry) if known else [],
            }
        )
    report = {
        'pipeline': runner.pipeline.name,
        'title': runner.pipeline.title,
        'fast': runner.pipeline.fast,
        'root': str(runner.root),
        'stages': rows,
    }
    if stage is not None:
        report['summary'] = _summary(runner, stage)
    return report


def _summary(runner: 'PipelineRunner', stage: ReportStage) -> dict[str, Any]:
    """Weak against full supervision, and the quality of the pseudo labels."""
    by_name = {entry.name: entry for entry in runner.pipeline.stages}
    weak, runs = tested_models(runner, stage)
    rows = compared(weak, runs)
    quality = stage_result(runner, by_name[stage.quality]) if stage.quality else {}
    return {
        'weak': weak,
        'full': {
            name: mean(metrics[name] for metrics in runs)
            for name in (runs[0] if runs else ())
            if all(name in metrics for metrics in runs)
        },
        'full_runs': runs,
        'quality': quality,
        'retention': rows[0].retention if rows else None,
        'comparison': [row.as_json() for row in rows],
        'trained_on': trained_on(runner, by_name[stage.weak]) if stage.weak else '',
        **_corrected(runner, stage, by_name),
    }


def _corrected(
    runner: 'PipelineRunner', stage: ReportStage, by_name: dict[str, Stage]
) -> dict[str, Any]:
    """The final model that was trained on corrected labels, and their price."""
    if stage.corrected is None or stage.corrections is None:
        return {}
    corrections = stage_result(runner, by_name[stage.corrections])
    metrics = stage_result(runner, by_name[stage.corrected])
    return {'corrected': metrics, 'corrections': corrections} if metrics else {}


def tested_models(
    runner: 'PipelineRunner', stage: ReportStage
) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Metrics of the models that a report compares, of :func:`final_metrics`.

    Args:
        runner: The runner.
        stage: The report stage.

    Returns:
        Those of the final model, and those of every run of the baseline that has been
        tested.
    """
    by_name = {entry.name: entry for entry in runner.pipeline.stages}
    weak, *runs = (
        stage_result(runner, by_name[name]) if name else {}
        for name in (stage.weak, stage.full, *stage.full_runs)
    )
    return weak, [metrics for metrics in runs if metrics]


def trained_on(runner: 'PipelineRunner', stage: TestStage) -> str:
    """Say what a weakly-supervised final model is trained on.

    Args:
        runner: The runner.
        stage: Tests it.
    """
    wsis = runner.factory.config_of(stage).get('wsis') or {}
    return 'weak labels' if wsis.get('stage') == 'end_to_end' else 'pseudo labels'
