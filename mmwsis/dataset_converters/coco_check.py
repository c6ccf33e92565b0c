"""Reading of COCO files and the checks that need no mask."""

import os
from collections.abc import Mapping
from typing import Any

from mmwsis.formats.coco_file import read_json


def read_coco(path: str | os.PathLike) -> dict[str, Any]:
    """Read a COCO JSON file.

    Args:
        path: The file.

    Returns:
        The parsed document.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is not JSON, or not an object with the lists that COCO
            files have.
    """
    coco = read_json(str(path))
    check_coco(coco, str(path))
    return coco


def check_coco(coco: Any, source: str) -> None:
    """Refuse a document whose images and annotations do not fit together.

    Args:
        coco: Parsed JSON.
        source: Name of the file, for messages.

    Raises:
        ValueError: A list or key is missing, an id appears twice, an image size is
            not positive, or an annotation names an unknown image or category.
    """
    if not isinstance(coco, Mapping):
        raise ValueError(
            f'{source}: expected a COCO object with images, annotations and '
            f'categories, given a JSON {type(coco).__name__}.'
        )
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(coco.get(key), list):
            raise ValueError(
                f'{source}: the list {key!r} is missing; is this a COCO instances file?'
            )
    image_ids = _ids(coco['images'], ('width', 'height'), source, 'image')
    for image in coco['images']:
        for key in ('width', 'height'):
            if not isinstance(image[key], int) or image[key] < 1:
                raise ValueError(
                    f'{source}: image id {image["id"]!r}: {key} must be a positive '
                    f'integer, given {image[key]!r}'
                )
    category_ids = _ids(coco['categories'], ('name',), source, 'category')
    _ids(coco['annotations'], ('image_id', 'category_id'), source, 'annotation')
    lists = dict(image_id='images', category_id='categories')
    for annotation in coco['annotations']:
        for key, known in (('image_id', image_ids), ('category_id', category_ids)):
            if annotation[key] not in known:
                raise ValueError(
                    f'{source}: annotation id {annotation["id"]!r} of image id '
                    f'{annotation["image_id"]!r}: {key} {annotation[key]!r} is not in '
                    f'the file. Add it to {lists[key]}, or remove the annotation.'
                )


def _ids(entries: list[Any], keys: tuple[str, ...], source: str, what: str) -> set[Any]:
    """Ids of the entries, each of which must have ``keys`` and an id of its own."""
    ids: set[Any] = set()
    for index, entry in enumerate(entries):
        if not isinstance(entry, Mapping) or 'id' not in entry:
            raise ValueError(f'{source}: {what} number {index} has no id')
        identifier = entry['id']
        if not isinstance(identifier, (int, str)):
            raise ValueError(
                f'{source}: {what} id {identifier!r} is neither integer nor text'
            )
        if identifier in ids:
            raise ValueError(
                f'{source}: {what} id {identifier!r} appears twice; ids must be '
                'unique over the whole file.'
            )
        ids.add(identifier)
        for key in keys:
            if key not in entry:
                raise ValueError(f'{source}: {what} id {identifier!r} has no {key!r}')
            if key.endswith('_id') and not isinstance(entry[key], (int, str)):
                raise ValueError(
                    f'{source}: {what} id {identifier!r}: {key} must be an id, given '
                    f'{entry[key]!r}'
                )
    return ids
