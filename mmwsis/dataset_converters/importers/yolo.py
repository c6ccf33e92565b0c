"""Reader of YOLO's segmentation labels: ``data.yaml`` and one text per image.

A line is the number of a class and an outline, or a box (middle, width and height), in
shares of the image's sides: the size of the image comes from its file.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ..conversion import Progress
from .image_files import displayed_size
from .image_search import ImageFolder
from .records import INVALID, LabelledImage, Point, ReadResult, finite_number, tidy_name
from .settings import ImportSettings
from .shapes import Shape, merge_shapes

_BOX = 4  # numbers


def read_yolo(
    path: Path,
    settings: ImportSettings,
    *,
    folder: ImageFolder,
    open_progress: Callable[[int], Progress],
) -> ReadResult:
    """Read the labels beside a ``data.yaml``.

    Args:
        path: The ``data.yaml``, its folder, or that of a split in it.
        settings: How ambiguous shapes are read.
        folder: The images, whose sizes are needed.
        open_progress: Called with the number of texts; returns the function that counts
            finished ones.

    Returns:
        What the files hold.

    Raises:
        FileNotFoundError: There is no such file, or no folder ``labels`` with texts.
        ValueError: The YAML is none, or has no names.
    """
    root = path if path.is_dir() else path.parent
    files = (
        [path] if path.is_file() else [root / 'data.yaml', root.parent / 'data.yaml']
    )
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        raise FileNotFoundError(f'{files[0]} does not exist; it names the classes')
    names = _names(file)
    texts = sorted(
        text for labels in root.rglob('labels') for text in labels.rglob('*.txt')
    )
    if not texts:
        raise FileNotFoundError(f'{root} has no folder labels with texts')
    result = ReadResult(declared=list(names.values()))
    advance = open_progress(len(texts))
    for text in texts:
        result.add(_read_text(text, root, names, settings, folder))
        advance(1)
    return result


def _names(file: Path) -> dict[int, str]:
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
        given: Any = content['names']
        numbered = given if isinstance(given, dict) else dict(enumerate(given))
        return {int(number): tidy_name(name) for number, name in numbered.items()}
    except (
        yaml.YAMLError,
        UnicodeDecodeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f'{file} has no list of names: {error}') from None


def _read_text(
    text: Path,
    root: Path,
    names: dict[int, str],
    settings: ImportSettings,
    folder: ImageFolder,
) -> LabelledImage:
    inner = text.parts[len(text.parts) - text.parts[::-1].index('labels') :]
    stem = Path(*inner).with_suffix('').as_posix()
    place = (text.parents[len(inner)] / 'images' / stem).relative_to(root)
    paths = [stem, place.as_posix(), text.stem]
    image = LabelledImage(str(text.relative_to(root)), paths)
    found = folder.find(image.paths)
    if found.path is None:
        image.report(INVALID, '', 'image', f'its size is needed: {found.error}')
        return image
    try:
        image.width, image.height = displayed_size(found.path)
        lines = text.read_text(encoding='utf-8').splitlines()
    except (ValueError, OSError) as error:
        image.report(INVALID, '', 'image', str(error))
        return image
    shapes = []
    for number, line in enumerate(lines, start=1):
        try:
            if line.strip():
                shapes.append(_shape(line, number, names, image))
        except ValueError as error:
            image.report(INVALID, f'line {number}', 'line', str(error))
    merge_shapes(shapes, image, settings)
    return image


def _shape(
    line: str, number: int, names: dict[int, str], image: LabelledImage
) -> Shape:
    first, *rest = line.split()
    values = [finite_number(float(value)) for value in rest]
    if not first.isdigit() or int(first) not in names:
        raise ValueError(f'class {first} is none of data.yaml')
    name = names[int(first)]
    item = f'line {number} {name!r}'
    if len(values) == _BOX:
        x, y, width, height = values
        corners = [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]
        return Shape('box', name, item, _pixels(corners, image))
    if len(values) % 2:
        raise ValueError(
            f'a line has a class and pairs of x and y, this one has {len(values)} '
            'numbers after the class'
        )
    corners = list(zip(values[::2], values[1::2]))
    return Shape('polygon', name, item, _pixels(corners, image))


def _pixels(points: list[Point], image: LabelledImage) -> list[Point]:
    return [(x * image.width, y * image.height) for x, y in points]
