"""Reader of LabelMe's JSON, one file per image.

Format of the labelme application, versions 3 to 5: ``shapes`` with ``label``,
``points``, ``group_id``, ``shape_type``, ``flags``, and since 5.3 masks as a base64
PNG; ``flags`` of the image; ``imagePath`` relative to the JSON; ``imageData``, which is
not read. Close relatives (X-AnyLabeling) write the same with a few more keys.
"""

import base64
import binascii
import json
import math
import operator
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import cv2
import numpy as np

from mmwsis.utils.parallel import OrderedPool

from ..conversion import Progress
from .records import (
    INVALID,
    LEFT_OUT,
    Issue,
    LabelledImage,
    Point,
    ReadResult,
)
from .settings import ImportSettings
from .shapes import Shape, is_upright, merge_shapes, no_shape, report_rotated

# Number of points that each kind of shape has; None: any.
_POINTS = {'point': (1,), 'rectangle': (2, 4), 'rotation': (4,), 'mask': (2,)}
_MIN_CORNERS = 3


def read_labelme(
    path: Path,
    settings: ImportSettings,
    *,
    pool: OrderedPool,
    open_progress: Callable[[int], Progress],
    skip: Path | None = None,
) -> ReadResult:
    """Read a LabelMe JSON, or all of a folder and the folders in it.

    Args:
        path: File or folder.
        settings: How ambiguous shapes are read.
        pool: Processes that parse the files.
        open_progress: Called with the number of files; returns the function that
            counts finished ones.
        skip: A JSON that is no label file (the output, which may lie in the folder).

    Returns:
        What the files hold.

    Raises:
        FileNotFoundError: There is no such file, or no JSON in the folder.
    """
    if path.is_dir():
        root, files = path, sorted(path.rglob('*.json'))
    else:
        root, files = path.parent, [path]
    files = [file for file in files if skip is None or file.resolve() != skip.resolve()]
    if not files or not files[0].is_file():
        raise FileNotFoundError(f'{path} is no LabelMe JSON and no folder with any')
    result = ReadResult()
    advance = open_progress(len(files))
    jobs = ((str(file), str(root), settings) for file in files)
    for own in pool.imap(_read_file, jobs, operator.itemgetter(0)):
        result.add(own)
        advance(1)
    return result


def _read_file(job: tuple[str, str, ImportSettings]) -> ReadResult:
    name, root, settings = job
    source = os.path.relpath(name, root)
    try:
        document = json.loads(Path(name).read_text(encoding='utf-8-sig'))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        reason = f'no valid JSON: {error}'
        return ReadResult(issues=[Issue(INVALID, source, '', 'file', reason)])
    if not isinstance(document, Mapping) or 'shapes' not in document:
        reason = 'a JSON without "shapes", so none of LabelMe'
        return ReadResult(issues=[Issue(LEFT_OUT, source, '', 'other JSON', reason)])
    # imagePath starts at this folder, not at the image folder.
    return parse_labelme(
        document, source, os.path.dirname(os.path.abspath(name)), settings
    )


def parse_labelme(
    document: Mapping[str, Any],
    source: str,
    folder: str,
    settings: ImportSettings,
) -> ReadResult:
    """Read one parsed LabelMe document.

    Args:
        document: The JSON.
        source: Name of the file, for messages.
        folder: Folder of the file, absolute; ``imagePath`` starts there.
        settings: How ambiguous shapes are read.

    Returns:
        One image; a document without a usable ``imagePath`` or ``shapes`` gives none
        and says so.
    """
    result = ReadResult()
    image_path = document.get('imagePath')
    if not isinstance(image_path, str) or not image_path:
        reason = f'imagePath must be the name of the image, got {image_path!r}'
        result.issues.append(Issue(INVALID, source, '', 'imagePath', reason))
        return result
    if not isinstance(document['shapes'], list):
        reason = f'shapes must be a list, got {type(document["shapes"]).__name__}'
        result.issues.append(Issue(INVALID, source, '', 'shapes', reason))
        return result
    flags = document.get('flags') or {}
    if not isinstance(flags, Mapping):
        reason = f'flags must be an object of names and true or false, got {flags!r}'
        result.issues.append(Issue(INVALID, source, '', 'flags', reason))
        flags = {}
    image = LabelledImage(
        source=source,
        paths=_image_paths(image_path, folder),
        width=_size(document.get('imageWidth')),
        height=_size(document.get('imageHeight')),
        tags=[name for name, value in flags.items() if value is True],
    )
    shapes: list[Shape] = []
    for index, entry in enumerate(document['shapes']):
        shape = _shape(entry, index, image, settings)
        if shape is not None:
            shapes.append(shape)
    merge_shapes(shapes, image, settings)
    result.add_image(image)
    return result


def _image_paths(image_path: str, folder: str) -> list[str]:
    """Where the image may be; the first place names it if it is at none."""
    # Written on Windows it has backslashes, and Windows reads both.
    image_path = image_path.replace('\\', '/')
    name = os.path.basename(image_path)
    if PureWindowsPath(image_path).drive or os.path.isabs(image_path):
        # A place on the annotator's machine, which may be this one.
        return [image_path, name] if os.path.isfile(image_path) else [name]
    return [os.path.join(folder, image_path), name]


def _size(value: Any) -> int | None:
    known = isinstance(value, (int, float)) and math.isfinite(value) and value > 0
    return int(value) if known else None


def _shape(
    entry: Any,
    index: int,
    image: LabelledImage,
    settings: ImportSettings,
) -> Shape | None:
    item = f'shape {index}'
    name = entry.get('label') if isinstance(entry, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        reason = 'a shape must have a label and points'
        image.report(INVALID, item, 'shape', reason)
        return None
    name, kind = name.strip(), entry.get('shape_type') or 'polygon'
    item += f' {name!r}'
    if kind not in ('polygon', *_POINTS):
        reason = no_shape(kind)
        image.report(LEFT_OUT, item, f'shape {kind}', reason)
        image.tags.append(name)
        return None
    try:
        points = _points(entry.get('points'), kind)
        shape = Shape(
            kind='clicks' if kind == 'point' else kind,
            name=name,
            item=item,
            points=points,
            group=_group(entry.get('group_id')),
            attributes=_attributes(entry),
        )
        if kind == 'mask':
            shape.mask = _mask(entry.get('mask'), points)
    except ValueError as error:
        image.report(INVALID, item, kind, str(error))
        image.tags.append(name)
        return None
    if kind in ('rectangle', 'rotation'):
        shape.kind = 'box'
    if kind == 'rotation':
        (x0, y0), (x1, y1) = points[:2]
        degrees = math.degrees(math.atan2(y1 - y0, x1 - x0))
        if is_upright(degrees):
            return shape
        report_rotated(image, item, degrees, settings)
        image.tags.append(name)
        return None if settings.rotated == 'skip' else shape
    return shape


def _group(value: Any) -> int | str | None:
    if value is None or isinstance(value, (int, str)):
        return value
    raise ValueError(f'group_id must be a number, got {value!r}')


def _points(value: Any, kind: str) -> list[Point]:
    try:
        points = [(float(x), float(y)) for x, y in value]
    except (TypeError, ValueError):
        raise ValueError(f'points must be a list of [x, y], got {value!r}') from None
    expected = _POINTS.get(kind)
    if expected and len(points) not in expected:
        raise ValueError(f'a {kind} has {expected[0]} points, got {len(points)}')
    if kind == 'polygon' and len(points) < _MIN_CORNERS:
        raise ValueError(f'a polygon has 3 corners or more, got {len(points)}')
    return points


def _mask(value: Any, points: list[Point]) -> tuple[int, int, np.ndarray]:
    """The bitmap between its upper left and lower right pixel, both included."""
    try:
        data = np.frombuffer(base64.b64decode(value, validate=True), dtype=np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if data.size else None
    except (TypeError, ValueError, binascii.Error):
        pixels = None
    if pixels is None:
        raise ValueError('mask must be a PNG in base64')
    if not all(math.isfinite(value) for point in points for value in point):
        raise ValueError(f'the corners of the mask must be finite, got {points}')
    (x0, y0), (x1, y1) = ((round(x), round(y)) for x, y in points)
    if pixels.shape != (y1 - y0 + 1, x1 - x0 + 1):
        raise ValueError(
            f'the mask has {pixels.shape[1]}x{pixels.shape[0]} pixels, its corners are '
            f'{x1 - x0 + 1}x{y1 - y0 + 1} apart'
        )
    return x0, y0, (pixels > 0).astype(np.uint8)


def _attributes(entry: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_attribute_items(entry))


def _attribute_items(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in ('flags', 'attributes'):
        given = entry.get(name)
        if isinstance(given, Mapping):
            yield from ((key, value) for key, value in given.items() if value)
    for name in ('description', 'difficult'):
        if entry.get(name):
            yield name, entry[name]
