"""KITTI's box files (label_2) as weak COCO JSON: boxes, and points at their centres."""

import functools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.validation.geometry import BORDER_PIXELS
from mmwsis.structures.supervision import Supervision, restrict_coco

from .conversion import RunOptions, source_block
from .image_records import (
    Record,
    Summary,
    coco_document,
    compare_size,
    convert_images,
    read_list,
)
from .kitti_classes import (
    KITTI_BOX_CLASSES,
    KITTI_IGNORED_TYPE,
    KITTI_NEIGHBOURS,
    KITTI_SIZES,
)
from .label_maps import image_shape
from .outputs import Outputs

LEVELS = (Supervision.POINTS, Supervision.BOXES)
_BY_TYPE = {one.type: one for one in KITTI_BOX_CLASSES}
_BY_NAME = {one.name: one for one in KITTI_BOX_CLASSES}
_FIELDS = 15


@dataclass(frozen=True)
class KittiBoxOptions:
    """How KITTI's boxes are converted.

    Attributes:
        image_dir: Folder of the images, 'training/image_2'.
        label_dir: Folder of the box files, 'training/label_2'.
        level: POINTS or BOXES.
        classes: Names of :data:`~.kitti_classes.KITTI_BOX_CLASSES`.
    """

    image_dir: Path
    label_dir: Path
    level: Supervision = Supervision.POINTS
    classes: tuple[str, ...] = ('car',)

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(
                f'label_2 has boxes: level must be points or boxes, given '
                f'{self.level.label}'
            )
        check_class_names(self.classes, tuple(_BY_NAME))


class KittiObject(NamedTuple):
    """A line of a box file.

    Attributes:
        type: KITTI's name of the class.
        corners: ``x1, y1, x2, y2`` in pixels, counted from 0.
    """

    type: str
    corners: tuple[float, float, float, float]


def check_class_names(given: Sequence[str], known: Sequence[str]) -> None:
    """Refuse unknown or repeated class names.

    Args:
        given: Names wanted.
        known: Names there are.

    Raises:
        ValueError: A name is unknown or given twice, or there is none.
    """
    unknown = [name for name in given if name not in known]
    if unknown or not given or len(set(given)) != len(given):
        raise ValueError(
            f'classes must be different names of {tuple(known)}; given {tuple(given)}'
        )


def convert_boxes(
    image_list: str | os.PathLike,
    output: str | os.PathLike,
    options: KittiBoxOptions,
    run: RunOptions | None = None,
) -> Summary:
    """Convert the images of a list.

    Args:
        image_list: Text file with one image name per line.
        output: JSON file to write.
        options: How.
        run: How the conversion runs; the defaults if None.

    Returns:
        The document, what was left out, and warnings.

    Raises:
        ConversionError: Images are broken, and ``skip_invalid`` is off.
        FileExistsError: ``output`` exists, and ``overwrite`` is off.
        FileNotFoundError: There is no list.
    """
    with Outputs() as files:
        document, left_out = convert_images(
            read_list(image_list),
            functools.partial(image_record, options=options),
            [output],
            functools.partial(_assemble, source=Path(image_list).name, options=options),
            run or RunOptions(),
            files,
            options.label_dir,
        )
    stem = Path(image_list).stem
    published, where = KITTI_SIZES.get(stem), f'the usual list {stem} of KITTI'
    warnings = compare_size(document, 'images', published, where)
    return Summary(document, left_out, warnings)


def image_record(name: str, options: KittiBoxOptions) -> Record:
    """Convert one image.

    The point of an object is the centre of its box, ((x1+x2)//2, (y1+y2)//2) (WISE).
    What KITTI's evaluation leaves out of account becomes a crowd box: regions
    ``DontCare`` for every class, and neighbouring classes (vans for cars).

    Args:
        name: Such as '000007'.
        options: How.

    Returns:
        ``image`` (without id) and ``objects``.

    Raises:
        FileNotFoundError: The image or its box file is missing.
        ValueError: The box file is broken; the message names the file and the line.
    """
    file_name = f'{name}.png'
    height, width = image_shape(options.image_dir / file_name)
    wanted = {_BY_NAME[key].type: _BY_NAME[key].id for key in options.classes}
    neighbours = {
        _BY_NAME[KITTI_NEIGHBOURS[key]].type: _BY_NAME[key].id
        for key in options.classes
        if key in KITTI_NEIGHBOURS and KITTI_NEIGHBOURS[key] not in options.classes
    }
    objects = []
    for one in read_box_file(options.label_dir / f'{name}.txt', (height, width)):
        if one.type in wanted:
            objects.append(_entry(one.corners, wanted[one.type]))
        elif one.type in neighbours:
            objects.append(_entry(one.corners, neighbours[one.type], iscrowd=1))
        elif one.type == KITTI_IGNORED_TYPE:
            objects += [_entry(one.corners, key, iscrowd=1) for key in wanted.values()]
    tags = {entry['category_id'] for entry in objects if not entry['iscrowd']}
    image = dict(file_name=file_name, height=height, width=width, tags=sorted(tags))
    return dict(image=image, objects=objects)


def read_box_file(path: Path, size: tuple[int, int]) -> list[KittiObject]:
    """Read a file of label_2.

    Args:
        path: Text file, one object per line, of which the fields type (1st) and left,
            top, right, bottom (5th to 8th) are read.
        size: Height and width of the image in pixels.

    Returns:
        Objects in the order of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line has another form, an unknown type or an impossible box.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}: the box file is missing')
    found = []
    lines = path.read_text(encoding='utf-8-sig', errors='replace').splitlines()
    for number, line in enumerate(lines, 1):
        fields = line.split()
        if not fields:
            continue
        place = f'{path}, line {number} (object {len(found) + 1})'
        if len(fields) < _FIELDS:
            raise ValueError(
                f'{place}: expected {_FIELDS} fields separated by blanks, found '
                f'{len(fields)}'
            )
        if fields[0] not in _BY_TYPE and fields[0] != KITTI_IGNORED_TYPE:
            raise ValueError(
                f'{place}: unknown type {fields[0]!r}; known are '
                f'{(*_BY_TYPE, KITTI_IGNORED_TYPE)}'
            )
        found.append(KittiObject(fields[0], _corners(fields[4:8], size, place)))
    return found


def _corners(
    fields: Sequence[str], size: tuple[int, int], place: str
) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = (float(field) for field in fields)
    except ValueError:
        raise ValueError(
            f'{place}: left, top, right, bottom must be numbers, found '
            f'{" ".join(fields)}'
        ) from None
    if not all(math.isfinite(value) for value in (x1, y1, x2, y2)):
        raise ValueError(f'{place}: the box {x1, y1, x2, y2} is not finite')
    if x2 <= x1 or y2 <= y1:
        raise ValueError(
            f'{place}: the box {x1, y1, x2, y2} (left, top, right, bottom) has no '
            'width or no height'
        )
    height, width = size
    if max(-x1, -y1, x2 - width, y2 - height) > BORDER_PIXELS:
        raise ValueError(
            f'{place}: the box {x1, y1, x2, y2} (left, top, right, bottom) lies at '
            f'least in part outside the image of {width} x {height} pixels; KITTI cuts '
            'boxes at the border'
        )
    return x1, y1, x2, y2


def _entry(
    corners: Sequence[float], category_id: int, iscrowd: int = 0
) -> dict[str, Any]:
    x1, y1, x2, y2 = corners
    point = {} if iscrowd else dict(point=[(x1 + x2) // 2, (y1 + y2) // 2])
    # KITTI gives two decimals; the difference must not show more.
    box = [x1, y1, round(x2 - x1, 4), round(y2 - y1, 4)]
    return dict(category_id=category_id, iscrowd=iscrowd, **point, bbox=box)


def _assemble(
    records: Sequence[Record], source: str, options: KittiBoxOptions
) -> dict[str, Any]:
    categories = [
        dict(id=one.id, name=one.name, supercategory='thing', color=list(one.color))
        for one in map(_BY_NAME.__getitem__, options.classes)
    ]
    info = {
        'description': 'KITTI object detection',
        'mmwsis': source_block('kitti2coco', source, options.level),
    }
    document = coco_document(records, info, categories)
    document = restrict_coco(document, options.level, source=source)
    if options.level is Supervision.POINTS:
        # A crowd box is no point, and says nothing without its box.
        document['annotations'] = [
            annotation
            for annotation in document['annotations']
            if not annotation['iscrowd']
        ]
    return document
