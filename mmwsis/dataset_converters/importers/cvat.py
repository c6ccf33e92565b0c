"""Reader of CVAT's XML, format "CVAT for images 1.1".

Format: docs.cvat.ai, "XML annotation format". Every ``<image>`` holds boxes, points,
polygons, masks, tags and more; coordinates are pixels. Files of the sister format for
videos hold ``<track>`` and are refused.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

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
from .shapes import (
    Shape,
    box_of_corners,
    is_upright,
    merge_shapes,
    no_shape,
    report_rotated,
    rotated_corners,
)

_SHAPES = ('box', 'points', 'polygon', 'mask')
_MIN_CORNERS = 3
_BATCH = 50


def read_cvat(
    path: Path,
    settings: ImportSettings,
    *,
    open_progress: Callable[[int], Progress],
) -> ReadResult:
    """Read a CVAT XML, or the zip that CVAT exports.

    Args:
        path: ``annotations.xml``, a zip with it, or a folder with it.
        settings: How ambiguous shapes are read.
        open_progress: Called with the size of the XML in bytes; returns the function
            that counts bytes read.

    Returns:
        What the file holds.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no XML of this format, or holds tracks.
    """
    if path.is_dir():
        path = path / 'annotations.xml'
    if not path.is_file():
        raise FileNotFoundError(
            f'{path} does not exist; give the XML that CVAT exports'
        )
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if 'annotations.xml' not in archive.namelist():
                    raise ValueError(
                        f'{path} has no annotations.xml; export as "CVAT for images '
                        '1.1"'
                    )
                size = archive.getinfo('annotations.xml').file_size
                with archive.open('annotations.xml') as file:
                    return _read(file, size, path, settings, open_progress)
        with open(path, 'rb') as file:
            return _read(file, path.stat().st_size, path, settings, open_progress)
    except ElementTree.ParseError as error:
        raise ValueError(f'{path} is no valid XML: {error}') from None


def _read(
    file: IO[bytes],
    size: int,
    path: Path,
    settings: ImportSettings,
    open_progress: Callable[[int], Progress],
) -> ReadResult:
    result = ReadResult()
    advance, position, count = open_progress(size), 0, 0
    root: Element | None = None
    for event, element in ElementTree.iterparse(file, events=('start', 'end')):
        if event == 'start':
            if root is None:
                root = element
                _check_root(root, path)
            elif element.tag == 'track':
                raise ValueError(
                    f'{path}: track {element.get("id")} ({element.get("label")}): '
                    'this is "CVAT for video"; tracks are interpolated, not drawn. '
                    'Export the task as "CVAT for images 1.1", which writes the shapes '
                    'of every frame.'
                )
            continue
        if element.tag == 'version' and (element.text or '').strip() != '1.1':
            raise ValueError(
                f"{path}: version {(element.text or '').strip()!r} of CVAT's XML; "
                'expected 1.1'
            )
        # The parts of a skeleton are declared as labels that have a parent.
        is_class = element.tag == 'label' and element.find('parent') is None
        if is_class and element.find('name') is not None:
            result.declared.append((element.findtext('name') or '').strip())
        if element.tag == 'image':
            result.add(parse_image(element, path.name, settings))
            root.clear()  # What was read is not needed again.
            count += 1
            if count % _BATCH == 0:
                position, before = file.tell(), position
                advance(position - before)
    advance(size - position)
    return result


def _check_root(root: Element, path: Path) -> None:
    if root.tag != 'annotations':
        raise ValueError(
            f'{path}: expected <annotations> of CVAT, found <{root.tag}>; export the '
            'task as "CVAT for images 1.1"'
        )


def parse_image(element: Element, source: str, settings: ImportSettings) -> ReadResult:
    """Read one ``<image>``.

    Args:
        element: The element.
        source: Name of the file, for messages.
        settings: How ambiguous shapes are read.

    Returns:
        One image; an element without a name gives none and says so.
    """
    result = ReadResult()
    name = element.get('name')
    source = f'{source}, image {name or element.get("id")!r}'
    try:
        sizes = [int(element.get(key, '')) for key in ('width', 'height')]
    except ValueError:
        sizes = [0, 0]
    if not name or min(sizes) < 1:
        reason = 'an image must have a name, and a width and height in pixels'
        result.issues.append(Issue(INVALID, source, '', 'image', reason))
        return result
    image = LabelledImage(
        source, [name, os.path.join('images', name), os.path.basename(name)], *sizes
    )
    shapes: list[Shape] = []
    for index, child in enumerate(element):
        item = f'{child.tag} {index} {child.get("label")!r}'
        if child.tag == 'tag' and child.get('label'):
            image.tags.append(child.get('label'))
            if len(child):
                reason = f'its attributes {_attributes(child)} are not kept'
                image.report(LEFT_OUT, item, 'attributes of a tag', reason)
        elif child.tag not in _SHAPES:
            what = f'shape {child.tag}'
            image.report(LEFT_OUT, item, what, no_shape(child.tag))
            image.tags += [child.get('label')] if child.get('label') else []
        else:
            shape = _shape(child, item, image, settings)
            shapes += [shape] if shape else []
    merge_shapes(shapes, image, settings)
    result.add_image(image)
    return result


def _shape(
    element: Element,
    item: str,
    image: LabelledImage,
    settings: ImportSettings,
) -> Shape | None:
    kind = element.tag
    shape = Shape(
        kind='clicks' if kind == 'points' else kind,
        name=(element.get('label') or '').strip(),
        item=item,
        # CVAT writes 0 for no group.
        group=element.get('group_id') if element.get('group_id') != '0' else None,
        attributes=_attributes(element),
    )
    try:
        if not shape.name:
            raise ValueError('a shape must have a label')
        degrees = float(element.get('rotation', 0) or 0) % 360
        if kind == 'box':
            shape.points = _corners(element, degrees)
        elif kind == 'mask':
            shape.mask = _mask(element)
        else:
            shape.points = _points(element, kind)
    except ValueError as error:
        image.report(INVALID, item, kind, str(error))
        image.tags += [shape.name] if shape.name else []
        return None
    if kind == 'box' and not is_upright(degrees):
        report_rotated(image, item, degrees, settings)
        image.tags.append(shape.name)
        return None if settings.rotated == 'skip' else shape
    return shape


def _attributes(element: Element) -> dict[str, object]:
    found: dict[str, object] = {}
    if element.get('occluded') == '1':
        found['occluded'] = True
    if element.get('z_order', '0') != '0':
        found['z_order'] = element.get('z_order')
    for child in element.findall('attribute'):
        found[child.get('name') or ''] = (child.text or '').strip()
    return found


def _corners(element: Element, degrees: float) -> list[Point]:
    keys = ('xtl', 'ytl', 'xbr', 'ybr')
    try:
        x0, y0, x1, y1 = (float(element.get(key, '')) for key in keys)
    except ValueError:
        given = {key: element.get(key) for key in keys}
        raise ValueError(
            f'xtl, ytl, xbr and ybr must be numbers, got {given}'
        ) from None
    corners = [(x0, y0), (x1, y1)]
    if degrees:
        # CVAT turns boxes about their middle.
        pivot = ((x0 + x1) / 2, (y0 + y1) / 2)
        x0, y0, x1, y1 = box_of_corners(
            rotated_corners((x0, y0, x1, y1), degrees, pivot)
        )
        corners = [(x0, y0), (x1, y1)]
    return corners


def _points(element: Element, kind: str) -> list[Point]:
    text = element.get('points', '')
    try:
        pairs = [pair.split(',') for pair in text.split(';')]
        points = [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        raise ValueError(f'points must be "x,y;x,y;...", got {text[:60]!r}') from None
    if kind == 'polygon' and len(points) < _MIN_CORNERS:
        raise ValueError(f'a polygon has 3 corners or more, got {len(points)}')
    return points


def _mask(element: Element) -> tuple[int, int, np.ndarray]:
    """Runs of 0s and 1s in turn, row by row of the rectangle that they are in."""
    try:
        left, top, width, height = (
            int(float(element.get(key, '')))
            for key in ('left', 'top', 'width', 'height')
        )
        runs = np.array([int(run) for run in element.get('rle', '').split(',')])
    except ValueError:
        raise ValueError(
            'a mask must have rle, left, top, width and height in numbers'
        ) from None
    if width < 1 or height < 1 or (runs < 0).any() or runs.sum() != width * height:
        raise ValueError(
            f'the runs of the mask add up to {runs.sum()} pixels, its rectangle has '
            f'{width}x{height}'
        )
    values = np.arange(len(runs)) % 2
    return left, top, np.repeat(values, runs).reshape(height, width).astype(np.uint8)
