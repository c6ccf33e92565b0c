"""Folders of PASCAL VOC, SBD, Cityscapes, KITTI and COCO panoptic, a few pixels wide.

Also what a file of theirs may become: strategies of bytes.
"""

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

SIZE = (6, 8)
NAMES = ('2007_000032', '2007_000039')
XML = """<?xml version="1.0" encoding="utf-8"?>
<annotation><folder>VOC2012</folder><filename>2007_000032.jpg</filename>
<size><width>8</width><height>6</height><depth>3</depth></size><segmented>1</segmented>
<object><name>person</name><difficult>1</difficult><bndbox><xmin>2</xmin>
<ymin>2</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object>
<object><name>bird</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>3</xmax>
<ymax>3</ymax></bndbox><part><name>head</name></part></object></annotation>
"""
KITTI_TEXT = (
    'Car 0.00 0 -1.58 1.00 1.00 5.00 5.00 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n'
    'Van 0.00 0 -1.58 2.00 1.00 7.00 5.00 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n'
    'DontCare -1 -1 -10 0.00 0.00 2.00 2.00 -1 -1 -1 -1000 -1000 -1000 -10\n'
)
CLICKS = {
    NAMES[0]: [{'cls': 15, 'x': 3, 'y': 3}, {'cls': 7, 'x': 1.5, 'y': 0}],
    NAMES[1]: [],
}
PANOPTIC = dict(
    info={},
    images=[
        dict(id=1, file_name='a.jpg', width=8, height=6),
        dict(id=2, file_name='b.jpg', width=8, height=6),
    ],
    annotations=[
        dict(
            image_id=1,
            file_name='a.png',
            segments_info=[
                dict(id=300, category_id=3, bbox=[1, 1, 4, 4], area=16, iscrowd=0),
                dict(id=5, category_id=9, bbox=[0, 0, 8, 6], area=32, iscrowd=0),
            ],
        ),
        dict(image_id=2, file_name='b.png', segments_info=[]),
    ],
    categories=[
        dict(id=3, name='car', isthing=1, supercategory='vehicle'),
        dict(id=9, name='sky', isthing=0, color=[1, 2, 3]),
    ],
)
INSTANCES = dict(
    images=PANOPTIC['images'],
    annotations=[
        dict(
            id=4,
            image_id=1,
            category_id=3,
            bbox=[1, 1, 4, 4],
            area=16,
            iscrowd=0,
            segmentation=[[1, 1, 5, 1, 5, 5, 1, 5]],
        )
    ],
    categories=[dict(id=3, name='car')],
)


def label_map(*values: int, dtype: type = np.uint8) -> np.ndarray:
    """Two rectangles on a background of the last value."""
    pixels = np.full(SIZE, values[-1], dtype)
    pixels[1:5, 1:5] = values[0]
    pixels[2:, 6:] = values[1]
    return pixels


def png(pixels: np.ndarray) -> bytes:
    """A PNG file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, 'png')
    return content.getvalue()


def write(path: Path, content: bytes | str) -> None:
    """Write a file, and the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def voc(root: Path) -> None:
    """One image with masks of VOC, one with those of SBD."""
    image = Image.new('RGB', SIZE[::-1])
    (root / 'voc/JPEGImages').mkdir(parents=True)
    for name in NAMES:
        image.save(root / f'voc/JPEGImages/{name}.jpg')
    write(root / f'voc/SegmentationObject/{NAMES[0]}.png', png(label_map(1, 2, 0)))
    write(root / f'voc/SegmentationClass/{NAMES[0]}.png', png(label_map(15, 255, 0)))
    write(root / f'voc/Annotations/{NAMES[0]}.xml', XML)
    write(root / 'sbd/train.txt', NAMES[1])
    write(root / f'sbd/inst/{NAMES[1]}.mat', mat(label_map(1, 2, 0), [15, 7]))
    content = io.BytesIO()
    savemat(content, dict(GTcls=dict(Segmentation=label_map(15, 7, 0))))
    write(root / f'sbd/cls/{NAMES[1]}.mat', content.getvalue())
    write(root / 'list.txt', '\n'.join(NAMES) + '\n')
    write(root / 'clicks.json', json.dumps(CLICKS))


def mat(segmentation: object, categories: object) -> bytes:
    """A file of SBD's inst."""
    content = io.BytesIO()
    structure = dict(Segmentation=segmentation, Categories=categories)
    savemat(content, dict(GTinst=structure))
    return content.getvalue()


def cityscapes(root: Path) -> None:
    """One image of aachen."""
    pixels = np.zeros((*SIZE, 3), np.uint8)
    stem = 'aachen/aachen_000000_000019'
    write(root / f'leftImg8bit/train/{stem}_leftImg8bit.png', png(pixels))
    labels = label_map(26001, 26, 23, dtype=np.uint16)
    write(root / f'gtFine/train/{stem}_gtFine_instanceIds.png', png(labels))


def kitti(root: Path) -> None:
    """One image with boxes and an instance map."""
    write(root / 'training/image_2/000001.png', png(np.zeros((*SIZE, 3), np.uint8)))
    write(root / 'training/label_2/000001.txt', KITTI_TEXT)
    labels = label_map(26 * 256 + 1, 26 * 256, 23 * 256, dtype=np.uint16)
    write(root / 'training/instance/000001.png', png(labels))
    write(root / 'list.txt', '000001\n')


def panoptic(root: Path) -> None:
    """Instances and panoptic files, with PNGs."""
    write(root / 'panoptic.json', json.dumps(PANOPTIC))
    write(root / 'instances.json', json.dumps(INSTANCES))
    ids = label_map(300, 5, 5, dtype=np.int64)
    colours = np.stack([ids % 256, ids // 256, ids * 0], -1).astype(np.uint8)
    write(root / 'panoptic/a.png', png(colours))
    write(root / 'panoptic/b.png', png(colours * 0))


def texts(text: str) -> st.SearchStrategy[bytes]:
    """A text file with one word changed, or in another encoding."""
    words = sorted({*text.split(), *text.replace('>', ' ').replace('<', ' ').split()})
    junk = [
        *('', ' ', 'inf', 'nan', '-1', '1e400', '9' * 5000, '0x10', 'true', '\x00'),
        *('ü', '<', '&amp;', '&x;', '</a>', '<b/>', '\n', '\r\n', '\ufeff', '../../x'),
        *('UTF-16', 'cp1252', 'klingon', 'person', '1' * 20, '3.7', '/', '.', '-'),
    ]

    def replace(word: str, other: str, everywhere: bool) -> bytes:
        return text.replace(word, other, -1 if everywhere else 1).encode()

    def recode(way: str, at: int) -> bytes:
        if way == 'cut':
            return text[:at].encode()
        if way == 'twice':
            return (text * 2).encode()
        if way == 'bytes':
            return text[:at].encode() + b'\xff\xfe\x00' + text[at:].encode()
        if way == 'crlf':
            return text.replace('\n', '\r\n\r\n').encode()
        return text.encode(way)

    ways = ('cut', 'twice', 'bytes', 'crlf', 'utf-8-sig', 'utf-16', 'utf-32')
    replaced = st.builds(
        replace, st.sampled_from(words), st.sampled_from(junk), st.booleans()
    )
    recoded = st.builds(recode, st.sampled_from(ways), st.integers(0, len(text)))
    return st.one_of(replaced, replaced, replaced, recoded)


def images(original: bytes) -> st.SearchStrategy[bytes]:
    """Label maps of other values, sizes and modes, and files that are none."""
    arrays = st.builds(
        _array,
        st.sampled_from(['u1', 'u2', 'bool', 'rgb', 'rgba', 'la']),
        st.sampled_from([SIZE, SIZE, SIZE, SIZE[::-1], (1, 1), (6, 400)]),
        st.lists(st.sampled_from(VALUES), min_size=1, max_size=4),
    )
    broken = st.builds(
        lambda at, junk: original[:at] + junk + original[at + len(junk) :],
        st.integers(0, len(original)),
        st.sampled_from([b'', b'\x00' * 8, b'\xff' * 4]),
    )
    cut = st.integers(0, len(original)).map(lambda at: original[:at])
    others = st.sampled_from([b'', b'{}', b'GIF89a', pickle.dumps(1)])
    return st.one_of(arrays, arrays, broken, cut, others)


VALUES = (0, 1, 2, 7, 15, 20, 21, 26, 33, 34, 255, 256, 5001, 26001, 33999, 65535)


def _array(mode: str, size: tuple[int, int], values: list[int]) -> bytes:
    pixels = np.resize(np.array(values), size)
    if mode in ('rgb', 'rgba', 'la'):
        pixels = np.stack([pixels] * dict(rgb=3, rgba=4, la=2)[mode], -1)
    kind = dict(u1='u1', u2='u2', bool='bool').get(mode, 'u1')
    return png(pixels.astype(kind))


def matrices() -> st.SearchStrategy[bytes]:
    """Files of SBD with other matrices and categories."""
    numbers = st.sampled_from([0, 1, 2, 3, 15, 20, 21, 255, 256, -1, 0.5, np.nan, 1e9])
    segmentation = st.one_of(
        st.lists(numbers, min_size=1, max_size=3).map(
            lambda values: np.resize(np.array(values), SIZE)
        ),
        st.sampled_from(['text', np.zeros((0, 0)), np.zeros((2, 2, 2)), {'a': 1}]),
        st.just(label_map(1, 2, 0)),
    )
    categories = st.one_of(
        st.lists(numbers, max_size=3).map(np.array),
        st.sampled_from(['text', {'a': 1}, np.array([1 + 2j]), 'x']),
    )
    return st.builds(mat, segmentation, categories)


LAYOUTS: dict[str, Callable[[Path], None]] = dict(
    voc=voc, cityscapes=cityscapes, kitti=kitti, panoptic=panoptic
)
