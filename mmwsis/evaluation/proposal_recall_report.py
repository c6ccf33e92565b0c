"""Report on the recall of proposals: JSON, Markdown and a figure."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.json_file import read_json
from mmwsis.formats.map_index import INDEX_NAME
from mmwsis.formats.proposals import KIND, SUFFIX
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table
from mmwsis.visualization.curves import save_figure

from .proposal_recall import proposal_recall

_MEASURES = {
    'recall50': 'recall at IoU .5',
    'recall70': 'recall at IoU .7',
    'mean_best_iou': 'mean best IoU',
}
_COLORS = ('#3b6fb6', '#e08a2e', '#4d9a5b')
_SIZES = {
    'small': 'small (up to 32² px)',
    'medium': 'medium (up to 96² px)',
    'large': 'large',
}
_MAX_CLASSES = 40


def write_recall_report(
    recall: Mapping[str, Any], out_dir: str | os.PathLike, name: str = 'proposal_recall'
) -> None:
    """Write ``proposal_recall.json``, ``.md`` and ``.png``.

    Args:
        recall: Of :func:`~mmwsis.evaluation.proposal_recall.proposal_recall`.
        out_dir: Folder; made if absent.
        name: Of the files. Defaults to 'proposal_recall'.
    """
    out_dir = Path(out_dir)
    _draw(recall, out_dir / f'{name}.png')
    atomic_write_text(out_dir / f'{name}.md', recall_markdown(recall, f'{name}.png'))
    atomic_write_json(out_dir / f'{name}.json', recall, indent=1)


def report_of_proposals(
    pseudo: str | os.PathLike, gt: str | os.PathLike, out_dir: str | os.PathLike
) -> dict[str, Any] | None:
    """Write the report of a folder of proposals; leave others alone.

    Args:
        pseudo: Folder with one JSON per image, of any project.
        gt: COCO JSON with masks of the same images.
        out_dir: Folder of ``quality.json``, ``quality.md`` and ``quality.png``.

    Returns:
        Content of ``quality.json``, of
        :func:`~mmwsis.evaluation.proposal_recall.proposal_recall`. ``None`` if
        ``pseudo`` is no folder of proposals.

    Raises:
        FileNotFoundError: A file is missing, or the proposals of an image.
        ValueError: A file is broken, or no object is in it.
    """
    folder = Path(pseudo)
    if not folder.is_dir():
        return None
    if (folder / INDEX_NAME).is_file():
        if read_json(str(folder / INDEX_NAME)).get('type') != KIND:
            return None
    elif next(folder.rglob(f'*{SUFFIX}'), None) is None:
        return None
    recall = proposal_recall(pseudo, gt)
    write_recall_report(recall, out_dir, 'quality')
    return recall


def recall_markdown(
    recall: Mapping[str, Any], figure: str = 'proposal_recall.png'
) -> str:
    """The report for people.

    Args:
        recall: Of :func:`~mmwsis.evaluation.proposal_recall.proposal_recall`.
        figure: File of the figure. Defaults to 'proposal_recall.png'.
    """
    number = recall['per_image']
    blocks = [
        f'# Recall of {recall["proposals"]}\n\nCompared with the masks of '
        f'{recall["ground_truth"]}: {recall["all"]["objects"]} objects on '
        f'{recall["images"]} images. An image has {number["mean"]:.0f} proposals on '
        f'average (median {number["median"]:.0f}, {number["min"]} to '
        f'{number["max"]}). Every object counts with the proposal that overlaps it '
        'most; classes and crowds are left out.',
        _table('size', [('all', recall['all']), *_size_rows(recall)]),
        f'![Recall over the number of proposals, by size and by class]({figure})',
        _table('proposals', [(row['count'], row) for row in recall['per_count']]),
        _table('class', [(row['name'], row) for row in recall['per_class']]),
    ]
    return '\n\n'.join(blocks) + '\n'


def _size_rows(recall: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(_SIZES[name], row) for name, row in recall['per_size'].items()]


def _table(title: str, rows: Sequence[tuple[Any, Mapping[str, Any]]]) -> str:
    header = [title, 'objects', *_MEASURES.values()]
    header += [f'box {name}' for name in _MEASURES.values()]
    lines = [
        [
            name,
            row['objects'],
            *(_number(row[kind][key]) for kind in ('mask', 'box') for key in _MEASURES),
        ]
        for name, row in rows
    ]
    return markdown_table(header, lines, text_columns=1)


def _number(value: float | None) -> str:
    return '–' if value is None else f'{value:.3f}'


def _draw(recall: Mapping[str, Any], path: Path) -> None:
    """Curves over the number of proposals, and bars of sizes and of classes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    classes = [row for row in recall['per_class'] if row['objects']]
    classes.sort(key=lambda row: row['mask']['mean_best_iou'])
    shown = classes[:_MAX_CLASSES]
    figure = Figure(
        figsize=(14, max(4.4, 0.3 * len(shown) + 1.6)), layout='constrained'
    )
    curves, sizes, names = figure.subplots(1, 3, width_ratios=(1.2, 1, 1))
    figure.suptitle(f'{recall["proposals"]}: {recall["all"]["objects"]} objects')
    _draw_curves(curves, recall['per_count'])
    rows = [(f'{k} ({r["objects"]})', r) for k, r in recall['per_size'].items()]
    _draw_bars(sizes, rows, 'Masks by size (number of objects)')
    rows = [(f'{row["name"]} ({row["objects"]})', row) for row in shown]
    worst = f' of the worst {len(shown)} classes' if len(shown) < len(classes) else ''
    _draw_bars(names, rows, f'Masks{worst or " by class"} (number of objects)')
    FigureCanvasAgg(figure)
    save_figure(figure, path)


def _draw_curves(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    counts = [row['count'] for row in rows]
    for (key, label), color in zip(_MEASURES.items(), _COLORS):
        for kind, style in (('mask', '-'), ('box', '--')):
            values = [row[kind][key] for row in rows]
            name = label if kind == 'mask' else f'box {label}'
            axes.plot(counts, values, style, color=color, label=name, marker='.')
    axes.set(xscale='log', ylim=(0, 1), xlabel='proposals of an image, best first')
    axes.set_title('Recall over the number of proposals')
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(loc='upper left', frameon=False, fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)


def _draw_bars(
    axes: Any, rows: Sequence[tuple[str, Mapping[str, Any]]], title: str
) -> None:
    places = np.arange(len(rows))
    for shift, key, color in zip((-0.27, 0, 0.27), _MEASURES, _COLORS):
        values = [row['mask'][key] or 0 for _, row in rows]
        axes.barh(places + shift, values, 0.26, color=color, label=_MEASURES[key])
        for place, value, (_, row) in zip(places + shift, values, rows):
            text = f'{value:.2f}' if row['objects'] else 'none'
            axes.text(value + 0.01, place, text, va='center', fontsize=7)
    axes.set_yticks(places, [label for label, _ in rows])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.1), title=title)
    axes.spines[['top', 'right']].set_visible(False)
