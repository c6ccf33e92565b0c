"""What a comparison has found so far."""

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean
from typing import Any

from mmwsis.evaluation.retention import compare, floor_text, read_metrics
from mmwsis.formats.json_file import read_json
from mmwsis.utils.markdown import markdown_table

from ..durations import format_duration
from ..launch import shown
from ..report_data import final_metrics, quality_summary
from .plan import Point, Run
from .stages import PlannedStage, StageList, is_metrics

METRICS = ('mask AP', 'AP50', 'AP75')
_LABELS = {
    'class-mean IoU, all': 'class-mean IoU of labels',
    'pseudo labels as predictions, AP50': 'AP50 of labels',
}


def gather_results(stages: StageList) -> dict[str, Any]:
    """Read what is finished.

    Args:
        stages: The comparison's stages.

    Returns:
        What ``results.json`` holds: ``dataset``, ``final_model``, ``fast``, ``images``,
        ``objects``, ``costs``, ``budgets`` (hours), ``points`` (one per method, seed
        and amount of annotation, with its metrics where it is finished), ``baseline``
        (mask AP of each seed on all images), ``missing`` (titles of runs),
        ``compute_seconds`` and ``warnings``.
    """
    plan, planned = stages.plan, stages.now()
    metrics = {run: _metrics(stages, run, planned) for run in plan.runs}
    points = [_point(stages, point, metrics, planned) for point in plan.points]
    baseline = {
        str(run.seed): found['mask AP']
        for run, found in metrics.items()
        if run.method.level == 'masks' and run.count is None and 'mask AP' in found
    }
    return {
        'dataset': plan.dataset.name,
        'final_model': stages.final_model,
        'fast': stages.fast,
        'images': len(plan.dataset.objects),
        'objects': sum(plan.dataset.objects.values()),
        'val_images': plan.dataset.num_val,
        'costs': {level: cost._asdict() for level, cost in plan.costs.items()},
        'budgets': list(plan.budgets),
        'points': points,
        'baseline': baseline,
        'missing': [run.title for run in plan.runs if 'mask AP' not in metrics[run]],
        'compute_seconds': round(
            sum(one.seconds for one in planned if one.status == 'finished'), 1
        ),
        'warnings': list(plan.warnings),
        'command': shown(['python', *sys.argv]),
        'versions': _versions(),
    }


def _metrics(
    stages: StageList, run: Run, planned: Iterable[PlannedStage]
) -> dict[str, float]:
    """Metrics of a run's final model; none before it has been tested."""
    if run.adopted and is_metrics(run.adopted):
        return final_metrics(read_metrics(run.adopted))
    tested = any(
        one.run == run and one.name == 'final_test' and one.status == 'finished'
        for one in planned
    )
    if not tested:
        return {}
    file = stages.root / run.work_dir / 'metrics/final_test.json'
    # MMDetection gives no AP to a model that finds nothing at all; COCO's is zero.
    return {**dict.fromkeys(METRICS, 0.0), **final_metrics(read_metrics(file))}


def _point(
    stages: StageList,
    point: Point,
    metrics: Mapping[Run, dict[str, float]],
    planned: Iterable[PlannedStage],
) -> dict[str, Any]:
    run = point.run
    quality = stages.root / run.work_dir / 'quality/quality/quality.json'
    labels = quality_summary(read_json(str(quality))) if quality.is_file() else {}
    return {
        'method': run.method.key,
        'title': run.method.title,
        'level': run.method.level,
        'seed': run.seed,
        'budget_hours': point.budget,
        'hours': round(point.hours, 4),
        'images': run.num_images,
        **{name: metrics[run].get(name) for name in METRICS},
        **{name: labels.get(key) for key, name in _LABELS.items()},
        'compute_seconds': round(
            sum(
                one.seconds
                for one in planned
                if one.run == run and one.status == 'finished'
            ),
            1,
        ),
        'adopted': str(run.adopted) if run.adopted else None,
    }


def grouped(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Put the seeds of each method and amount of annotation together.

    Args:
        results: Of :func:`gather_results`.

    Returns:
        Dicts of ``method``, ``title``, ``level``, ``budget_hours``, and of lists with
        an entry per seed: ``seeds``, ``hours``, ``images``, and each metric, without
        the seeds that are not finished; ``planned`` has all seeds, and before one is
        finished ``hours`` and ``images`` have, too.
    """
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for point in results['points']:
        groups.setdefault((point['budget_hours'], point['method']), []).append(point)
    return [_row(points) for points in groups.values()]


def _row(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One method and amount of annotation; subsets differ from seed to seed."""
    finished = [point for point in points if point['mask AP'] is not None]
    shared = ('method', 'title', 'level', 'budget_hours')
    row = {
        **{name: points[0][name] for name in shared},
        'planned': [point['seed'] for point in points],
        'seeds': [point['seed'] for point in finished],
        'adopted': next((one['adopted'] for one in points if one['adopted']), None),
    }
    for name in ('hours', 'images'):
        row[name] = [point[name] for point in finished or points]
    for name in ('compute_seconds', *METRICS, *_LABELS.values()):
        row[name] = [point[name] for point in finished if point[name] is not None]
    return row


def results_markdown(results: Mapping[str, Any]) -> str:
    """Write the tables of a comparison.

    Args:
        results: Of :func:`gather_results`.
    """
    header, rows = results_table(results)
    parts = [
        f'# What each label buys: {results["dataset"]}',
        *result_notes(results),
        markdown_table(header, rows, text_columns=3),
        markdown_table(*cost_table(results), text_columns=1),
    ]
    return '\n\n'.join(parts) + '\n'


def result_notes(results: Mapping[str, Any]) -> list[str]:
    """Paragraphs above the tables.

    Args:
        results: Of :func:`gather_results`.
    """
    baseline = list(results['baseline'].values())
    notes = [
        f'{results["images"]} training images with {results["objects"]} objects, '
        f'{results["val_images"]} validation images. Final model of all rows: '
        f'{results["final_model"]}.'
    ]
    if results['compute_seconds']:  # not where all was made elsewhere
        took = format_duration(results['compute_seconds'])
        notes[0] += f' Finished stages took {took} in all.'
    if results['fast']:
        notes.append(
            'A try of two iterations (--fast): it shows that every stage works, and '
            'nothing else.'
        )
    if len(baseline) > 1:
        notes.append(
            f'Noise band: masks of all images with {len(baseline)} seeds have mask AP '
            f'{_percent(min(baseline))} to {_percent(max(baseline))}, mean '
            f'{_percent(mean(baseline))}. Smaller differences mean nothing.'
        )
    else:
        notes.append(
            'No noise band: it takes two finished seeds of the masks of all images.'
        )
    if results['missing']:
        notes.append(f'Not finished: {missing_text(results)}.')
    notes += [f'Note: {text}.' for text in results['warnings']]
    adopted = [row['title'] for row in grouped(results) if row['adopted']]
    if adopted:
        names = ', '.join(dict.fromkeys(adopted))
        notes.append(f'Made elsewhere (--adopt): labels or final model of {names}.')
    return notes


def missing_text(results: Mapping[str, Any]) -> str:
    """Say which figures are missing, or rest on fewer seeds than planned.

    Args:
        results: Of :func:`gather_results`.
    """
    texts = []
    for row in grouped(results):
        done, planned = len(row['seeds']), len(row['planned'])
        if done == planned:
            continue
        level = row['level'].replace('_', ' ')
        name = row['title'] if row['level'] == 'masks' else f'{row["title"]}, {level}'
        budget = row['budget_hours']
        name += '' if budget is None else f', {budget:.3g} h'
        texts.append(name + (f' ({done} of {planned} seeds)' if planned > 1 else ''))
    return '; '.join(texts)


def results_table(results: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, one per method and amount of annotation.

    Args:
        results: Of :func:`gather_results`.
    """
    baseline = list(results['baseline'].values())
    header = ['annotation', 'labels', 'method', 'images', 'hours', 'seeds', *METRICS]
    header += ['retention', 'noise floor', *_LABELS.values(), 'compute']
    rows = []
    for row in grouped(results):
        budget = row['budget_hours']
        kept = floor = '–'
        if row['mask AP'] and baseline:
            found = compare('mask AP', mean(row['mask AP']), baseline)
            kept = '–' if found.retention is None else f'{found.retention:.0f} %'
            floor = floor_text(found)
        rows.append(
            [
                'all images' if budget is None else f'{budget:.3g} hours',
                *(row['level'].replace('_', ' '), row['title']),
                f'{mean(row["images"]):.0f}',
                f'{mean(row["hours"]):.2f}',
                f'{len(row["seeds"])} of {len(row["planned"])}',
                *(_cell(row[name]) for name in METRICS),
                *(kept, floor),
                *(_cell(row[name]) for name in _LABELS.values()),
                _time(row['compute_seconds']),
            ]
        )
    return header, rows


def cost_table(results: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of what labels were taken to cost.

    Args:
        results: Of :func:`gather_results`.
    """
    rows = [
        [level.replace('_', ' '), f'{cost["image"]:g}', f'{cost["obj"]:g}']
        for level, cost in results['costs'].items()
    ]
    return ['labels', 'seconds per image', 'and per object'], rows


def write_results(folder: Path, results: dict[str, Any]) -> None:
    """Write ``results.json`` and ``results.md``.

    Args:
        folder: Of the comparison.
        results: Of :func:`gather_results`.
    """
    from mmwsis.utils.fileio import atomic_write_json, atomic_write_text

    atomic_write_json(folder / 'results.json', results, indent=1)
    atomic_write_text(folder / 'results.md', results_markdown(results))


def _versions() -> str:
    """Versions of what computes, such as 'torch 2.13.0'."""
    found = []
    for name in ('mmwsis', 'torch', 'mmengine', 'mmcv', 'mmdet'):
        with contextlib.suppress(PackageNotFoundError):
            found.append(f'{name} {version(name)}')
    return ', '.join(found)


def _percent(value: float) -> str:
    return f'{100 * value:.1f}'


def _cell(values: list[float]) -> str:
    """Mean over the seeds, with the range behind it where there are several."""
    if not values:
        return '–'
    text = _percent(mean(values))
    if len(values) == 1:
        return text
    return f'{text} ({_percent(min(values))}–{_percent(max(values))})'


def _time(values: list[float]) -> str:
    return format_duration(sum(values)) if sum(values) else '–'
