"""What a file or folder of pseudo labels tells without ground truth."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from mmwsis.formats.class_maps import KIND, read_class_maps
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.coco_masks import check_segmentation, checked_rle
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.panoptic_files import PanopticFile, is_panoptic_file
from mmwsis.formats.semantic_maps import BACKGROUND, IGNORE_INDEX, read_semantic_map
from mmwsis.pseudo_labels.collapse import (
    dominant_class,
    dominant_value,
    map_collapse,
    mask_collapse,
)
from mmwsis.structures import annotation_place
from mmwsis.utils.fileio import atomic_write_json, atomic_write_text
from mmwsis.utils.markdown import markdown_table

from .matched_quality import matched_by_overlap
from .metric_tables import percent
from .quality_figures import draw_fill


def collapse_of_file(coco: Mapping[str, Any], path: str | os.PathLike) -> dict:
    """How much of their boxes the masks of a COCO JSON fill.

    Areas and tight boxes are those of the masks, whatever the file says of them.

    Args:
        coco: Content of the file.
        path: Names it in messages.

    Returns:
        As :func:`mmwsis.pseudo_labels.collapse.mask_collapse`.

    Raises:
        ValueError: A mask is broken; the message names file and ids.
    """
    measured = list(_measured(coco, str(path)))
    return mask_collapse({**coco, 'annotations': measured}, matched_by_overlap(coco))


def weak_box(annotation: Mapping[str, Any], path: str) -> list[float] | None:
    """The box that a labeler was given.

    Args:
        annotation: Pseudo label.
        path: Names the file in messages.

    Returns:
        ``weak_bbox``; None where there is none.

    Raises:
        ValueError: It is no box; the message names the annotation.
    """
    box = annotation.get('weak_bbox')
    if box is None:
        return None
    numbers = isinstance(box, (list, tuple)) and all(
        type(v) in (int, float) for v in box
    )
    if not numbers or len(box) != 4 or not np.isfinite(np.array(box, float)).all():
        raise ValueError(
            f'{annotation_place(path, annotation)}: weak_bbox must be [x, y, width, '
            f'height], finite numbers in pixels; got {box!r}.'
        )
    return box


def _measured(coco: Mapping[str, Any], path: str) -> Iterator[dict[str, Any]]:
    sizes = {im['id']: (im['height'], im['width']) for im in coco['images']}
    for annotation in coco['annotations']:
        size = sizes[annotation['image_id']]
        mask = annotation.get('segmentation')
        check_segmentation(mask, size, annotation_place(path, annotation))
        rle = checked_rle(mask, *size)
        box, area = coco_mask.toBbox(rle).tolist(), int(coco_mask.area(rle))
        weak_box(annotation, path)
        yield {**annotation, 'bbox': box, 'area': area}


def write_collapse_report(
    pseudo: str | os.PathLike,
    out_dir: str | os.PathLike,
    seg_dir: str | os.PathLike | None = None,
) -> dict[str, Any]:
    """Write ``quality.json`` and ``quality.md`` of labels without ground truth.

    Args:
        pseudo: COCO JSON with masks, COCO panoptic JSON, folder of semantic PNGs, or
            folder of maps of label generation.
        out_dir: Folder; made if absent. For masks there is also ``quality.png``.
        seg_dir: PNGs of a panoptic JSON; by default the folder of its name without
            ``.json``.

    Returns:
        Content of ``quality.json``: ``pseudo_labels`` and ``collapse``.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A label is broken; the message names file and ids.
    """
    out_dir = Path(out_dir)
    if Path(pseudo).is_dir() or is_panoptic_file(pseudo):
        collapse = collapse_of_maps(pseudo, seg_dir)
    else:
        collapse = collapse_of_file(load_coco(str(pseudo), 'masks'), pseudo)
    summary = dict(pseudo_labels=str(pseudo), collapse=collapse)
    if 'histogram' in collapse:
        draw_fill(collapse, out_dir / 'quality.png')
    head = f'# {pseudo}, without ground truth\n\n'
    atomic_write_text(out_dir / 'quality.md', f'{head}{collapse_section(collapse)}\n')
    atomic_write_json(out_dir / 'quality.json', summary, indent=1)
    return summary


def collapse_of_maps(
    pseudo: str | os.PathLike, seg_dir: str | os.PathLike | None = None
) -> dict[str, Any]:
    """How many maps are of one class everywhere.

    Args:
        pseudo: COCO panoptic JSON, folder of semantic PNGs, or folder of maps of label
            generation.
        seg_dir: PNGs of a panoptic JSON; by default the folder of its name without
            ``.json``.

    Returns:
        As :func:`mmwsis.pseudo_labels.collapse.map_collapse`.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A map is broken; the message names it.
    """
    if Path(pseudo).is_dir():
        return _folder_collapse(Path(pseudo))
    return _panoptic_collapse(
        PanopticFile(pseudo, seg_dir or Path(pseudo).with_suffix(''))
    )


def _folder_collapse(folder: Path) -> dict[str, Any]:
    """Of an index, or, where there is none or an old one, of the maps themselves."""
    files = sorted(folder.rglob('*.png'))
    if not (folder / 'index.json').is_file():
        if not files:
            raise FileNotFoundError(f'{folder} has no label maps (*.png).')
        found = [dominant_value(read_semantic_map(p), IGNORE_INDEX) for p in files]
        return map_collapse(found, [str(value) for value in range(IGNORE_INDEX)])
    index = MapIndex(folder)
    if index.kind != KIND:
        found = _dominant_values(index, _dominant_of_semantic_map)
        return map_collapse(found, index.classes)
    found = _dominant_values(index, _dominant_of_class_maps)
    # Images without a class have no class map, which is no fault.
    found = (one for one in found if one is not None)
    return map_collapse(found, (BACKGROUND, *index.classes))


def _dominant_values(
    index: MapIndex, read: Callable[[Path], list | None]
) -> Iterator[list | None]:
    values = len(index.classes) + (index.kind == KIND)
    for image_id in index.image_ids:
        entry = index.entry(image_id)
        found = entry['dominant'] if 'dominant' in entry else read(index.path(image_id))
        if found is not None and not _is_dominant(found, values):
            raise ValueError(
                f'{index.folder}: image id {image_id!r} is mostly {found!r}; expected '
                f'[value, share] with a value of 0 to {values - 1}. Make the folder '
                'anew with --overwrite.'
            )
        yield found


def _is_dominant(found: Any, values: int) -> bool:
    try:
        value, share = found
        return value in range(values) and 0 <= share <= 1
    except (TypeError, ValueError):
        return False


def _dominant_of_semantic_map(path: Path) -> list | None:
    return dominant_value(read_semantic_map(path), IGNORE_INDEX)


def _dominant_of_class_maps(path: Path) -> list | None:
    found = read_class_maps(path)
    return dominant_class(found.labels, found.maps.values())


def _panoptic_collapse(file: PanopticFile) -> dict[str, Any]:
    value_of = {category: index for index, category in enumerate(file.categories)}
    found = []
    for image_id in file.image_ids:
        segments, values = file.segments(image_id), file.segment_map(image_id)
        classes = np.full(values.shape, len(value_of))
        for segment in segments:
            classes[values == segment['id']] = value_of[segment['category_id']]
        found.append(dominant_value(classes, len(value_of)))
    return map_collapse(found, [entry['name'] for entry in file.categories.values()])


def collapse_section(collapse: Mapping[str, Any]) -> str:
    """Section of a quality report.

    Args:
        collapse: Of masks or of maps.

    Returns:
        Markdown: warnings and the figures behind them, shares in percent.
    """
    blocks = ['## Without ground truth']
    blocks += [f'**Warning:** {warning}' for warning in collapse['warnings']]
    if 'maps' in collapse:
        header = ['maps', 'of one class everywhere', 'undecided']
        row = [collapse['maps'], *(percent(collapse[k]) for k in ('flat', 'undecided'))]
        return '\n\n'.join([*blocks, markdown_table(header, [row], text_columns=0)])
    box = 'weak box' if collapse['boxes'] == 'weak' else 'own tight box'
    header = ['class', 'masks', f'median fill of the {box}', 'over 95', 'under 5']
    keys = ('median_fill', 'filled', 'nearly_empty', 'empty')
    rows = [
        [row['name'], row['masks'], *(percent(row[key]) for key in keys)]
        for row in ({**collapse, 'name': 'all'}, *collapse['per_class'])
    ]
    blocks.append(
        'How much of its box a mask fills, in percent. An ellipse fills 78.5, a '
        'rectangle along the axes 100; over 95 are at most 13 % of the real objects of '
        'a class, under 5 at most 2 %.'
    )
    blocks.append(markdown_table([*header, 'empty'], rows, text_columns=1))
    return '\n\n'.join(blocks)
