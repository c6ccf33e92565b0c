"""The figure of a comparison of supervisions: AP against hours of annotation."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .curves import save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, which colour-blind people tell apart; a level has a colour
# and a method a marker, so that no figure rests on colour alone.
LEVEL_COLORS: Mapping[str, str] = {
    'image_tags': '#0072B2',
    'points': '#009E73',
    'boxes': '#E69F00',
    'extreme_points': '#D55E00',
    'masks': '#000000',
}
_MARKERS = {
    **{'irnet': 'o', 'bestie': 's', 'bestie_points': 's', 'wise': '^'},
    **{'mal': 'D', 'exits': 'P', 'masks': '*'},
    **dict.fromkeys(('sam_points', 'sam_boxes', 'sam_extreme_points'), 'X'),
}
_SIZE = (7.0, 4.6)  # inches: 770 pixels
_GAP = 0.052  # between labels, as a share of the axis' height
_SAME_COLUMN = 1.5  # ratio of hours
_AWAY = 13  # pixels from a marker to its label


@dataclass(frozen=True)
class CurvePoint:
    """A method with an amount of annotation.

    Attributes:
        method: Its key.
        title: Its name.
        level: Its supervision.
        hours: Of annotation, mean over the seeds, > 0.
        values: AP of each finished seed, from 0 to 1, at least one.
        budget: Hours that it was drawn for; None with all images.
    """

    method: str
    title: str
    level: str
    hours: float
    values: tuple[float, ...]
    budget: float | None = None

    @property
    def ap(self) -> float:
        """Mean AP in percent."""
        return 100 * sum(self.values) / len(self.values)


def draw_supervision_curve(
    points: Sequence[CurvePoint],
    out_file: str | Path,
    title: str,
    band: Sequence[float] = (),
    notes: Sequence[str] = (),
) -> Path:
    """Draw AP against hours of annotation, on a logarithmic axis.

    The left panel has all images; the best method of each level is connected. The right
    one, if there is any budget, has what the same hours buy. The range of a marker is
    that of its seeds.

    Args:
        points: What is finished, in any order; may be none.
        out_file: Image file; the name's ending says the format.
        title: Heading.
        band: AP of each seed of the fully-supervised baseline; with two or more their
            range is drawn as noise band.
        notes: Sentences below the figure, such as what is missing.

    Returns:
        ``out_file``.
    """
    # A figure of its own and no pyplot: no window system is ever asked for.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [line for note in notes for line in textwrap.wrap(note, 100)]
    extra = 0.17 * len(lines)
    figure = Figure(figsize=(_SIZE[0], _SIZE[1] + extra), layout='constrained')
    FigureCanvasAgg(figure)
    budgets = sorted({one.budget for one in points if one.budget is not None})
    widths = [1.45, 1] if budgets else [1]
    axes = figure.subplots(
        1, len(widths), sharey=True, squeeze=False, width_ratios=widths
    )[0]
    figure.suptitle(title, fontsize=12)
    axes[0].set_ylabel('mask AP of the final model, %', fontsize=11)
    _set_heights(axes[0], points, band)
    for axis in axes:
        _draw_band(axis, band, named=axis is axes[0])
    _draw_equal_images(axes[0], [one for one in points if one.budget is None])
    if budgets:
        axes[0].set_title('all images', fontsize=11)
        _draw_equal_hours(axes[1], [p for p in points if p.budget is not None], budgets)
    if lines:
        figure.supxlabel('\n'.join(lines), fontsize=9, color='0.25', x=0.02, ha='left')
    return save_figure(figure, out_file)


def _set_heights(
    axis: 'Axes', points: Sequence[CurvePoint], band: Sequence[float]
) -> None:
    values = [100 * value for point in points for value in point.values]
    values += [100 * value for value in band]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.12 * max(high - low, 1.0)
    axis.set_ylim(max(low - margin, -margin), high + margin)
    axis.tick_params(labelsize=10)


def _set_hours(axis: 'Axes', hours: Sequence[float], room: float) -> None:
    """Set the axis of hours up, with room for labels on the right.

    Args:
        axis: The axes.
        hours: Of the markers.
        room: Share of the axis that the labels take.
    """
    import math

    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    axis.set_xscale('log')
    low, high = min(hours, default=1.0) / 1.25, max(hours, default=1.0) * 1.1
    right = high * (high / low) ** (room / (1 - room))
    axis.set_xlim(low, right)
    ticks = [
        step * 10.0**power
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
        for step in (1, 2, 5)
    ]
    ticks = [tick for tick in ticks if low <= tick <= high * 1.1]
    # A single marker, or a narrow range, may have no round number near it.
    axis.set_xticks(ticks or sorted({float(f'{one:.2g}') for one in hours}))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(labelsize=10)
    axis.set_xlabel('hours of annotation', fontsize=11)
    axis.grid(alpha=0.25)


def _draw_band(axis: 'Axes', band: Sequence[float], named: bool) -> None:
    if len(band) < 2:
        return
    low, high = 100 * min(band), 100 * max(band)
    axis.axhspan(low, high, color='0.82', zorder=0)
    if named:
        axis.annotate(
            f'masks of all images, {len(band)} seeds',
            xy=(0.01, high),
            xycoords=('axes fraction', 'data'),
            xytext=(2, 2),
            textcoords='offset points',
            fontsize=9,
            color='0.3',
        )


def _draw_equal_images(axis: 'Axes', whole: Sequence[CurvePoint]) -> None:
    _set_hours(axis, [point.hours for point in whole], room=0.3)
    best = [
        max((one for one in whole if one.level == level), key=lambda one: one.ap)
        for level in LEVEL_COLORS
        if any(one.level == level for one in whole)
    ]
    hours, values = [one.hours for one in best], [one.ap for one in best]
    axis.plot(hours, values, color='0.55', linewidth=1.2, zorder=2)
    for point in whole:
        _mark(axis, point, point.hours)
    _label(axis, [(point.hours, point) for point in whole])


def _draw_equal_hours(
    axis: 'Axes', points: Sequence[CurvePoint], budgets: Sequence[float]
) -> None:
    axis.set_title('equal hours', fontsize=11)
    _set_hours(axis, budgets, room=0.62)
    axis.set_xticks(budgets)
    methods: dict[str, list[CurvePoint]] = {}
    for point in sorted(points, key=lambda one: one.budget):
        methods.setdefault(point.method, []).append(point)
        axis.axvline(point.budget, color='0.55', linewidth=1, linestyle=':', zorder=1)
        _mark(axis, point, point.budget)
    for line in methods.values():
        hours, values = [one.budget for one in line], [one.ap for one in line]
        color = LEVEL_COLORS[line[0].level]
        axis.plot(hours, values, color=color, linewidth=1.2, zorder=2)
    _label(axis, [(line[-1].budget, line[-1]) for line in methods.values()])


def _mark(axis: 'Axes', point: CurvePoint, place: float) -> None:
    low, high = 100 * min(point.values), 100 * max(point.values)
    axis.errorbar(
        *(place, point.ap),
        yerr=[[point.ap - low], [high - point.ap]],
        marker=_MARKERS.get(point.method, 'o'),
        markersize=13 if point.method == 'masks' else 9,
        color=LEVEL_COLORS[point.level],
        markeredgecolor='white',
        elinewidth=1.2,
        capsize=2 if len(point.values) > 1 else 0,
        zorder=3,
    )


def _label(axis: 'Axes', placed: Sequence[tuple[float, CurvePoint]]) -> None:
    """Write names beside the markers, moved apart where they would overlap.

    Args:
        axis: The axes.
        placed: Hours at which a point is drawn, and the point.
    """
    low, high = axis.get_ylim()
    gap = _GAP * (high - low)
    columns: dict[float, list[tuple[float, CurvePoint]]] = {}
    for hours, point in sorted(placed, key=lambda one: one[0]):
        # Markers that are nearly above each other share a column of labels.
        near = (at for at in columns if hours / at < _SAME_COLUMN)
        columns.setdefault(next(near, hours), []).append((hours, point))
    for column in columns.values():
        ordered = sorted(column, key=lambda one: one[1].ap)
        places: list[float] = []
        for _, point in ordered:
            above = places[-1] + gap if places else low + gap / 2
            places.append(max(point.ap, above))
        top = high - gap / 2
        for index in range(len(places) - 1, -1, -1):
            places[index] = min(places[index], top)
            top = places[index] - gap
        right = max(hours for hours, _ in column)
        for (hours, point), place in zip(ordered, places, strict=True):
            moved = abs(place - point.ap) > gap / 10 or right > hours
            _write(axis, point, (hours, point.ap), (right, place), moved)


def _write(
    axis: 'Axes',
    point: CurvePoint,
    marker: tuple[float, float],
    place: tuple[float, float],
    moved: bool,
) -> None:
    level = point.level.replace('_', ' ')
    name = level if point.level == 'masks' else f'{point.title}, {level}'
    start = axis.transData.transform(place)
    line = dict(arrowstyle='-', color='0.7', linewidth=0.7, shrinkA=0, shrinkB=4)
    axis.annotate(
        name,
        xy=marker,
        xytext=axis.transData.inverted().transform(start + (_AWAY, 0)),
        fontsize=9,
        color='0.1',
        va='center',
        arrowprops=line if moved else None,
        zorder=4,
    )
