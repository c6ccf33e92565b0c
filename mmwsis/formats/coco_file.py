"""Reading a COCO JSON: parse, leak guard, then checks that name the broken entry."""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.logging import print_log

from mmwsis.structures.extreme_points import are_extreme_points, points_of_pixels
from mmwsis.structures.supervision import Supervision, restrict_coco

from .categories import alike_hint, name_list
from .checks import check_coco, check_document
from .json_file import read_json
from .provenance import provenance_of

# How `info.mmwsis.coordinates` says that extreme points are indices of pixels. Tools
# that derive them from masks wrote nothing else before they said so.
PIXEL_INDEX = 'pixel-index'
_ONCE_PIXEL_INDEX = ('coco2weak', 'mix_supervision', 'annotation_budget')


def load_coco(
    ann_file: str,
    supervision: 'str | Supervision',
    backend_args: dict | None = None,
    need_tags: bool = True,
) -> dict[str, Any]:
    """Read a COCO JSON as far as a supervision level may see it.

    The leak guard runs on the parsed dictionary before anything else reads it; the
    parsed file itself is not kept.

    Args:
        ann_file: Path or URL of the file.
        supervision: Level that the dataset is declared with.
        backend_args: Arguments of MMEngine's file backend.
        need_tags: Refuse images whose tags are neither given nor told by annotations.
            False for who reads the list of images alone.

    Returns:
        Dictionary of :func:`mmwsis.structures.restrict_coco`, checked. Extreme points
        up to one pixel outside their image are moved onto its border; where the file
        has indices of pixels, they are the outer edges of these pixels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no COCO JSON, or an entry is broken; the message names
            the file and the ids.
    """
    level = Supervision.parse(supervision)
    coco = read_json(ann_file, backend_args)
    check_document(coco, ann_file)
    coco.setdefault('annotations', [])
    if need_tags and level is Supervision.IMAGE_TAGS and not coco['annotations']:
        _require_tags(coco['images'], ann_file)
    if _has_pixel_indices(coco):
        _take_edges(coco)
    coco = restrict_coco(coco, level, source=ann_file)
    check_coco(coco, ann_file, level)
    return coco


def _has_pixel_indices(coco: Mapping[str, Any]) -> bool:
    block = provenance_of(coco)
    default = PIXEL_INDEX if block.get('tool') in _ONCE_PIXEL_INDEX else None
    return block.get('coordinates', default) == PIXEL_INDEX


def _take_edges(coco: dict[str, Any]) -> None:
    """Put the outer edges of pixels in the place of their indices."""
    for annotation in coco['annotations']:
        points = annotation.get('extreme_points') if annotation else None
        # Others are refused by the checks that follow.
        if are_extreme_points(points):
            annotation['extreme_points'] = points_of_pixels(points)


def read_coco(path: str | os.PathLike) -> dict[str, Any]:
    """Read a COCO JSON whole, for what derives labels from it.

    Args:
        path: The file.

    Returns:
        The parsed file; its images, categories, ids and references are checked, its
        labels are not.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no COCO JSON, or an entry is broken; the message names
            the file and the ids.
    """
    coco = read_json(str(path))
    check_coco(coco, str(path))
    return coco


def _require_tags(images: list[Any], ann_file: str) -> None:
    """Refuse an image whose tags are not given: it would pass for an empty one."""
    for image in images:
        if isinstance(image, Mapping) and image.get('tags') is None:
            raise ValueError(
                f'{ann_file}: image id {image.get("id")!r} has no tags, and the file '
                'has no annotations that would tell its classes. Give every image the '
                'list of its category ids, "tags": [] where no class is present.'
            )


def match_classes(
    classes: Sequence[str], categories: Sequence[Mapping[str, Any]], source: str
) -> list[int]:
    """Category ids of the classes of a config, matched by name.

    Args:
        classes: ``metainfo['classes']``; the index in it is the label.
        categories: Categories of the file, ids in any order and with gaps.
        source: Name of the file, for error messages.

    Returns:
        One category id per class.

    Raises:
        ValueError: ``classes`` is a string, names a class twice, or names one that the
            file does not have.
    """
    if isinstance(classes, str):
        raise ValueError(
            f"metainfo['classes'] must be a tuple of names, got the string "
            f'{classes!r}; a single class is written ({classes!r},) with the comma.'
        )
    names = [category['name'] for category in categories]
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise ValueError(
            f"{source}: metainfo['classes'] names {name_list(unknown)}, which the "
            f'file does not have; its categories are {name_list(names)}.'
            f'{alike_hint(unknown, names)} Set metainfo=dict(classes=...) to the names '
            'in the file.'
        )
    if len(set(classes)) != len(classes):
        twice = [name for name, count in Counter(classes).items() if count > 1]
        raise ValueError(
            f"metainfo['classes'] names a class twice: {name_list(twice)}."
        )
    in_file_order = [name for name in names if name in set(classes)]
    if in_file_order != list(classes):
        print_log(
            f"{source}: metainfo['classes'] is {name_list(classes)}, but the "
            f'categories of the file come in the order {name_list(in_file_order)}. '
            'mmwsis maps by name; mmdet.CocoDataset and mmdet.CocoMetric number '
            'classes in the order of the file: use that order in metainfo to combine '
            'them.',
            logger='current',
            level=logging.WARNING,
        )
    id_of = {category['name']: category['id'] for category in categories}
    return [id_of[name] for name in classes]


def image_file_name(image: Mapping[str, Any]) -> str:
    """Path of an image below the data prefix.

    Args:
        image: One entry of ``images``.

    Returns:
        ``file_name``, or for LVIS, which has none, the last two parts of ``coco_url``,
        for example ``'train2017/000000000009.jpg'``.
    """
    if image.get('file_name'):
        return image['file_name']
    return '/'.join(image['coco_url'].split('/')[-2:])


def with_file_names(images: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Name the images of LVIS, which have a URL alone, for tools that know COCO.

    Args:
        images: Entries of ``images``.

    Returns:
        Copies with ``file_name``.
    """
    return [{**image, 'file_name': image_file_name(image)} for image in images]


def annotations_by_image(coco: Mapping[str, Any]) -> dict[Any, list[dict[str, Any]]]:
    """Annotations of every image, both in the order of the file.

    Args:
        coco: COCO dictionary.

    Returns:
        From image id to its annotations; images without annotations have an empty list.
    """
    grouped: dict[Any, list[dict[str, Any]]] = {im['id']: [] for im in coco['images']}
    for annotation in coco['annotations']:
        grouped[annotation['image_id']].append(annotation)
    return grouped
