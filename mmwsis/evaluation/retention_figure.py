"""Retention beside its noise floor."""

from collections.abc import Sequence
from pathlib import Path

from mmwsis.visualization.curves import save_figure

from .retention import Retention


def plot_retention(rows: Sequence[Retention], out_file: str | Path) -> Path:
    """Draw what weak supervision keeps, above the band that the baseline's seeds span.

    Args:
        rows: Metrics of a model and the runs of its baseline.
        out_file: Image file; the name's ending says the format.

    Returns:
        ``out_file``.

    Raises:
        ValueError: No row has a noise floor.
    """
    # A figure of its own and no pyplot: no window system is ever asked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in rows if row.noise_floor is not None]
    if not rows:
        raise ValueError('The baseline has been trained once: there is no noise floor.')
    figure = Figure(figsize=(1.4 * len(rows) + 3.6, 3.9), layout='constrained')
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for place, row in enumerate(rows):
        low, high = row.noise_floor
        once = place == 0  # for the legend
        axis.bar(
            *(place, high - low),
            bottom=low,
            color='tab:grey',
            alpha=0.35,
            label='range of the baseline' if once else None,
        )
        seeds = [100 * run / row.full for run in row.runs]
        axis.plot(
            [place] * len(seeds), seeds, 'k_', label='its seeds' if once else None
        )
        label = 'weak supervision' if once else None
        axis.plot(place, row.retention, 'o', color='tab:orange', label=label)
        axis.annotate(
            *(f'{row.retention:.0f} %', (place, row.retention)),
            xytext=(9, -3),
            textcoords='offset points',
            fontsize=8,
        )
    axis.axhline(100, color='black', linewidth=0.7)
    axis.set_xticks(range(len(rows)), [row.metric for row in rows])
    axis.set_xlim(-0.7, len(rows) - 0.3)
    axis.set_ylabel("% of the baseline's mean")
    axis.grid(axis='y', alpha=0.3)
    axis.legend(fontsize=7, loc='best')
    return save_figure(figure, out_file)
