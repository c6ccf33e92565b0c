"""Reader of LabelMe's JSON, one file per image.

Format of the labelme application, versions 3 to 5: ``shapes`` with ``label``,
``points``, ``group_id``, ``shape_type``, ``flags``, and since 5.3 masks as a base64
PNG; ``flags`` of the image; ``imagePath`` relative to the JSON; ``imageData``, which is
not read. Close relatives (X-AnyLabeling) write the same with a few more keys. Version 6
adds ``oriented_rectangle``.
"""

import base64
import binascii
import math
import operator
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np

from mmwsis.formats.coco_masks import shorten
from mmwsis.formats.json_file import read_json
from mmwsis.utils.parallel import OrderedPool

from ..conversion import Progress
from .records import (
    INVALID,
    LEFT_OUT,
    Issue,
    LabelledImage,
    Point,
    ReadResult,
    finite_number,
    point_list,
)
from .settings import ImportSettings
from .shapes import QUAD, Shape, keep_rotated, merge_shapes, report_no_shape

# Keys of a shape that say something of its object; the last two are of our exports.
_MORE = ('description', 'difficult', 'score', 'iscrowd')
_SAME_SIZE = 0.5  # pixels
# A mask is never turned, whatever its EXIF tag says.
_GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
# Number of points that each kind of shape has; None: any.
_POINTS = {
    'point': (1,), 'rectangle': (2, 4), 'rotation': (4,), 'oriented_rectangle': (4,),
    'quadrilateral': (4,), 'mask': (2,),
}  # fmt: skip
# LabelMe's kinds of shape -> those of :class:`Shape`.
_KINDS = {
    'point': 'clicks',
    'points': 'clicks',
    'rectangle': 'box',
    'rotation': 'box',
    'oriented_rectangle': 'box',
    'polygon': 'polygon',
    'quadrilateral': 'polygon',
    'mask': 'mask',
}


def read_labelme(
    path: Path,
    settings: ImportSettings,
    *,
    pool: OrderedPool,
    open_progress: Callable[[int], Progress],
    skip: Collection[Path] = (),
) -> ReadResult:
    """Read a LabelMe JSON, or all of a folder and the folders in it.

    Args:
        path: File or folder.
        settings: How ambiguous shapes are read.
        pool: Processes that parse the files.
        open_progress: Called with the number of files; returns the function that
            counts finished ones.
        skip: JSONs that are no label files (the outputs, which may lie in the folder),
            resolved.

    Returns:
        What the files hold.

    Raises:
        FileNotFoundError: There is no such file, or no JSON in the folder.
    """
    if path.is_dir():
        root = path
        # Not the shadows that macOS puts beside files.
        files = sorted(
            file
            for file in path.rglob('*')
            if file.suffix.lower() == '.json' and not file.name.startswith('._')
        )
    else:
        root, files = path.parent, [path]
    files = [file for file in files if not file.is_dir() and file.resolve() not in skip]
    if not files:
        raise FileNotFoundError(f'{path} is no LabelMe JSON and no folder with any')
    result = ReadResult()
    advance = open_progress(len(files))
    jobs = ((str(file), str(root), settings) for file in files)
    for own in pool.imap(_read_file, jobs, operator.itemgetter(0)):
        result.add(own)
        advance(1)
    return result


def _read_file(job: tuple[str, str, ImportSettings]) -> LabelledImage | Issue:
    name, root, settings = job
    source = os.path.relpath(name, root)
    try:
        document = read_json(name)
    except (ValueError, RecursionError) as error:
        reason = str(error).removeprefix(f'{name} is ')
        return Issue(INVALID, source, '', 'file', reason)
    except OSError as error:  # Such as a link to nowhere.
        reason = f'it cannot be read: {error.strerror or "it does not exist"}'
        return Issue(INVALID, source, '', 'file', reason)
    if not isinstance(document, Mapping) or 'shapes' not in document:
        reason = f'a JSON without "shapes", so none of LabelMe{_other_tool(document)}'
        return Issue(LEFT_OUT, source, '', 'other JSON', reason)
    # imagePath starts at this folder, not at the image folder.
    return parse_labelme(
        document, source, os.path.dirname(os.path.abspath(name)), settings
    )


def _other_tool(document: Any) -> str:
    """Whose JSON it looks like."""
    if isinstance(document, list) and document and isinstance(document[0], Mapping):
        return '; a list of tasks of Label Studio?' if 'data' in document[0] else ''
    if isinstance(document, Mapping) and 'images' in document:
        return '; a COCO file, which needs no import'
    return ''


def parse_labelme(
    document: Mapping[str, Any], source: str, folder: str, settings: ImportSettings
) -> LabelledImage | Issue:
    """Read one parsed LabelMe document.

    Args:
        document: The JSON.
        source: Name of the file, for messages.
        folder: Folder of the file, absolute; ``imagePath`` starts there.
        settings: How ambiguous shapes are read.

    Returns:
        The image; a document without a usable ``imagePath`` or ``shapes`` gives an
        issue.
    """
    image_path = document.get('imagePath')
    if not isinstance(image_path, str) or not image_path:
        reason = f'imagePath must be the name of the image, got {image_path!r}'
        return Issue(INVALID, source, '', 'imagePath', reason)
    if not isinstance(document['shapes'], list):
        reason = f'shapes must be a list, got {type(document["shapes"]).__name__}'
        return Issue(INVALID, source, '', 'shapes', reason)
    image = LabelledImage(
        source=source,
        paths=_image_paths(image_path, folder, os.path.dirname(source)),
        namesakes=_namesakes(source, folder),
        width=_size(document.get('imageWidth')),
        height=_size(document.get('imageHeight')),
        masks_are_moved=True,
    )
    if document.get('imageData'):
        image.hint = (
            'the JSON holds the picture itself (imageData), which is not read: write '
            'it to a file with labelme_export_json'
        )
    exported = document.get('annotation_ids') if settings.keep_ids else []
    flags = document.get('flags') or {}
    if isinstance(flags, Mapping):
        image.add_tags(
            [name for name, value in flags.items() if value is True], 'flags'
        )
    else:
        reason = (
            f'flags must be an object of names and true or false, got {shorten(flags)}'
        )
        image.report(INVALID, '', 'flags', reason)
    shapes = [
        _shape(entry, index, image, settings)
        for index, entry in enumerate(document['shapes'])
    ]
    for shape in filter(None, shapes):
        # A list is there unless another program dropped it: then all are believed.
        if isinstance(shape.group, int) and (
            exported is None or shape.group in exported
        ):
            shape.id = shape.group
    merge_shapes(shapes, image, settings)
    return image


def _image_paths(image_path: str, folder: str, relative: str) -> list[str]:
    """Where the image may be; the first place names it if it is at none.

    Labels in a tree of their own lie there as the images do in theirs.
    """
    # Written on Windows it has backslashes, and Windows reads both.
    image_path = image_path.replace('\\', '/')
    name = os.path.basename(image_path)
    mirrored = os.path.join(relative, name)
    if PureWindowsPath(image_path).drive or os.path.isabs(image_path):
        # A place on the annotator's machine, which may be this one.
        own = [image_path] if os.path.isfile(image_path) else []
        return [*own, mirrored, name]
    return [
        os.path.join(folder, image_path),
        os.path.join(relative, image_path),
        mirrored,
        image_path,
        name,
    ]


def _namesakes(source: str, folder: str) -> list[str]:
    """Where an image with the name of the JSON may be."""
    stem = os.path.splitext(os.path.basename(source))[0]
    relative = os.path.dirname(source)
    return [os.path.join(place, stem) for place in (folder, relative, '')]


def _size(value: Any) -> int | None:
    try:
        number = int(finite_number(value))
    except ValueError:
        return None
    return number if number > 0 else None


def _shape(
    entry: Any, index: int, image: LabelledImage, settings: ImportSettings
) -> Shape | None:
    item = f'shape {index}'
    entry = entry if isinstance(entry, Mapping) else {}
    try:
        name = image.class_name(entry.get('label'))
    except ValueError as error:
        image.report(INVALID, item, 'shape', str(error))
        return None
    kind = entry.get('shape_type') or 'polygon'
    item += f' {name!r}'
    if not isinstance(kind, str) or kind not in _KINDS:
        report_no_shape(image, item, kind, [name])
        return None
    try:
        points = _points(entry.get('points'), kind)
        shape = Shape(
            kind=_KINDS[kind],
            name=name,
            item=item,
            points=points,
            mask=_mask(entry.get('mask'), points) if kind == 'mask' else None,
            group=_group(entry.get('group_id')),
            attributes=_attributes(entry),
            parts=entry['parts'] if type(entry.get('parts')) is int else None,
        )
    except ValueError as error:
        image.report(INVALID, item, kind, str(error), [name])
        return None
    if shape.kind == 'box' and len(points) == QUAD:
        (x0, y0), (x1, y1) = points[:2]
        degrees = math.degrees(math.atan2(y1 - y0, x1 - x0))
        return keep_rotated(shape, degrees, image, settings)
    return shape


def _group(value: Any) -> int | str | None:
    if value is None or isinstance(value, (int, str)):
        return value
    raise ValueError(f'group_id must be a number, got {value!r}')


def _points(value: Any, kind: str) -> list[Point]:
    try:
        points = point_list(value)
    except ValueError as error:
        raise ValueError(f'{kind}: points must be a list of [x, y]: {error}') from None
    expected = _POINTS.get(kind)
    if expected and len(points) not in expected:
        raise ValueError(f'a {kind} has {expected[0]} points, got {len(points)}')
    return points


def _mask(value: Any, points: list[Point]) -> tuple[int, int, np.ndarray]:
    """The bitmap between its upper left and lower right pixel, both included.

    A mask that was moved has corners between pixels: LabelMe rounds the first and
    leaves the size alone.
    """
    try:
        data = np.frombuffer(base64.b64decode(value, validate=True), dtype=np.uint8)
        pixels = cv2.imdecode(data, _GREY) if data.size else None
    except (TypeError, ValueError, binascii.Error, cv2.error):
        pixels = None
    if pixels is None:
        raise ValueError('mask must be a PNG in base64')
    (x0, y0), (x1, y1) = points
    rows, columns = pixels.shape
    if max(abs(x1 - x0 + 1 - columns), abs(y1 - y0 + 1 - rows)) > _SAME_SIZE:
        raise ValueError(
            f'the mask has {columns}x{rows} pixels, its corners are '
            f'{x1 - x0 + 1:g}x{y1 - y0 + 1:g} apart'
        )
    return round(x0), round(y0), (pixels > 0).astype(np.uint8)


def _attributes(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Flags and the like that say something."""
    found: dict[str, Any] = {}
    more = {name: entry.get(name) for name in _MORE}
    for given in (entry.get('flags'), entry.get('attributes'), more):
        if isinstance(given, Mapping):
            found.update((name, value) for name, value in given.items() if value)
    return found
