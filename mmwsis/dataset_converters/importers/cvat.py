"""Reader of CVAT's XML, format "CVAT for images 1.1".

Format: docs.cvat.ai, "XML annotation format". Every ``<image>`` holds boxes, points,
polygons, masks, tags and more; coordinates are pixels. Files of the sister format for
videos hold ``<track>`` and are refused.
"""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from ..conversion import Progress
from .records import (
    INVALID,
    LEFT_OUT,
    MAX_PIXELS,
    Issue,
    LabelledImage,
    Point,
    ReadResult,
    finite_number,
    tidy_name,
)
from .settings import ImportSettings
from .shapes import (
    Shape,
    box_around_rotated,
    keep_rotated,
    merge_shapes,
    report_no_shape,
)

# Attributes that our exports write.
_OWN = ('id', 'iscrowd', 'score', 'parts')
_SHAPES = ('box', 'points', 'polygon', 'mask')


def read_cvat(
    path: Path, settings: ImportSettings, *, open_progress: Callable[[int], Progress]
) -> ReadResult:
    """Read a CVAT XML, the zip that CVAT exports, or a folder of either.

    Args:
        path: An XML, a zip with ``annotations.xml``, or a folder: its
            ``annotations.xml``, or else all XMLs in it and in the folders below.
        settings: How ambiguous shapes are read.
        open_progress: Called with the size of the XMLs in bytes; returns the function
            that counts bytes read.

    Returns:
        What the files hold.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: One is no XML of this format, or holds tracks.
    """
    files = _label_files(path)
    root = path if path.is_dir() else path.parent
    result = ReadResult()
    advance = open_progress(sum(file.stat().st_size for file in files))
    for file in files:
        name = os.path.relpath(file, root)
        # Several exports, each with its images beside it.
        folder = os.path.dirname(name)
        try:
            with _opened(file) as (stream, hint):
                for one in _entries(stream, file, result):
                    made = parse_image(one, name, settings, folder)
                    if isinstance(made, LabelledImage):
                        made.hint = hint
                    result.add(made)
        except ElementTree.ParseError as error:
            raise ValueError(f'{file} is no valid XML: {error}') from None
        except LookupError as error:
            raise ValueError(f'{file} is no XML that can be read: {error}') from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise ValueError(f'{file} is no zip that can be read: {error}') from None
        except ValueError as error:  # Such as an encoding that the parser cannot do.
            if str(file) in str(error):
                raise
            raise ValueError(f'{file}: {error}') from None
        advance(file.stat().st_size)
    return result


def _label_files(path: Path) -> list[Path]:
    """The files to read, in order."""
    if not path.is_dir():
        files = [path] if path.is_file() else []
    elif (path / 'annotations.xml').is_file():
        files = [path / 'annotations.xml']
    else:
        files = sorted(path.rglob('*.xml')) or sorted(path.rglob('*.zip'))
        files = [file for file in files if file.is_file() and file.name[0] != '.']
    if not files:
        raise FileNotFoundError(
            f'{path} is no file and no folder with annotations.xml; give the XML or '
            'the zip that CVAT exports'
        )
    return files


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """The XML of a file, and what to say where its images are not found."""
    if not zipfile.is_zipfile(path):
        if path.suffix.lower() == '.zip':
            raise ValueError(f'{path} is no zip, or cut off; export or copy it again')
        with open(path, 'rb') as stream:
            yield stream, ''
        return
    with zipfile.ZipFile(path) as archive:
        inside = [
            name
            for name in archive.namelist()
            if name.split('/')[-1] == 'annotations.xml'
        ]
        if not inside:
            raise ValueError(
                f'{path} has no annotations.xml; export as "CVAT for images 1.1"'
            )
        if len(inside) > 1:
            raise ValueError(
                f'{path} has {len(inside)} annotations.xml, such as {inside[0]} and '
                f'{inside[1]}; unpack it, and give the folder'
            )
        try:
            with archive.open(inside[0]) as stream:
                yield stream, 'images in the zip are not read: unpack it'
        except RuntimeError as error:  # Encrypted.
            raise ValueError(f'{path}: {error}') from None


def _entries(file: IO[bytes], path: Path, result: ReadResult) -> Iterator[Element]:
    """The images of a file, one by one; its classes go into the result."""
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
        if element.tag == 'label' and element.find('parent') is None:
            with suppress(ValueError):
                result.declared.append(tidy_name(element.findtext('name')))
        if element.tag == 'image':
            yield element
            root.clear()  # What was read is not needed again.


def parse_image(
    element: Element, source: str, settings: ImportSettings, folder: str = ''
) -> LabelledImage | Issue:
    """Read one ``<image>``.

    Args:
        element: The element.
        source: Name of the file, for messages.
        settings: How ambiguous shapes are read.
        folder: Of the file, from the folder that is imported.

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
        given = {key: element.get(key) for key in ('name', 'width', 'height')}
        reason = f'an image must have a name, and integer width and height; got {given}'
        return Issue(INVALID, source, '', 'image', reason)
    paths = _image_paths(name, element.get('subset'), folder)
    image = LabelledImage(source, paths, width=sizes[0], height=sizes[1])
    shapes: list[Shape | None] = []
    for index, child in enumerate(element):
        item = f'{child.tag} {index} {child.get("label")!r}'
        names = [child.get('label')] if child.get('label') else []
        if child.tag == 'tag':
            image.add_tags(names or [None], item)
            if len(child):
                reason = f'its attributes {_attributes(child)} are not kept'
                image.report(LEFT_OUT, item, 'attributes of a tag', reason)
        elif child.tag not in _SHAPES:
            report_no_shape(image, item, child.tag, names)
        elif child.get('outside') == '1':
            reason = 'it is marked as outside: the object is not seen in this image'
            image.report(LEFT_OUT, item, 'shape outside', reason)
        else:
            shapes.append(_shape(child, item, image, settings))
    merge_shapes(shapes, image, settings)
    return image


def _image_paths(name: str, subset: str | None, folder: str) -> list[str]:
    """Where an image may be: CVAT exports images/, and in projects images/SUBSET/."""
    name = name.replace('\\', '/')
    inner = [name, f'images/{name}']
    if subset:
        # First, because names repeat from subset to subset.
        inner = [f'{subset}/{name}', f'images/{subset}/{name}', *inner]
    beside = [f'{folder}/{path}' for path in inner] if folder else []
    return [*beside, *inner, os.path.basename(name)]


def _shape(
    element: Element, item: str, image: LabelledImage, settings: ImportSettings
) -> Shape | None:
    kind, names = element.tag, []
    try:
        names = [image.class_name(element.get('label'))]
        degrees = _number(element, 'rotation', '0') % 360
        points, mask = [], None
        if kind == 'mask':
            mask = _mask(element)
        else:
            points = _corners(element, degrees) if kind == 'box' else _points(element)
        shape = Shape(
            kind='clicks' if kind == 'points' else kind,
            name=names[0],
            item=item,
            points=points,
            mask=mask,
            # CVAT writes 0 for no group.
            group=element.get('group_id') if element.get('group_id') != '0' else None,
            attributes=_attributes(element),
        )
        for key in _OWN:
            if shape.attributes.get(key) == '':  # of a shape that is new
                del shape.attributes[key]
        given = shape.attributes.get('id')
        if settings.keep_ids and given and given.isdecimal():
            shape.id = int(shape.attributes.pop('id'))
            shape.group = ('id', shape.id)  # its parts, whatever their group
            parts = str(shape.attributes.pop('parts', ''))
            shape.parts = int(parts) if parts.isdecimal() else None
    except ValueError as error:
        image.report(INVALID, item, kind, str(error), names)
        return None
    if kind == 'box':
        return keep_rotated(shape, degrees, image, settings)
    return shape


def _number(element: Element, key: str, default: str = '') -> float:
    text = element.get(key, default) or default
    try:
        return finite_number(float(text))
    except ValueError:
        raise ValueError(f'{key} must be a number, got {text[:60]!r}') from None


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
        x0, y0, x1, y1 = (_number(element, key) for key in keys)
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
        return [(finite_number(float(x)), finite_number(float(y))) for x, y in pairs]
    except ValueError:
        raise ValueError(
            f'points must be "x,y;x,y;..." in finite numbers, got {text[:60]!r}'
        ) from None


def _mask(element: Element) -> tuple[int, int, np.ndarray]:
    """Runs of 0s and 1s in turn, row by row of the rectangle that they are in."""
    try:
        left, top, width, height = (
            int(_number(element, key)) for key in ('left', 'top', 'width', 'height')
        )
        runs = [int(run) for run in element.get('rle', '').split(',')]
    except ValueError:
        raise ValueError(
            'a mask must have rle, left, top, width and height in numbers'
        ) from None
    if min(width, height) < 1 or min(runs) < 0:
        raise ValueError(
            'a mask must have positive width and height and no negative run, got '
            f'{width}x{height} pixels and runs from {min(runs)} on'
        )
    if sum(runs) != width * height:
        raise ValueError(
            f'the runs of the mask add up to {sum(runs)} pixels, its rectangle has '
            f'{width}x{height}'
        )
    if width * height > MAX_PIXELS:
        raise ValueError(f'no mask has {width}x{height} pixels')
    values = np.arange(len(runs), dtype=np.uint8) % 2
    return left, top, np.repeat(values, runs).reshape(height, width)
