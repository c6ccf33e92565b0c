"""Quality report of pseudo labels: JSON, Markdown and figures."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import image_file_name
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table

from .collapse_report import collapse_section
from .compare_files import Comparison
from .pseudo_label_ap import ap_section
from .quality_figures import draw_quality, draw_worst

_GROUPS = {
    'all': 'all',
    'small': 'small (box up to 32² px)',
    'medium': 'medium (up to 96² px)',
    'large': 'large',
    'separated': 'separated (ground truth in several parts)',
    'whole': 'in one part',
}


def write_quality_report(
    comparison: Comparison,
    out_dir: str | os.PathLike,
    img_dir: str | os.PathLike | None = None,
    worst: int = 20,
) -> dict[str, Any]:
    """Write ``quality.json``, ``quality.md``, ``quality.png`` and ``worst.png``.

    Args:
        comparison: Of :func:`~mmwsis.evaluation.compare_files.compare_files`.
        out_dir: Folder; made if absent.
        img_dir: Folder of the images, for the backgrounds of ``worst.png``; without
            it the masks are drawn on grey.
        worst: How many objects ``worst.png`` shows; 0 leaves it out.

    Returns:
        Content of ``quality.json``.

    Raises:
        FileNotFoundError: An image that is to be drawn does not exist.
        ValueError: There is nothing to evaluate.
    """
    out_dir = Path(out_dir)
    summary = comparison.summary()
    selected = comparison.worst(worst)
    summary['worst'] = [
        {
            **item._asdict(),
            'file_name': image_file_name(comparison.images[item.image_id]),
        }
        for item in selected
    ]
    if selected:
        draw_worst(comparison, selected, out_dir / 'worst.png', img_dir)
    draw_quality(summary, out_dir / 'quality.png')
    atomic_write_text(
        out_dir / 'quality.md', markdown_report(summary, figures=bool(selected))
    )
    atomic_write_json(out_dir / 'quality.json', summary, indent=1)
    return summary


def markdown_report(summary: Mapping[str, Any], figures: bool = True) -> str:
    """The report for people.

    Args:
        summary: Of ``Comparison.summary``.
        figures: Refer to ``worst.png``.
    """
    own = summary['provenance']
    origin = ''
    if own:
        weights = 'no weights'
        if own.get('checkpoint') is not None:
            digest = str(own.get('checkpoint_sha256'))[:12]
            weights = f'checkpoint `{own["checkpoint"]}`, sha256 `{digest}`'
        origin = (
            f'Made by {own.get("method")} from {own.get("supervision")} (config '
            f'`{own.get("config")}`, {weights}).\n\n'
        )
    blocks = [
        f'# Quality of {summary["pseudo_labels"]}\n\n{origin}'
        f'Compared with {summary["ground_truth"]} by {_how(summary)}: '
        f'{summary["instances"]["all"]} objects on {summary["images"]} images'
        f'{_left_out(summary)}. '
        f'Coverage {100 * summary["coverage"]:.1f} % ({summary["missing"]} objects '
        f'without a pseudo label count as IoU 0), {summary["empty_predictions"]} empty '
        f'predictions (box filled).{_edges(summary)}',
        _group_table(summary),
        '![IoU histogram, classes and sizes](quality.png)',
        _class_table(summary),
    ]
    if summary.get('collapse'):
        blocks.append(collapse_section(summary['collapse']))
    if summary.get('average_precision'):
        blocks.append(ap_section(summary['average_precision']))
    if figures:
        blocks.append(
            f'## Worst {len(summary["worst"])}\n\n![Worst objects](worst.png)'
        )
    return '\n\n'.join(blocks) + '\n'


def _edges(summary: Mapping[str, Any]) -> str:
    offsets = summary['edge_offsets']
    if not offsets:
        return ''
    sides = ', '.join(f'{side} {offset:+.2f}' for side, offset in offsets.items())
    return f" Mean distance of the masks' sides from the true ones: {sides} px."


def _left_out(summary: Mapping[str, Any]) -> str:
    count = summary['images_left_out']
    return (
        f' ({count} images of the ground truth have no pseudo labels)' if count else ''
    )


def _how(summary: Mapping[str, Any]) -> str:
    if summary.get('matched_by') == 'overlap':
        return (
            'overlap (an object gets the mask of its class that overlaps it most, of '
            f'{summary["found"]} that were found)'
        )
    return 'annotation id'


def _group_table(summary: Mapping[str, Any]) -> str:
    measures = ('class_mean_iou', 'filled_boxes', 'recall50')
    rows = [
        [
            *(name, summary['instances'][key]),
            *(f'{summary[measure][key]:.3f}' for measure in measures),
        ]
        for key, name in _GROUPS.items()
        if key in summary['instances']
    ]
    header = ['objects', 'number', 'class-mean IoU', 'filled boxes', 'recall at IoU .5']
    return markdown_table(header, rows, text_columns=1)


def _class_table(summary: Mapping[str, Any]) -> str:
    header = ['class', 'number', 'IoU', 'filled boxes', 'recall at IoU .5']
    header += ['separated', 'IoU of these', 'missing']
    rows = []
    for row in summary['per_class']:
        cut = '' if row['separated_iou'] is None else f'{row["separated_iou"]:.3f}'
        shown = (f'{row[key]:.3f}' for key in ('iou', 'filled_boxes', 'recall50'))
        rows.append(
            [row['name'], row['instances'], *shown, row['separated'], cut]
            + [row['missing']]
        )
    return f'## Classes\n\n{markdown_table(header, rows, text_columns=1)}'
