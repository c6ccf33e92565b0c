"""Retention: how much of full supervision's result a weakly-supervised model keeps.

Two trainings of one model on the same data differ, if only by the order of the images.
How far the runs of the fully-supervised baseline lie apart is the noise floor of a
retention: a smaller difference says nothing.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from mmwsis.formats.coco_file import read_json

from .counting import is_error

# MMSegmentation's IoUMetric reports percentages, everything else shares of one.
_PERCENT_METRICS = frozenset(
    f'{statistic}{name}'
    for statistic in 'am'
    for name in ('Acc', 'IoU', 'Dice', 'Fscore', 'Precision', 'Recall')
)

WITHIN_NOISE = 'Within the noise floor, no further apart than two runs of the baseline'
_FLOOR_COLUMN = 'baseline seeds'
_NOT_MEASURED = (
    'Noise floor not measured: it takes the metrics of several runs of the baseline, '
    'which differ in their seed.'
)


class Retention(NamedTuple):
    """One metric of two models.

    Args:
        metric: Name of the metric, for example ``coco/segm_mAP_50``.
        weak: Value of the final model trained on pseudo labels.
        full: Value of the same final model trained on full masks; the mean over its
            runs.
        retention: ``100 * weak / full``; ``None`` where it is undefined, because
            ``full`` is zero, or a value is negative (COCO's sign for "no such objects")
            or NaN, or because the metric is an error, of which less is better.
        runs: Value of each run of the baseline, which differ in their seed.
    """

    metric: str
    weak: float
    full: float
    retention: float | None
    runs: tuple[float, ...] = ()

    @property
    def noise_floor(self) -> tuple[float, float] | None:
        """Lowest and highest run of the baseline, in percent of their mean.

        ``None`` with a single run, or where retention is undefined.
        """
        if self.retention is None or len(self.runs) < 2:
            return None
        return 100 * min(self.runs) / self.full, 100 * max(self.runs) / self.full

    @property
    def within_noise(self) -> bool:
        """Whether the models differ by no more than two runs of the baseline do."""
        if self.noise_floor is None:
            return False
        return abs(self.weak - self.full) <= max(self.runs) - min(self.runs)

    def as_json(self) -> dict[str, Any]:
        """The row and its noise floor, with ``None`` where a value is undefined."""
        known = {key: _or_none(value) for key, value in self._asdict().items()}
        known['runs'] = [_or_none(value) for value in self.runs]
        return {
            **known,
            'noise_floor': self.noise_floor,
            'within_noise': self.within_noise,
        }


def read_metrics(path: str | os.PathLike) -> dict[str, Any]:
    """Read what ``tools/test.py --metrics-out`` wrote.

    Args:
        path: JSON file.

    Returns:
        Name and value of every metric.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON object.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{path} does not exist; make it with python tools/test.py CONFIG '
            f'CHECKPOINT --metrics-out {path}'
        )
    metrics = read_json(str(path))
    if not isinstance(metrics, dict):
        raise ValueError(
            f'{path} holds a {type(metrics).__name__}; expected an object of metric '
            'names and values, as tools/test.py --metrics-out writes it'
        )
    return metrics


def compare(metric: str, weak: float, runs: Sequence[float]) -> Retention:
    """Compare one metric of two models.

    Args:
        metric: Its name.
        weak: Value of the weakly-supervised final model.
        runs: Value of each run of its fully-supervised baseline, at least one.
    """
    full = mean(runs)
    defined = all(run >= 0 for run in runs) and not is_error(metric)
    kept = retention(weak, full) if defined else None
    return Retention(metric, weak, full, kept, tuple(runs))


def retention_table(
    weak: Mapping[str, Any], *full: Mapping[str, Any]
) -> list[Retention]:
    """Compare every metric that two models share.

    A metric that is undefined (NaN, or ``null`` in the files) for one of them has a row
    without retention; one that is undefined for both is left out.

    Args:
        weak: Metrics of the weakly-supervised final model.
        *full: Metrics of its fully-supervised baseline, those of each run.

    Returns:
        One row a metric in the order of ``weak``, those of boxes and then those of
        single classes (COCO's ``<class>_precision``) last.

    Raises:
        ValueError: They share no numeric metric.
    """
    shared = [
        key
        for key in weak
        if all(key in run and _is_figure(run[key]) for run in (weak, *full))
        and any(_is_number(run[key]) for run in (weak, *full))
    ]
    if not any(all(_is_number(run[key]) for run in (weak, *full)) for key in shared):
        known = sorted(set(full[0]).intersection(*full[1:]))
        which = 'two files' if len(full) == 1 else 'files'
        raise ValueError(
            f'the {which} share no metric; the weak one has '
            f'{sorted(weak) or "none"}, the full one {known or "none"}'
        )
    shared.sort(key=lambda key: (key.endswith('_precision'), _is_box_metric(key)))
    return [
        compare(key, _value(weak[key]), [_value(run[key]) for run in full])
        for key in shared
    ]


def format_retention(rows: Sequence[Retention]) -> str:
    """Return the comparison as a table of text.

    Works for every metric of which more is better: AP, PQ, mean IoU, coverage. Errors
    of counts are shown beside each other, in objects per image.

    Args:
        rows: Rows from :func:`retention_table`.

    Returns:
        A Markdown table that also reads well in a terminal, metrics as percentages, and
        below it what the noise floor says.
    """
    width = max(len('metric'), *(len(row.metric) for row in rows))
    several = max(len(row.runs) for row in rows) > 1
    heads = [f'{"metric":<{width}}', '   weak', '   full', 'retention']
    heads += [_FLOOR_COLUMN] * several
    rules = ['-' * width, *('-' * (len(head) - 1) + ':' for head in heads[1:])]
    lines = [f'| {" | ".join(cells)} |' for cells in (heads, rules)]
    for row in rows:
        kept = '-' if row.retention is None else f'{row.retention:.1f} %'
        weak, full = (_percent(value, row.metric) for value in row[1:3])
        cells = [f'{row.metric:<{width}}', f'{weak:>7}', f'{full:>7}', f'{kept:>9}']
        cells += [f'{floor_text(row):>{len(_FLOOR_COLUMN)}}'] * several
        lines.append(f'| {" | ".join(cells)} |')
    if not several:
        return '\n'.join([*lines, '', _NOT_MEASURED])
    close = [row.metric for row in rows if row.within_noise]
    if close:
        lines += ['', f'{WITHIN_NOISE}: {", ".join(close)}']
    return '\n'.join(lines)


def floor_text(row: Retention) -> str:
    """Range of the baseline's runs for people, '96.1–103.9 %'; '-' where unknown.

    Args:
        row: The comparison.
    """
    if row.noise_floor is None:
        return '-'
    low, high = row.noise_floor
    return f'{low:.1f}–{high:.1f} %'


def _percent(value: float, metric: str) -> str:
    if is_error(metric):
        return f'{value:.2f}' if value >= 0 else '-'
    scale = 1 if _in_percent(metric) else 100
    return f'{scale * value:.1f}' if value >= 0 else '-'


def _in_percent(metric: str) -> bool:
    """Whether a metric comes as a percentage, as MMSegmentation's mean IoU does."""
    prefix, _, name = metric.rpartition('/')
    return prefix == 'coco_panoptic' or name in _PERCENT_METRICS


def _is_box_metric(metric: str) -> bool:
    return metric.rpartition('/')[2].startswith('bbox_')


def retention(weak: float, full: float) -> float | None:
    """What weak supervision keeps of a metric, in percent.

    Args:
        weak: Value of the weakly-supervised model.
        full: Value of the same model under full supervision.

    Returns:
        ``100 * weak / full``; None where that is undefined: ``full`` is zero, or either
        is negative, COCO's sign for "no such objects".
    """
    return 100.0 * weak / full if full > 0 and weak >= 0 else None


def _value(figure: Any) -> float:
    return float(figure) if _is_number(figure) else math.nan


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _is_figure(value: Any) -> bool:
    """A number, or one that is undefined."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (_is_number(value))
    )


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    )
