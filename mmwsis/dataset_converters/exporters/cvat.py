"""Writer of CVAT's XML, format "CVAT for images 1.1".

Every shape has the attributes ``id``, ``iscrowd``, ``score`` and ``parts``, the number
of shapes of its object; the parts of an object share a group. ``labels.json`` declares
classes and attributes: its text goes into the field *Raw* where a task is made.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from mmwsis.formats.coco_masks import tight_box

from ..conversion import Progress
from .objects import Abilities, ExportImage, ExportObject, plain_numbers

ABILITIES = Abilities(holes_as_mask=True)
FILE_NAME = 'annotations.xml'
_ATTRIBUTES = ('id', 'iscrowd', 'score', 'parts')
_NO_XML = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]')


def check_names(names: Iterable[str]) -> None:
    """Refuse classes whose names no XML can hold.

    Args:
        names: The classes.

    Raises:
        ValueError: One has a control character.
    """
    for name in names:
        if _NO_XML.search(name):
            raise ValueError(
                f'class {name!r} has a character that no XML can hold; rename the '
                'category'
            )


def write_cvat(
    images: Iterable[ExportImage],
    names: Sequence[str],
    folder: Path,
    advance: Progress,
) -> None:
    """Write one XML for all images, and the labels of the task.

    Args:
        images: What to write.
        names: All classes.
        folder: Where to write.
        advance: Counts the images.
    """
    raw = [
        dict(
            name=name,
            attributes=[
                dict(name=one, mutable=False, input_type='text', values=[''])
                for one in _ATTRIBUTES
            ],
        )
        for name in names
    ]
    text = json.dumps(raw, ensure_ascii=False, indent=1)
    (folder / 'labels.json').write_text(text, encoding='utf-8')
    with open(folder / FILE_NAME, 'w', encoding='utf-8') as file:
        head = ElementTree.tostring(_meta(names), encoding='unicode')
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write(f'<version>1.1</version>\n{head}\n')
        for number, image in enumerate(images):
            file.write(ElementTree.tostring(_image(image, number), 'unicode') + '\n')
            advance(1)
        file.write('</annotations>\n')


def _meta(names: Iterable[str]) -> Element:
    meta = Element('meta')
    labels = SubElement(SubElement(meta, 'task'), 'labels')
    for name in names:
        label = SubElement(labels, 'label')
        SubElement(label, 'name').text = name
        attributes = SubElement(label, 'attributes')
        for one in _ATTRIBUTES:
            attribute = SubElement(attributes, 'attribute')
            SubElement(attribute, 'name').text = one
            SubElement(attribute, 'mutable').text = 'False'
            SubElement(attribute, 'input_type').text = 'text'
            SubElement(attribute, 'default_value')
            SubElement(attribute, 'values')
    return meta


def _image(image: ExportImage, number: int) -> Element:
    width, height = image.size
    size = dict(width=str(width), height=str(height))
    element = Element('image', id=str(number), name=image.file_name, **size)
    for name in image.tags:
        SubElement(element, 'tag', label=name, source='auto')
    for one in image.objects:
        for shape in _shapes(one):
            for name, value in _values(one).items():
                SubElement(shape, 'attribute', name=name).text = value
            element.append(shape)
    return element


def _values(one: ExportObject) -> dict[str, str]:
    values = dict(id=str(one.id), parts=str(one.num_shapes))
    if one.is_crowd:
        values['iscrowd'] = 'true'
    if one.score is not None:
        values['score'] = str(one.score)
    return values


def _shapes(one: ExportObject) -> list[Element]:
    common = dict(label=one.name, source='auto', occluded='0', z_order='0')
    if len(one.rings) > 1:
        common['group_id'] = str(one.id)
    if one.rings:
        return [
            Element('polygon', points=_points(ring), **common) for ring in one.rings
        ]
    keys = ('left', 'top', 'width', 'height')
    place = dict(zip(keys, map(str, tight_box(one.crop))))
    return [Element('mask', rle=_runs(one.crop.mask), **place, **common)]


def _points(ring: np.ndarray) -> str:
    return ';'.join('{},{}'.format(*plain_numbers(corner)) for corner in ring)


def _runs(mask: np.ndarray) -> str:
    """Runs of 0s and 1s in turn, row by row."""
    pixels = mask.ravel()
    ends = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff(np.r_[0, ends, pixels.size]).tolist()
    return ', '.join(map(str, [0, *runs] if pixels[0] else runs))
