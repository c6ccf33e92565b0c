"""Writer of LabelMe's JSON, one file per image.

All shapes of an object have the annotation's id as ``group_id``. The keys ``score``,
``iscrowd``, ``parts`` and ``annotation_ids`` are not LabelMe's; it keeps them when it
saves, and copies them with a shape: ``parts``, the number of shapes that an object was
written as, tells a copy from a part.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import cv2

from mmwsis.formats.coco_masks import tight_box

from ..conversion import Progress
from ..importers.settings import NO_CLASSES
from .objects import Abilities, ExportImage, ExportObject, plain_numbers
from .settings import ExportSettings

ABILITIES = Abilities()
_VERSION = '5.4.1'


def check_names(names: Iterable[str]) -> None:
    """Refuse classes that LabelMe takes for something else.

    Args:
        names: The classes.

    Raises:
        ValueError: One is LabelMe's name of what is no class.
    """
    for name in names:
        if name in NO_CLASSES:
            raise ValueError(
                f'class {name!r}: LabelMe has this name for what is no class; rename '
                'the category'
            )


def write_labelme(
    images: Iterable[ExportImage],
    folder: Path,
    out_dir: Path,
    settings: ExportSettings,
    advance: Progress,
) -> None:
    """Write one JSON per image.

    Args:
        images: What to write.
        folder: Where to write.
        out_dir: Where the folder will be in the end.
        settings: Where the images are.
        advance: Counts the images.
    """
    for image in images:
        name = PurePosixPath(image.file_name)
        path = folder / name.with_suffix('.json')
        path.parent.mkdir(parents=True, exist_ok=True)
        place = name.name
        if settings.img_dir is not None and settings.images == 'none':
            # relpath goes by names: through a link it would end elsewhere.
            file = settings.img_dir.resolve() / name
            place = os.path.relpath(file, (out_dir.resolve() / name).parent)
        document = labelme_document(image, Path(place).as_posix())
        path.write_text(_dump(document), encoding='utf-8')
        advance(1)


def labelme_document(image: ExportImage, image_path: str) -> dict[str, Any]:
    """LabelMe's JSON of one image.

    Args:
        image: What to write.
        image_path: Place of the image, from the JSON on.
    """
    width, height = image.size
    return dict(
        version=_VERSION,
        flags=dict.fromkeys(image.tags, True),
        shapes=[shape for one in image.objects for shape in _shapes(one)],
        imagePath=image_path,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
        annotation_ids=[one.id for one in image.objects],
    )


def _shapes(one: ExportObject) -> list[dict[str, Any]]:
    more: dict[str, Any] = {} if one.score is None else dict(score=one.score)
    if one.is_crowd:
        more['iscrowd'] = 1
    common = dict(label=one.name, group_id=one.id, description='', flags={}, **more)
    common['parts'] = one.num_shapes
    if one.rings:
        return [
            dict(
                common,
                shape_type='polygon',
                points=[plain_numbers(corner) for corner in ring],
                mask=None,
            )
            for ring in one.rings
        ]
    x, y, width, height = tight_box(one.crop)
    corners = [[x, y], [x + width - 1, y + height - 1]]  # of pixels, both included
    png = cv2.imencode('.png', one.crop.mask * 255)[1].tobytes()
    mask = base64.b64encode(png).decode('ascii')
    return [dict(common, shape_type='mask', points=corners, mask=mask)]


def _dump(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False)
