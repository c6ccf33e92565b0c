"""Checks of categories and images."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmwsis.structures.supervision import Supervision

from ..categories import clean_name, difference, look
from ..coco_masks import MaskError, rle_runs, shorten
from ..crop_tags import CropTags
from .columns import NO_LEVEL, ImageTable, is_id
from .file_names import path_fault, plain_path
from .issues import IssueLog

_NAN = float('nan')
# OpenCV opens no more; pycocotools would count in 32 bits.
MAX_SIDE = 2**20
MAX_IMAGE_PIXELS = 2**30
_MAX_LISTED = 20
# Verified absent classes, and present ones of which not every object is annotated.
_LVIS_KEYS = ('neg_category_ids', 'not_exhaustive_category_ids')


def check_lists(coco: Mapping[str, Any], source: str, keys: Iterable[str]) -> None:
    """Refuse a file without the lists that every COCO file has.

    Args:
        coco: Parsed file.
        source: Name of the file, for error messages.
        keys: Names of the lists.

    Raises:
        ValueError: One is missing or no list.
    """
    for key in keys:
        if not isinstance(coco.get(key), list):
            raise ValueError(
                f'{source}: expected a COCO JSON with the list {key!r}; its keys are '
                f'{sorted(coco)}.'
            )


def check_categories(categories: Sequence[Any], log: IssueLog) -> dict[Any, str]:
    """Check the list of categories.

    Args:
        categories: As in the file.
        log: Takes the issues.

    Returns:
        From id to name, of the valid ones.
    """
    known: dict[Any, str] = {}
    names: set[str] = set()
    for index, category in enumerate(categories):
        valid = isinstance(category, Mapping) and {'id', 'name'} <= category.keys()
        if not (valid and is_id(category['id']) and _is_name(category['name'])):
            text = f'categories[{index}] must have id and name; got {category!r}.'
            log.add('category-entry', text)
            continue
        for key, seen in (('id', known), ('name', names)):
            if category[key] in seen:
                text = f'two categories have the {key} {category[key]!r}; it must be '
                log.add('category-duplicate', f'{text}unique.')
        known.setdefault(category['id'], category['name'])
        names.add(category['name'])
    _check_names(names, log)
    return known


def _is_name(value: Any) -> bool:
    return _is_writable(value) and clean_name(value) != ''


def _is_writable(value: Any) -> bool:
    """Whether ``value`` is text that UTF-8 has, so that files can hold it."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # Half of a pair, such as backslash ud83d in the JSON.
        return False
    return True


def _check_names(names: Iterable[str], log: IssueLog) -> None:
    """Find names that a reader takes for others than a program does."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        clean = clean_name(name)
        if clean != name:
            log.add('category-name', f'category {name!r} looks like {clean!r}.')
        other = seen.setdefault(look(name), name)
        if other != name:
            text = f'categories {other!r} and {name!r} differ in '
            log.add('category-alike', f'{text}{difference(other, name)} only.')


def check_images(
    images: Sequence[Any],
    table: ImageTable,
    log: IssueLog,
    required: Supervision | None,
    claimed: Supervision,
    own_levels: bool = True,
) -> None:
    """Check the list of images, and enter them into the table.

    Args:
        images: As in the file.
        table: Table to fill.
        log: Takes the issues.
        required: Level that the file is read at; None if nothing says so.
        claimed: Level that the file claims; MASKS if none.
        own_levels: Honour ``images[].supervision``; pseudo labels keep that of the
            file that they were made from.
    """
    for index, image in enumerate(images):
        image_id = image.get('id') if isinstance(image, Mapping) else None
        if not is_id(image_id):
            text = f'images[{index}] must be an object with an id; got '
            log.add('image-entry', f'{text}{shorten(image)}.')
            continue
        if image_id in table.index:
            text = f'image id {image_id!r} appears twice in images; ids must be unique.'
            log.add('image-id-duplicate', text, image_id=image_id)
            continue
        table.index[image_id] = len(table.ids)
        table.ids.append(image_id)
        table.sizes.append(_size(image, log))
        table.files.append(_file_name(image, log))
        own = _own_level(image, log) if own_levels else None
        given = [level for level in (required, own) if level is not None]
        table.required.append(min(given, default=NO_LEVEL))
        table.claimed.append(claimed if own is None else min(claimed, own))
        table.tags.append(_tags(image, log))
        table.listed.append({key: _id_list(image, key, log) for key in _LVIS_KEYS})
        table.listed[-1]['crop_tags'] = _crop_tags(image, log)
        _check_void(image, table.sizes[-1], table.claimed[-1], log)


def _size(image: Mapping[str, Any], log: IssueLog) -> tuple[float, float]:
    valid = True
    for key in ('width', 'height'):
        value = image.get(key)
        if type(value) is not int or value < 1:
            valid = False
            text = f'{key} must be a positive integer (pixels); got {value!r}.'
            log.add_image('image-size', image['id'], text)
    size = image.get('width'), image.get('height')
    if valid and (max(size) > MAX_SIDE or size[0] * size[1] > MAX_IMAGE_PIXELS):
        valid = False
        text = (
            f'an image of {size[0]} x {size[1]} pixels is more than any reader opens.'
        )
        log.add_image('image-size', image['id'], text)
    return size if valid else (_NAN, _NAN)


def _file_name(image: Mapping[str, Any], log: IssueLog) -> str | None:
    name = image.get('file_name') or image.get('coco_url')
    if _is_writable(name) and name.strip() and '\0' not in name:
        if not image.get('file_name'):
            text = 'file_name is missing, coco_url is there.'
            log.add_image('image-url-only', image['id'], text)
            return '/'.join(name.split('/')[-2:])
        fault = path_fault(name)
        if fault:
            log.add_image('image-file-path', image['id'], f'file_name {name!r} {fault}')
        return name
    said = f'must be the path of a file; got {name!r}' if name else 'is missing'
    log.add_image('image-file-name', image['id'], f'file_name {said}.')
    return None


def _own_level(image: Mapping[str, Any], log: IssueLog) -> Supervision | None:
    own = image.get('supervision')
    if own is None:
        return None
    try:
        return Supervision.parse(own)
    except ValueError as error:
        log.add_image('image-supervision', image['id'], str(error))
        return None


def _tags(image: Mapping[str, Any], log: IssueLog) -> tuple[Any, ...] | None:
    tags = _id_list(image, 'tags', log)
    if tags is None:
        return None
    twice = sorted({tag for tag in tags if tags.count(tag) > 1}, key=str)
    if twice:
        text = f'tags {twice} stand there twice.'
        log.add_image('tags-duplicate', image['id'], text)
    return tags


def _id_list(
    image: Mapping[str, Any], key: str, log: IssueLog
) -> tuple[Any, ...] | None:
    ids = image.get(key)
    if ids is None:
        return None
    if not isinstance(ids, list) or not all(map(is_id, ids)):
        text = f'{key} must be a list of category ids; got {shorten(ids)}.'
        log.add_image('image-tags', image['id'], text)
        return None
    return tuple(ids)


def _crop_tags(image: Mapping[str, Any], log: IssueLog) -> tuple[Any, ...] | None:
    """Return the ids of all crops."""
    given = image.get('crop_tags')
    if given is None:
        return None
    text = ''
    try:
        ids = CropTags.parse(given, (image.get('height'), image.get('width'))).all_tags
    except ValueError as error:
        ids, text = None, str(error)
    else:
        tags = image.get('tags')
        missing = [tag for tag in ids if isinstance(tags, list) and tag not in tags]
        if missing:
            text = f'crop_tags have the category ids {missing}, which tags lack.'
    if text:
        log.add_image('image-crop-tags', image['id'], text)
    return ids


def _check_void(
    image: Mapping[str, Any],
    size: tuple[float, float],
    claimed: Supervision,
    log: IssueLog,
) -> None:
    void = image.get('void')
    if void is None:
        return
    if claimed < Supervision.MASKS:
        label = Supervision(claimed).label
        text = f'void, the pixels of no class, at supervision {label!r}.'
        log.add_image('leak', image['id'], text)
    message = _void_fault(void, size)
    if message:
        log.add_image('void-format', image['id'], message)


def _void_fault(void: Any, size: tuple[float, float]) -> str:
    if not isinstance(void, Mapping) or not isinstance(void.get('counts'), str):
        return (
            'void must be a compressed RLE, {"size": [height, width], "counts": text}; '
            f'got {shorten(void)}.'
        )
    width, height = size
    if math.isnan(width):
        return ''
    try:
        rle_runs(void, height, width)
    except MaskError as error:
        return f'void: {error}'
    return ''


def check_tags(table: ImageTable, known: Mapping[Any, str], log: IssueLog) -> None:
    """Check that tags and LVIS's lists are categories, and file names unique.

    Args:
        table: All images.
        known: Categories of the file.
        log: Takes the issues.
    """
    files: dict[str, Any] = {}
    rows = zip(table.ids, table.tags, table.listed, table.files)
    for image_id, tags, listed, name in rows:
        # The guard counts LVIS's lists among the tags: what is wrong there comes first.
        for key, ids in {**listed, 'tags or from an annotation': tags}.items():
            unknown = [value for value in ids or () if value not in known]
            if unknown:
                text = f'category id {unknown[0]!r}, from {key}, is not in categories; '
                log.add_image(
                    'image-tags', image_id, f'{text}known ids: {some(known)}.'
                )
        plain = None if name is None else plain_path(name)
        if name is not None and files.setdefault(plain, image_id) != image_id:
            text = f'file_name {name!r} is that of image id {files[plain]!r} too.'
            log.add_image('image-file-duplicate', image_id, text)


def some(values: Iterable[Any], limit: int = _MAX_LISTED) -> str:
    """The first of some ids, as text."""
    listed = sorted(values, key=str)
    more = f' and {len(listed) - limit} more' if len(listed) > limit else ''
    return ', '.join(map(repr, listed[:limit])) + more
