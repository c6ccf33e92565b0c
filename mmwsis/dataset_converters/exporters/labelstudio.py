"""Writer of Label Studio's pre-annotations: tasks with ``predictions``.

A region bears the annotation's id as its own ``id`` and, for people, in its ``meta``,
and the score. Label Studio has no groups: an object of several parts is a brush mask.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ..conversion import Progress
from .objects import Abilities, ExportImage, ExportObject

ABILITIES = Abilities(parts=False, holes_as_mask=True)
FILE_NAME = 'tasks.json'
_IMAGE, _POLYGON, _BRUSH, _TAGS = 'image', 'polygon', 'brush', 'tags'
_LENGTHS = (3, 4, 8, 16)  # bits of the length of a run


def write_labelstudio(
    images: Iterable[ExportImage],
    names: Sequence[str],
    folder: Path,
    image_url: str,
    advance: Progress,
) -> None:
    """Write the tasks, and the configuration of a project that shows them.

    Args:
        images: What to write.
        names: All classes.
        folder: Where to write.
        image_url: What stands before the file names in the addresses of the images.
        advance: Counts the images.
    """
    config = ElementTree.tostring(labelling_config(names), 'unicode')
    (folder / 'label_config.xml').write_text(config, encoding='utf-8')
    with open(folder / FILE_NAME, 'w', encoding='utf-8') as file:
        separator = '[\n'
        for image in images:
            task = labelstudio_task(image, image_url)
            file.write(separator + json.dumps(task, allow_nan=False))
            separator = ',\n'
            advance(1)
        file.write('\n]\n')


def labelling_config(names: Iterable[str]) -> Element:
    """Configuration of a project: classes for outlines, masks and images.

    Args:
        names: All classes.
    """
    names, view = list(names), Element('View')
    SubElement(view, 'Image', name=_IMAGE, value='$image')
    for kind, name in (('PolygonLabels', _POLYGON), ('BrushLabels', _BRUSH)):
        labels = SubElement(view, kind, name=name, toName=_IMAGE)
        for one in names:
            SubElement(labels, 'Label', value=one)
    choices = SubElement(view, 'Choices', name=_TAGS, toName=_IMAGE, choice='multiple')
    for one in names:
        SubElement(choices, 'Choice', value=one)
    ElementTree.indent(view)
    return view


def labelstudio_task(image: ExportImage, image_url: str) -> dict[str, Any]:
    """Task of one image.

    Args:
        image: What to write.
        image_url: What stands before its file name in its address.
    """
    results = [_region(one, image.size) for one in image.objects]
    if image.tags:
        common = dict(from_name=_TAGS, to_name=_IMAGE, type='choices')
        results.append(dict(id='tags', value=dict(choices=image.tags), **common))
    scores = [one.score for one in image.objects if one.score is not None]
    prediction: dict[str, Any] = dict(model_version='mmwsis', result=results)
    if scores:
        # Tasks are sorted by it: the worst label counts.
        prediction['score'] = min(scores)
    return dict(
        data=dict(image=image_url + quote(image.file_name)), predictions=[prediction]
    )


def _region(one: ExportObject, size: tuple[int, int]) -> dict[str, Any]:
    if one.rings:
        percent = np.asarray(one.rings[0], dtype=np.float64) / size * 100
        name, kind = _POLYGON, 'polygonlabels'
        value: dict[str, Any] = dict(points=percent.tolist(), closed=True)
    else:
        name, kind = _BRUSH, 'brushlabels'
        value = dict(format='rle', rle=encode_brush(_on_image(one, size)))
    value[kind] = [one.name]
    notes = [f'id {one.id}', *(['iscrowd'] if one.is_crowd else [])]
    made = dict(
        id=str(one.id),
        type=kind,
        from_name=name,
        to_name=_IMAGE,
        original_width=size[0],
        original_height=size[1],
        image_rotation=0,
        value=value,
        meta=dict(text=notes),
    )
    return made if one.score is None else {**made, 'score': one.score}


def _on_image(one: ExportObject, size: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros(size[::-1], dtype=np.uint8)
    (x, y), (rows, columns) = one.crop.offset, one.crop.mask.shape
    canvas[y : y + rows, x : x + columns] = one.crop.mask
    return canvas


def encode_brush(mask: np.ndarray) -> list[int]:
    """Brush mask as Label Studio stores it, a run-length coded RGBA picture.

    Args:
        mask: 0/1 array (height, width).

    Returns:
        Bytes of the stream that ``importers.labelstudio_brush`` describes.
    """
    pixels = mask.ravel()
    ends = np.flatnonzero(np.diff(pixels)) + 1
    starts = np.r_[0, ends]
    runs = np.diff(np.r_[starts, pixels.size]) * 4  # four channels
    bits = [f'{pixels.size * 4:032b}', f'{7:05b}']
    bits += [f'{length - 1:04b}' for length in _LENGTHS]
    for value, run in zip(pixels[starts].tolist(), runs.tolist()):
        while run:
            part = min(run, 2 ** _LENGTHS[-1])
            which = next(i for i, bit in enumerate(_LENGTHS) if part <= 2**bit)
            count = f'{part - 1:0{_LENGTHS[which]}b}'
            bits.append(f'1{which:02b}{count}{255 * value:08b}')
            run -= part
    stream = ''.join(bits)
    stream += '0' * (-len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8, 'big'))
