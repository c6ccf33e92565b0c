"""Figures of a quality report."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from mmwsis.formats.coco_file import image_file_name
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.pseudo_labels.collapse import ELLIPSE
from mmwsis.structures import annotation_place
from mmwsis.visualization.coco_files import read_image
from mmwsis.visualization.curves import save_figure
from mmwsis.visualization.sheet import Tile, contact_sheet, save_image

from .mask_quality import InstanceQuality

if TYPE_CHECKING:
    from .compare_files import Comparison

_TRUTH, _PSEUDO = (40, 220, 90), (255, 50, 120)
_BLUE, _ORANGE = '#3b6fb6', '#e08a2e'
_TILE = 220
_MAX_CLASSES = 40


def draw_quality(summary: Mapping[str, Any], path: Path) -> None:
    """Histograms of IoU and fill, IoU by size and shape, and by class, beside boxes.

    Args:
        summary: Of ``Comparison.summary``.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = _class_rows(summary['per_class'])
    figure = Figure(
        figsize=(16, max(4.2, 0.24 * len(rows) + 1.4)), layout='constrained'
    )
    histogram, fill, groups, classes = figure.subplots(
        1, 4, width_ratios=(1, 1, 1, 1.2)
    )
    figure.suptitle(
        f'{summary["pseudo_labels"]}: class-mean IoU '
        f'{summary["class_mean_iou"]["all"]:.3f} (filled boxes '
        f'{summary["filled_boxes"]["all"]:.3f})'
    )
    _draw_histogram(histogram, summary)
    _draw_fill(fill, summary['collapse'])
    keys = list(summary['instances'])
    labels = [f'{key} ({summary["instances"][key]})' for key in keys]
    pairs = [(summary['class_mean_iou'][k], summary['filled_boxes'][k]) for k in keys]
    _draw_bars(groups, labels, pairs, 'class-mean IoU by group (number)')
    labels = [f'{row["name"]} ({row["instances"]})' for row in rows]
    pairs = [(row['iou'], row['filled_boxes']) for row in rows]
    title = 'IoU by class (number)'
    if len(rows) < len(summary['per_class']):
        title = f'IoU of the worst {len(rows)} classes (number)'
    _draw_bars(classes, labels, pairs, title)
    groups.legend(
        loc='upper center', bbox_to_anchor=(0.5, -0.08), ncols=2, frameon=False
    )
    FigureCanvasAgg(figure)
    save_figure(figure, path)


def draw_fill(collapse: Mapping[str, Any], path: Path) -> None:
    """Histogram of how much of their boxes the masks fill.

    Args:
        collapse: Of :func:`mmwsis.pseudo_labels.collapse.mask_collapse`.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.2), layout='constrained')
    _draw_fill(figure.subplots(), collapse)
    FigureCanvasAgg(figure)
    save_figure(figure, path)


def _draw_fill(axes: Any, collapse: Mapping[str, Any]) -> None:
    edges = np.array(collapse['histogram']['edges'])
    counts = collapse['histogram']['counts']
    axes.bar(edges[:-1], counts, np.diff(edges), align='edge', color=_BLUE, ec='white')
    axes.axvline(ELLIPSE, color=_ORANGE, lw=1.5, label=f'ellipse {ELLIPSE:.3f}')
    if collapse['median_fill'] is not None:
        median = collapse['median_fill']
        axes.axvline(median, color='black', lw=1, ls='--', label=f'median {median:.3f}')
    box = 'weak box' if collapse['boxes'] == 'weak' else 'own tight box'
    axes.set(xlim=(0, 1), xlabel=f'share of the {box}', ylabel='masks')
    axes.set_title('How much of its box a mask fills')
    axes.legend(loc='upper left', frameon=False)
    axes.spines[['top', 'right']].set_visible(False)


def _class_rows(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Worst first; all that an image can hold."""
    return sorted(rows, key=lambda row: row['iou'])[:_MAX_CLASSES]


def _draw_histogram(axes: Any, summary: Mapping[str, Any]) -> None:
    edges = np.array(summary['histogram']['edges'])
    counts = summary['histogram']['counts']
    axes.bar(edges[:-1], counts, np.diff(edges), align='edge', color=_BLUE, ec='white')
    mean = summary['instance_mean_iou']
    axes.axvline(mean, color='black', lw=1, ls='--', label=f'mean {mean:.3f}')
    axes.set(xlim=(0, 1), xlabel='IoU', ylabel='objects', title='IoU of all objects')
    axes.legend(loc='upper left', frameon=False)
    axes.spines[['top', 'right']].set_visible(False)


def _draw_bars(
    axes: Any, labels: Sequence[str], pairs: Sequence[tuple[float, float]], title: str
) -> None:
    places = np.arange(len(labels))
    axes.barh(
        places - 0.2, [p[0] for p in pairs], 0.38, color=_BLUE, label='pseudo labels'
    )
    axes.barh(
        places + 0.2, [p[1] for p in pairs], 0.38, color=_ORANGE, label='filled boxes'
    )
    for place, values in zip(places, pairs):
        for value, shift in zip(values, (-0.2, 0.2)):
            text = f'{value:.2f}'
            axes.text(value + 0.01, place + shift, text, va='center', fontsize=7)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.08), title=title)
    axes.spines[['top', 'right']].set_visible(False)


def draw_worst(
    comparison: 'Comparison',
    instances: Sequence[InstanceQuality],
    path: Path,
    img_dir: str | os.PathLike | None,
) -> None:
    """Contact sheet: every object once with its pseudo mask, once with its truth.

    Args:
        comparison: Holds images and masks.
        instances: What to show, in order.
        path: PNG to write.
        img_dir: Folder of the images; None draws on grey.

    Raises:
        FileNotFoundError: An image does not exist.
    """
    tiles = []
    for item in instances:
        image, pseudo, truth = _crops(comparison, item, img_dir)
        left = _outlined(image, pseudo, _PSEUDO)
        right = _outlined(image, truth, _TRUTH)
        gap = np.full((left.shape[0], 3, 3), 250, dtype=np.uint8)
        name = comparison.names[item.category_id]
        state = ' missing' if item.missing else ' empty' if item.empty else ''
        tiles.append(
            Tile(
                np.hstack([left, gap, right]),
                f'{name}, IoU {item.iou:.2f}{state} (box {item.box_iou:.2f})\n'
                f'annotation {item.ann_id}, image {item.image_id}',
            )
        )
    sheet = contact_sheet(
        tiles,
        4,
        title=f'Worst {len(tiles)} of {comparison.pseudo_path.name}',
        legend=[('pseudo label (left)', _PSEUDO), ('ground truth (right)', _TRUTH)],
    )
    save_image(path, sheet)


def _crops(
    comparison: 'Comparison', item: InstanceQuality, img_dir: str | os.PathLike | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, pseudo mask and true mask around one object."""
    entry = comparison.images[item.image_id]
    size = entry['height'], entry['width']
    if img_dir is None:
        image = np.full((*size, 3), 128, dtype=np.uint8)
    else:
        image = _find_image(Path(img_dir), entry)
    where = annotation_place(str(comparison.gt_path), comparison.gt[item.ann_id])
    truth = annotation_mask(comparison.gt[item.ann_id]['segmentation'], size, where)
    pseudo = np.zeros_like(truth)
    if not item.missing:
        label = comparison.pseudo[item.pseudo_id]
        where = annotation_place(str(comparison.pseudo_path), label)
        pseudo = annotation_mask(label['segmentation'], size, where)
    rows = np.flatnonzero((truth | pseudo).any(axis=1))
    columns = np.flatnonzero((truth | pseudo).any(axis=0))
    if not len(rows):
        rows, columns = np.array([0, size[0] - 1]), np.array([0, size[1] - 1])
    margin = 4 + int(0.2 * max(np.ptp(rows), np.ptp(columns)))
    window = tuple(
        slice(max(line[0] - margin, 0), line[-1] + margin + 1)
        for line in (rows, columns)
    )
    return image[window], pseudo[window], truth[window]


def _find_image(img_dir: Path, entry: Mapping[str, Any]) -> np.ndarray:
    name = image_file_name(entry)
    # LVIS names carry their folder, which --img-dir may include already.
    path = img_dir / name
    if not path.is_file() and (img_dir / Path(name).name).is_file():
        path = img_dir / Path(name).name
    image = read_image(path, entry['id'])
    expected = entry['height'], entry['width']
    if image.shape[:2] != expected:
        raise ValueError(
            f'Image {path} (image id {entry["id"]!r}) has {image.shape[1]} x '
            f'{image.shape[0]} pixels, the annotation files say {expected[1]} x '
            f'{expected[0]}. Is --img-dir the folder of these images?'
        )
    return image


def _outlined(
    image: np.ndarray, mask: np.ndarray, color: tuple[int, int, int]
) -> np.ndarray:
    """A tile of fixed size with a tinted mask and its outline."""
    height, width = mask.shape
    scale = _TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    drawn = cv2.resize(np.ascontiguousarray(image), size, interpolation=how)
    large = cv2.resize(
        np.ascontiguousarray(mask), size, interpolation=cv2.INTER_NEAREST
    )
    inside = large > 0
    drawn[inside] = (0.8 * drawn[inside] + 0.2 * np.array(color)).astype(np.uint8)
    outline, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, outline, -1, (0, 0, 0), 4)  # a rim, seen on any ground
    cv2.drawContours(drawn, outline, -1, color, 2)
    tile = np.full((_TILE, _TILE, 3), 250, dtype=np.uint8)
    top, left = (_TILE - size[1]) // 2, (_TILE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = drawn
    return tile
