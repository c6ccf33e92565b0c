"""Quality report of points (clicks or cues) against masks: JSON, Markdown, figure."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmwsis.formats.coco_file import annotations_by_image, load_coco
from mmwsis.formats.json_file import CocoStream
from mmwsis.formats.provenance import provenance_of
from mmwsis.formats.validation.validator import file_claim
from mmwsis.structures.supervision import Supervision, strongest_label
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table
from mmwsis.visualization.curves import save_figure

from .counting import count_errors
from .instance_ground_truth import InstanceGroundTruth
from .metric_tables import percent
from .point_quality import THRESHOLDS, ImagePoints, count_hits, point_figures

_SHARES = ('inside', 'once', 'never', 'several', 'plateau')
_HEADER = (
    'points',
    'inside an object of their class, %',
    'objects',
    'hit once, %',
    'never, %',
    'several times, %',
    'of these by one plateau, %',
)
# Once, never, several times; as in the other figures, the good is blue.
_COLORS = dict(once='#3b6fb6', never='#9aa3ad', several='#e08a2e')
_MAX_CLASSES = 40


def holds_points(path: str | os.PathLike) -> bool:
    """Whether the objects of a COCO JSON have points and nothing stronger.

    Args:
        path: The file, of which ``info`` and else the first annotations are looked at.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no JSON.
    """
    for key, value in CocoStream(str(path)).events():
        if key == 'info' and file_claim(value) is Supervision.POINTS:
            return True
        if key == 'annotations' and isinstance(value, list):
            entries = (one for one in value if isinstance(one, Mapping))
            held = {strongest_label(entry) for entry in entries}
            return Supervision.POINTS in held and held <= {Supervision.POINTS, None}
    return False


def report_of_points(
    pseudo: str | os.PathLike, gt: str | os.PathLike | None, out_dir: str | os.PathLike
) -> dict[str, Any] | None:
    """Write the report of a file of points; leave other files alone.

    Args:
        pseudo: COCO JSON with points.
        gt: COCO JSON with masks of the same images, or of some of them; None is an
            error where ``pseudo`` is a file of points.
        out_dir: Folder of ``quality.json``, ``quality.md`` and ``quality.png``.

    Returns:
        Content of ``quality.json``: ``kind``, ``pseudo_labels``, ``ground_truth``,
        ``provenance``, ``images``, ``images_left_out`` (of the ground truth), the
        errors of :func:`mmwsis.evaluation.counting.count_errors` and the figures of
        :func:`mmwsis.evaluation.point_quality.point_figures`. ``None`` if
        ``pseudo`` is no file of points.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: There is no ground truth, or the two do not fit each other; the
            message names file and ids.
    """
    if Path(pseudo).is_dir() or not holds_points(pseudo):
        return None
    if gt is None:
        raise ValueError(
            f'{pseudo} holds points, which are measured against masks: give the COCO '
            'JSON with masks of some of the images. Without masks, '
            'tools/analysis_tools/check_dataset.py counts points and scores.'
        )
    summary = point_report(pseudo, gt)
    out_dir = Path(out_dir)
    draw_points_quality(summary, out_dir / 'quality.png')
    atomic_write_text(out_dir / 'quality.md', point_markdown(summary))
    atomic_write_json(out_dir / 'quality.json', summary, indent=1)
    return summary


def point_report(pseudo: str | os.PathLike, gt: str | os.PathLike) -> dict[str, Any]:
    """Measure a file of points against masks; see :func:`report_of_points`.

    Args:
        pseudo: COCO JSON with points.
        gt: COCO JSON with masks.
    """
    coco = load_coco(str(pseudo), Supervision.POINTS)
    names = {one['id']: one['name'] for one in coco['categories']}
    classes = list(names.values())
    truth = InstanceGroundTruth(str(gt), classes)
    label_of = {key: label for label, key in enumerate(names)}
    by_image, known = annotations_by_image(coco), set(truth.image_ids)
    shared = [image for image in coco['images'] if image['id'] in known]
    if not shared:
        raise ValueError(f'{pseudo} and {gt} share no image id.')
    counts = np.zeros((len(THRESHOLDS), len(classes), 7), dtype=np.int64)
    numbers = []  # of points and of objects, (2, C) of every image
    for image in shared:
        size = truth.image_size(image['id'])
        if size != (image['height'], image['width']):
            raise ValueError(
                f'{pseudo}: image id {image["id"]!r} is {image["height"]} x '
                f'{image["width"]} (height, width), in {gt} {size[0]} x {size[1]}.'
            )
        found = _points(by_image[image['id']], label_of)
        objects = truth.objects(image['id'])
        counts += count_hits(found, objects, size, len(classes))
        both = found.labels, objects.labels[~objects.crowd]
        numbers.append([np.bincount(own, minlength=len(classes)) for own in both])
    return dict(
        kind='points',
        pseudo_labels=str(pseudo),
        ground_truth=str(gt),
        provenance=provenance_of(coco),
        images=len(shared),
        images_left_out=len(known) - len(shared),
        **count_errors(*np.array(numbers).swapaxes(0, 1)),
        **point_figures(
            counts, classes, any('score' in one for one in coco['annotations'])
        ),
    )


def _points(annotations: list[dict], label_of: Mapping[Any, int]) -> ImagePoints:
    own = [one for one in annotations if one.get('point') is not None]
    return ImagePoints(
        labels=np.array([label_of[one['category_id']] for one in own], dtype=np.int64),
        points=np.array([one['point'] for one in own], dtype=float).reshape(-1, 2),
        scores=np.array([one.get('score', 1) for one in own], dtype=float),
    )


def point_markdown(summary: Mapping[str, Any]) -> str:
    """The report for people.

    Args:
        summary: Of :func:`point_report`.
    """
    left_out = summary['images_left_out']
    note = f' ({left_out} images of the ground truth have no points)'
    blocks = [
        f'# Quality of {summary["pseudo_labels"]}',
        f'Points compared with the masks of {summary["ground_truth"]} on '
        f'{summary["images"]} images{note if left_out else ""}. A point hits the '
        'objects of its class that its pixel belongs to. A plateau are adjacent points '
        'of equal score: `merge_plateaus` would have made one of them. The numbers of '
        f'points and objects of an image differ by {summary["MAE"]:.2f} on average '
        f'(MAE), those of a class by {summary["class_MAE"]:.2f}.',
        markdown_table(_HEADER, [_cells(summary)], text_columns=0),
        '![Points and objects by class and score](quality.png)',
        '## Classes',
        _table('class', 'name', summary['per_class'], 1),
    ]
    if summary['per_threshold']:
        blocks += [
            '## Points with a score above a threshold',
            _table('threshold', 'threshold', summary['per_threshold'], 0),
        ]
    return '\n\n'.join(blocks) + '\n'


def _table(title: str, key: str, rows: list, text_columns: int) -> str:
    cells = [[row[key], *_cells(row)] for row in rows]
    return markdown_table([title, *_HEADER], cells, text_columns=text_columns)


def _cells(row: Mapping[str, Any]) -> list[Any]:
    inside, *shares = (percent(row[key]) for key in _SHARES)
    return [row['points'], inside, row['objects'], *shares]


def draw_points_quality(summary: Mapping[str, Any], path: Path) -> None:
    """Objects by class and number of hits; shares over the threshold of the score.

    Args:
        summary: Of :func:`point_report`.
        path: PNG to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in summary['per_class'] if row['objects']]
    rows = sorted(rows, key=lambda row: row['once'])[:_MAX_CLASSES]
    scored = bool(summary['per_threshold'])
    figure = Figure(
        figsize=(6 + 5 * scored, max(4.2, 0.24 * len(rows) + 1.4)), layout='constrained'
    )
    axes = np.atleast_1d(figure.subplots(1, 1 + scored))
    inside = percent(summary['inside'])
    figure.suptitle(
        f'{Path(summary["pseudo_labels"]).name}: {inside} % of {summary["points"]} '
        'points are inside an object of their class'
    )
    _draw_classes(axes[0], rows)
    if scored:
        _draw_thresholds(axes[1], summary['per_threshold'])
    FigureCanvasAgg(figure)
    save_figure(figure, path)


def _draw_classes(axes: Any, rows: list[Mapping[str, Any]]) -> None:
    places, left = np.arange(len(rows)), np.zeros(len(rows))
    for key, color in _COLORS.items():
        values = np.array([row[key] for row in rows])
        axes.barh(places, values, 0.76, left, color=color, label=_name(key))
        left += values
    axes.set_yticks(places, [f'{row["name"]} ({row["objects"]})' for row in rows])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), title='objects by how many points hit them (number)')
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)
    axes.spines[['top', 'right']].set_visible(False)


def _draw_thresholds(axes: Any, rows: list[Mapping[str, Any]]) -> None:
    thresholds = [row['threshold'] for row in rows]
    for key, color in dict(inside='black', **_COLORS).items():
        # None, where no point is left, leaves a gap.
        values = np.array([row[key] for row in rows], dtype=float)
        axes.plot(thresholds, values, 'o-', ms=3, color=color, label=_name(key))
    axes.set(
        xlim=(0, 1), ylim=(0, 1), xlabel='points with a score above', ylabel='share'
    )
    axes.set_title('shares by the threshold of the score')
    axes.legend(loc='upper center', bbox_to_anchor=(0.5, -0.14), ncols=2, frameon=False)
    axes.spines[['top', 'right']].set_visible(False)


def _name(key: str) -> str:
    return dict(
        inside='points inside an object',
        once='objects hit once',
        never='never',
        several='several times',
    )[key]
