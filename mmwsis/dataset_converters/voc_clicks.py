"""The clicks of "What's the Point" (Bearman et al., 2016) on VOC as weak COCO JSON."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_file import read_json
from mmwsis.structures.extreme_points import is_finite_number
from mmwsis.structures.supervision import Supervision

from .conversion import RunOptions, source_block
from .image_records import Record, Summary, coco_document, convert_images, sum_notes
from .label_maps import image_shape
from .outputs import Outputs
from .voc_classes import VOC_CLASSES, voc_categories
from .voc_layout import VocLayout, image_ids, split_names

_OUTSIDE = 'clicks outside their image, left out'
_NO_CLICK = 'images without a click'


def convert_clicks(
    layout: VocLayout,
    clicks_file: str | os.PathLike,
    split: str | os.PathLike,
    output: str | os.PathLike,
    run: RunOptions | None = None,
) -> Summary:
    """Write the points file of a split from the published clicks (WISE's labels).

    Coordinates are cut to whole pixels, and clicks at or beyond the right and lower
    border are left out and counted, as WISE's code does.

    Args:
        layout: Where VOC is.
        clicks_file: JSON, ``{'2007_000032': [{'cls': 1, 'x': 210, 'y': 80}, ...]}``;
            ``cls`` is 1 to 20.
        split: Name of a split, or a text file with one image name per line.
        output: JSON file to write.
        run: How the conversion runs; the defaults if None.

    Returns:
        The document of level points, what was left out, and warnings.

    Raises:
        ConversionError: Clicks are broken, and ``skip_invalid`` is off.
        FileExistsError: ``output`` exists, and ``overwrite`` is off.
        FileNotFoundError: A file is missing.
        ValueError: ``clicks_file`` has another form.
    """
    names = split_names(layout, str(split))
    clicks = _read_clicks(clicks_file, names)
    convert = functools.partial(
        click_record, clicks=clicks, layout=layout, source=str(clicks_file)
    )
    with Outputs() as files:
        document, left_out = convert_images(
            names,
            convert,
            [output],
            functools.partial(_assemble, source=Path(clicks_file).name),
            # Every process would get all clicks with every image, for next to no work.
            dataclasses.replace(run or RunOptions(), workers=1),
            files,
            clicks_file,
        )
    notes = document['info']['mmwsis']['notes']
    warnings = [f'{count} {note}' for note, count in notes.items()]
    return Summary(document, left_out, warnings)


def click_record(
    name: str, clicks: Mapping[str, Any], layout: VocLayout, source: str
) -> Record:
    """Convert the clicks of one image.

    Args:
        name: Such as '2007_000032'.
        clicks: Clicks by image name.
        layout: Where VOC is.
        source: Name of the clicks' file, for messages.

    Returns:
        ``image`` (without id), ``objects``, ``notes``.

    Raises:
        FileNotFoundError: The image is missing.
        ValueError: A click is broken; the message names file, image and click.
    """
    height, width = image_shape(layout.image(name))
    given = clicks.get(name, [])
    if not isinstance(given, list):
        raise ValueError(f'{source}: image {name!r}: expected a list of clicks')
    notes = {_OUTSIDE: 0, _NO_CLICK: int(not given)}
    objects = []
    for number, click in enumerate(given, 1):
        category_id, x, y = _check_click(click, f'{source}: image {name!r}', number)
        if 0 <= x < width and 0 <= y < height:
            point = [int(x), int(y)]
            objects.append(dict(category_id=category_id, iscrowd=0, point=point))
        else:
            notes[_OUTSIDE] += 1
    tags = sorted({entry['category_id'] for entry in objects})
    image = dict(file_name=f'{name}.jpg', height=height, width=width, tags=tags)
    return dict(image=image, objects=objects, notes=notes)


def _read_clicks(path: str | os.PathLike, names: Sequence[str]) -> dict[str, Any]:
    clicks = read_json(str(path))
    if not isinstance(clicks, dict) or not clicks:
        raise ValueError(
            f'{path}: expected an object from image names to lists of clicks, each '
            f'{{"cls": 1 to {len(VOC_CLASSES)}, "x": ..., "y": ...}}; found '
            f'{"an empty one" if clicks == {} else f"a {type(clicks).__name__}"}'
        )
    by_name: dict[str, Any] = {}
    for key, value in clicks.items():
        if by_name.setdefault(Path(key).stem, value) is not value:
            raise ValueError(f'{path}: image {Path(key).stem!r} is listed twice')
    if by_name.keys().isdisjoint(names):
        raise ValueError(
            f'{path}: has clicks of none of the {len(names)} images asked for; its '
            f'first image is {next(iter(clicks))!r}, theirs {names[0]!r}'
        )
    return by_name


def _check_click(click: Any, place: str, number: int) -> tuple[int, float, float]:
    try:
        category_id, x, y = click['cls'], click['x'], click['y']
    except (KeyError, TypeError):
        raise ValueError(
            f'{place}: click {number} must have cls, x and y; found {click!r}'
        ) from None
    if category_id not in range(1, len(VOC_CLASSES) + 1):
        raise ValueError(
            f'{place}: click {number} has class {category_id!r}; expected 1 to '
            f'{len(VOC_CLASSES)}'
        )
    if not (is_finite_number(x) and is_finite_number(y)):
        raise ValueError(f'{place}: click {number} lies at {x!r}, {y!r}')
    return int(category_id), x, y


def _assemble(records: Sequence[Record], source: str) -> dict[str, Any]:
    names = [Path(record['image']['file_name']).stem for record in records]
    block = source_block(
        'voc2coco', source, Supervision.POINTS, notes=sum_notes(records)
    )
    info = {
        'description': "clicks of What's the Point on PASCAL VOC 2012",
        'mmwsis': block,
    }
    return coco_document(records, info, voc_categories(), image_ids(names))
