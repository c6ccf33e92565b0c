"""Retention: how much of full supervision's result a weakly-supervised model keeps."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.coco_file import read_json

# MMSegmentation's IoUMetric reports percentages, everything else shares of one.
_PERCENT_METRICS = frozenset(
    f'{statistic}{name}'
    for statistic in 'am'
    for name in ('Acc', 'IoU', 'Dice', 'Fscore', 'Precision', 'Recall')
)


class Retention(NamedTuple):
    """One metric of two models.

    Args:
        metric: Name of the metric, for example ``coco/segm_mAP_50``.
        weak: Value of the final model trained on pseudo labels.
        full: Value of the same final model trained on full masks.
        retention: ``100 * weak / full``; ``None`` where it is undefined, because
            ``full`` is zero, or a value is negative (COCO's sign for "no such objects")
            or NaN.
    """

    metric: str
    weak: float
    full: float
    retention: float | None

    def as_json(self) -> dict[str, Any]:
        """The row with ``None`` where a value is undefined."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in self._asdict().items()
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


def retention_table(
    weak: Mapping[str, Any], full: Mapping[str, Any]
) -> list[Retention]:
    """Compare every metric that two models share.

    A metric that is undefined (NaN, or ``null`` in the files) for one of them has a row
    without retention; one that is undefined for both is left out.

    Args:
        weak: Metrics of the weakly-supervised final model.
        full: Metrics of its fully-supervised baseline.

    Returns:
        One row a metric in the order of ``weak``, those of boxes last.

    Raises:
        ValueError: They share no numeric metric.
    """
    shared = [
        key
        for key in weak
        if key in full
        and any(map(_is_number, (weak[key], full[key])))
        and all(map(_is_figure, (weak[key], full[key])))
    ]
    if not any(_is_number(weak[key]) and _is_number(full[key]) for key in shared):
        raise ValueError(
            'the two files share no metric; the weak one has '
            f'{sorted(weak) or "none"}, the full one {sorted(full) or "none"}'
        )
    shared.sort(key=lambda key: _is_box_metric(key))
    return [
        Retention(
            key, *(_value(one[key]) for one in (weak, full)), _kept(weak, full, key)
        )
        for key in shared
    ]


def format_retention(rows: Sequence[Retention]) -> str:
    """Return the comparison as a table of text.

    Works for every metric of which more is better: AP, PQ, mean IoU, coverage.

    Args:
        rows: Rows from :func:`retention_table`.

    Returns:
        A Markdown table that also reads well in a terminal; metrics as percentages.
    """
    width = max(len('metric'), *(len(row.metric) for row in rows))
    lines = [
        f'| {"metric":<{width}} |    weak |    full | retention |',
        f'| {"-" * width} | ------: | ------: | --------: |',
    ]
    for row in rows:
        kept = '-' if row.retention is None else f'{row.retention:.1f} %'
        weak, full = (_percent(value, row.metric) for value in row[1:3])
        lines.append(f'| {row.metric:<{width}} | {weak:>7} | {full:>7} | {kept:>9} |')
    return '\n'.join(lines)


def _percent(value: float, metric: str) -> str:
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


def _kept(weak: Mapping[str, Any], full: Mapping[str, Any], key: str) -> float | None:
    return retention(_value(weak[key]), _value(full[key]))


def _value(figure: Any) -> float:
    return float(figure) if _is_number(figure) else math.nan


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
