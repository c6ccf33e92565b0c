"""Training curves from the scalars that MMEngine logs."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmwsis.utils.fileio import atomic_write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = list[tuple[int, float]]
_NOT_CURVES = ('step', 'iter', 'epoch', 'data_time', 'memory', 'time', 'base_lr')
_PANELS = (
    ('losses', r'(^|[./_])loss'),
    ('learning rate', r'(^|/)lr$'),
    ('gradient norm', r'grad_norm'),
    ('retrieved cells a crop', r'pseudo_(fg|bg)'),
    ('rates', r'_rate$'),
    ('metrics', r'/|iou|map|acc|recall|precision|auc'),
)


def read_scalars(work_dir: str | Path) -> dict[str, Curve]:
    """Read the scalars of a training run.

    Args:
        work_dir: Work dir of the run. Its parts (one folder a start, when it was
            resumed) are joined; of a step that was repeated the later value counts.

    Returns:
        Name -> points ``(step, value)`` in order of the step. Validation metrics,
        which MMEngine logs against the epoch in epoch-based runs, are placed at the
        iteration of the training entry before them.

    Raises:
        FileNotFoundError: The run logged no scalars.
    """
    files = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    if not files:
        raise FileNotFoundError(
            f'{work_dir} holds no */vis_data/scalars.json; the visualizer needs a '
            'LocalVisBackend.'
        )
    curves: dict[str, dict[int, float]] = {}
    for file in files:
        place = 0
        for line in file.read_text(encoding='utf-8').splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # the line that a kill cut short
                continue
            if 'iter' in entry:
                place = int(entry.get('step', entry['iter']))
            for name, value in entry.items():
                if name in _NOT_CURVES or isinstance(value, (bool, str, list)):
                    continue
                # COCO's metrics are -1 where there is no object of the size.
                absent = value == -1 and 'mAP' in name
                if value is not None and value == value and not absent:
                    curves.setdefault(name, {})[place] = float(value)
    return {name: sorted(points.items()) for name, points in curves.items()}


def plot_curves(
    curves: dict[str, Curve],
    out_file: str | Path,
    title: str = '',
    keys: Sequence[str] = (),
) -> Path:
    """Plot scalars, one panel per kind: losses, learning rate, metrics and so on.

    Args:
        curves: Name -> points, as of :func:`read_scalars`.
        out_file: Image file; the name's ending says the format.
        title: Heading.
        keys: Only these; empty means all.

    Returns:
        ``out_file``.

    Raises:
        ValueError: Nothing is left to plot.
    """
    panels = group_curves({k: v for k, v in curves.items() if not keys or k in keys})
    if not panels:
        raise ValueError(f'There is nothing to plot; the scalars are {sorted(curves)}.')
    return plot_panels(panels, out_file, title)


def plot_panels(
    panels: dict[str, dict[str, Curve]],
    out_file: str | Path,
    title: str = '',
    steps: str = 'iteration',
) -> Path:
    """Plot curves in panels beside each other.

    Args:
        panels: Title of a panel -> its curves by name.
        out_file: Image file; the name's ending says the format.
        title: Heading.
        steps: What the curves run over.

    Returns:
        ``out_file``.
    """
    # A figure of its own and no pyplot: no window system is ever asked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(6.4 * columns, 3.9 * rows), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).flatten()
    for axis, (name, members) in zip(axes, panels.items(), strict=False):
        measured_once = all(len(points) == 1 for points in members.values())
        (_draw_bars if measured_once else _draw_lines)(axis, members, steps)
        axis.set_title(name)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    figure.suptitle(title)
    return save_figure(figure, out_file)


def _draw_lines(axis: 'Axes', members: dict[str, Curve], steps: str) -> None:
    for key, points in members.items():
        places, values = zip(*points, strict=True)
        few = 'o' if len(points) < 15 else None
        axis.plot(places, values, label=key, marker=few, markersize=3, linewidth=1.3)
    axis.set_xlabel(steps)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7, loc='best')


def _draw_bars(axis: 'Axes', members: dict[str, Curve], steps: str) -> None:
    # Curves of one point each, as of a single validation, cannot be told apart.
    names = sorted(members, reverse=True)
    bars = axis.barh(names, [members[name][0][1] for name in names])
    axis.bar_label(bars, fmt='%.3g', fontsize=7, padding=2)
    axis.tick_params(axis='y', labelsize=7)
    axis.margins(x=0.12)
    axis.set_xlabel(f'at {steps} {members[names[0]][0][0]}')


def save_figure(figure: object, out_file: str | Path) -> Path:
    """Write a matplotlib figure atomically.

    Args:
        figure: A ``matplotlib.figure.Figure``.
        out_file: Image file; the name's ending says the format.

    Returns:
        The path.
    """
    import io

    out_file = Path(out_file)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=out_file.suffix.lstrip('.') or 'png', dpi=110)
    atomic_write_bytes(out_file, buffer.getvalue())
    return out_file


def group_curves(curves: dict[str, Curve]) -> dict[str, dict[str, Curve]]:
    """Sort scalars into panels.

    Args:
        curves: Name -> points.

    Returns:
        Panel -> its scalars; no panel is empty, and none holds a scalar twice.
    """
    panels: dict[str, dict[str, Curve]] = {}
    rest = dict(curves)
    for panel, pattern in _PANELS:
        members = {
            key: rest.pop(key)
            for key in sorted(rest)
            if re.search(pattern, key, re.IGNORECASE)
        }
        if members:
            panels[panel] = members
    # Some metrics come in percent, such as MMDetection's accuracy of a box head.
    metrics = panels.get('metrics', {})
    percent = {k: v for k, v in metrics.items() if max(y for _, y in v) > 1}
    if percent and len(percent) < len(metrics):
        panels['metrics'] = {k: v for k, v in metrics.items() if k not in percent}
        panels['metrics in percent'] = percent
    if rest:
        panels['other'] = dict(sorted(rest.items()))
    return panels
