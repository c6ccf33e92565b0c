"""What metrics of several kinds share: names of classes, a table for the log."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from rich.console import Console
from rich.table import Table

from .instance_ap import mean_over_classes


def class_names(metric: BaseMetric) -> tuple[str, ...]:
    """Classes of the dataset that a metric is used with.

    Args:
        metric: After the dataset's ``metainfo`` was given to it.

    Raises:
        ValueError: It has no classes.
    """
    classes = (metric.dataset_meta or {}).get('classes')
    if not classes:
        raise ValueError(
            f'{type(metric).__name__} needs the class names of the dataset '
            "(metainfo['classes']), which the evaluator passes on; there are none."
        )
    return tuple(classes)


def class_table(
    classes: Sequence[str],
    figures: Mapping[str, np.ndarray],
    show: Callable[[float], str] | None = None,
) -> str:
    """One row per class and one for the mean.

    Args:
        classes: C names.
        figures: Name -> ``(C,)``, 0 to 1, NaN where a class has no object.
        show: Writes a figure. Defaults to None: :func:`percent`.

    Returns:
        By default percentages with one decimal; ``-`` for NaN.
    """
    show = show or percent
    table = Table('class', box=None, pad_edge=False)
    for name in figures:
        table.add_column(name, justify='right')
    columns = np.stack(list(figures.values()), axis=1)
    for name, row in zip(classes, columns):
        table.add_row(str(name), *map(show, row))
    table.add_row('mean', *map(show, mean_over_classes(columns)))
    console = Console(width=400, color_system=None)
    with console.capture() as capture:
        console.print(table, highlight=False, markup=False)
    return capture.get().rstrip()


def percent(value: float | None) -> str:
    """A figure for people.

    Args:
        value: 0 to 1, or NaN or ``None`` where it is not defined.

    Returns:
        Percent with one decimal, or '-'.
    """
    return '-' if value is None or np.isnan(value) else f'{100 * value:.1f}'


def objects(value: float | None) -> str:
    """An error of counts for people.

    Args:
        value: Objects per image, or NaN or ``None`` where it is not defined.

    Returns:
        Two decimals, or '-'.
    """
    return '-' if value is None or np.isnan(value) else f'{value:.2f}'


def plain_number(value: float) -> float | None:
    """A figure as JSON can hold it.

    Args:
        value: A number or NaN.

    Returns:
        A float; ``None`` for NaN.
    """
    return None if np.isnan(value) else float(value)
