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
from .records import INVALID, LEFT_OUT, Issue, LabelledImage, Point, ReadResult
from .settings import ImportSettings
from .shapes import (
    Shape,
    box_around_rotated,
    keep_rotated,
    merge_shapes,
    report_no_shape,
)

_SHAPES = ('box', 'points', 'polygon', 'mask')


def read_cvat(
    path: Path, settings: ImportSettings, *, open_progress: Callable[[int], Progress]
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
    advance, position = open_progress(size), 0
    root: Element | None = None
    for event, element in ElementTree.iterparse(file, events=('start', 'end')):
        if event == 'start':
            if root is None:
                root = element
                if root.tag != 'annotations':
                    raise ValueError(
                        f'{path}: expected <annotations> of CVAT, found <{root.tag}>; '
                        'export the task as "CVAT for images 1.1"'
                    )
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
            position, before = file.tell(), position
            advance(position - before)
    advance(size - position)
    return result


def parse_image(
    element: Element, source: str, settings: ImportSettings
) -> LabelledImage | Issue:
    """Read one ``<image>``.

    Args:
        element: The element.
        source: Name of the file, for messages.
        settings: How ambiguous shapes are read.

    Returns:
        The image; an element without name and size gives an issue.
    """
    name = element.get('name')
    source = f'{source}, image {name or element.get("id")!r}'
    try:
        sizes = [int(element.get(key, '')) for key in ('width', 'height')]
    except ValueError:
        sizes = [0, 0]
    if not name or min(sizes) < 1:
        reason = 'an image must have a name, and a width and height in pixels'
        return Issue(INVALID, source, '', 'image', reason)
    image = LabelledImage(
        source, [name, os.path.join('images', name), os.path.basename(name)], *sizes
    )
    shapes: list[Shape | None] = []
    for index, child in enumerate(element):
        item = f'{child.tag} {index} {child.get("label")!r}'
        names = [child.get('label')] if child.get('label') else []
        if child.tag == 'tag' and names:
            image.tags += names
            if len(child):
                reason = f'its attributes {_attributes(child)} are not kept'
                image.report(LEFT_OUT, item, 'attributes of a tag', reason)
        elif child.tag not in _SHAPES:
            report_no_shape(image, item, child.tag, names)
        else:
            shapes.append(_shape(child, item, image, settings))
    merge_shapes(shapes, image, settings)
    return image


def _shape(
    element: Element, item: str, image: LabelledImage, settings: ImportSettings
) -> Shape | None:
    kind, name = element.tag, (element.get('label') or '').strip()
    try:
        degrees = float(element.get('rotation', 0) or 0) % 360
        points, mask = [], None
        if kind == 'mask':
            mask = _mask(element)
        else:
            points = _corners(element, degrees) if kind == 'box' else _points(element)
        shape = Shape(
            kind='clicks' if kind == 'points' else kind,
            name=name,
            item=item,
            points=points,
            mask=mask,
            # CVAT writes 0 for no group.
            group=element.get('group_id') if element.get('group_id') != '0' else None,
            attributes=_attributes(element),
        )
    except ValueError as error:
        image.report(INVALID, item, kind, str(error), [name] if name else [])
        return None
    if kind == 'box':
        return keep_rotated(shape, degrees, image, settings)
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
    if not degrees:
        return [(x0, y0), (x1, y1)]
    # CVAT turns boxes about their middle.
    pivot = ((x0 + x1) / 2, (y0 + y1) / 2)
    return box_around_rotated((x0, y0, x1, y1), degrees, pivot)


def _points(element: Element) -> list[Point]:
    text = element.get('points', '')
    try:
        pairs = [pair.split(',') for pair in text.split(';')]
        return [(float(x), float(y)) for x, y in pairs]
    except ValueError:
        raise ValueError(f'points must be "x,y;x,y;...", got {text[:60]!r}') from None


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
