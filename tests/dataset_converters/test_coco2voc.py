"""COCO's panoptic files with VOC's classes, for pretraining."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_api

from mmwsis.dataset_converters.coco2weak import convert_file as derive
from mmwsis.dataset_converters.coco_voc import COCO_NAMES, convert_file
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.image_records import ConversionError
from mmwsis.dataset_converters.voc_classes import VOC_CLASSES
from mmwsis.formats.segment_maps import decode_segment_map
from mmwsis.structures.supervision import Supervision

LAST = 2**24 - 1
SOFA, GIRAFFE, SKY, PERSON = 63, 25, 187, 1


def categories():
    """VOC's classes under COCO's names, a thing and a stuff class that VOC lacks."""
    coco = {voc: name for name, voc in COCO_NAMES.items()}
    names = {100 + n: coco.get(name, name) for n, name in enumerate(VOC_CLASSES)}
    ids = {next(key for key in names if names[key] == 'couch'): SOFA}
    ids[next(key for key in names if names[key] == 'person')] = PERSON
    things = {ids.get(key, key): name for key, name in names.items()}
    things[GIRAFFE] = 'giraffe'
    return [
        *(dict(id=key, name=name, isthing=1) for key, name in things.items()),
        dict(id=SKY, name='sky-other-merged', isthing=0),
    ]


def png_of(ids):
    pixels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture
def coco(tmp_path):
    """A couch, a person, a crowd, a giraffe, sky and nothing; and a giraffe alone."""
    ids = np.zeros((20, 30), dtype=np.int64)
    ids[:8] = LAST  # sky has the id that the background would get
    ids[10:16, 2:10] = 70_000
    ids[10:16, 12:15] = 5
    ids[10:16, 20:30] = 6
    ids[18:, :7] = 7
    segments = [
        dict(id=LAST, category_id=SKY, bbox=[0, 0, 30, 8], area=240),
        dict(id=70_000, category_id=SOFA, iscrowd=0, bbox=[2, 10, 8, 6], area=48),
        dict(id=5, category_id=PERSON, iscrowd=0, bbox=[12, 10, 3, 6], area=18),
        dict(id=6, category_id=GIRAFFE, iscrowd=0, bbox=[20, 10, 10, 6], area=60),
        dict(id=7, category_id=PERSON, iscrowd=1, bbox=[0, 18, 7, 2], area=14),
    ]
    alone = dict(id=9, category_id=GIRAFFE, iscrowd=0, bbox=[0, 0, 4, 4], area=16)
    document = dict(
        images=[
            dict(id=285, file_name='000000000285.jpg', height=4, width=4),
            dict(id=139, file_name='000000000139.jpg', height=20, width=30),
        ],
        annotations=[
            dict(image_id=139, file_name='000000000139.png', segments_info=segments),
            dict(image_id=285, file_name='000000000285.png', segments_info=[alone]),
        ],
        categories=categories(),
    )
    folder = tmp_path / 'panoptic_val2017'
    folder.mkdir()
    png_of(ids).save(folder / '000000000139.png')
    png_of(np.full((4, 4), 9)).save(folder / '000000000285.png')
    path = tmp_path / 'panoptic_val2017.json'
    path.write_text(json.dumps(document))
    return path, ids


def convert(path, **options):
    folder = path.parent / 'panoptic_val2017_voc'
    output = path.parent / 'instances_val2017_voc.json'
    return convert_file(path, output, folder, **options)


def test_other_classes_are_background(coco):
    path, ids = coco
    summary = convert(path)
    assert summary.warnings == ['1 images have fewer than 1 pixels of VOC']
    panoptic = json.loads((path.parent / 'panoptic_val2017_voc.json').read_text())
    names = [one['name'] for one in panoptic['categories']]
    assert names == [*VOC_CLASSES, 'background']
    (image,), (record,) = panoptic['images'], panoptic['annotations']
    assert image['id'] == record['image_id'] == 139
    content = (path.parent / 'panoptic_val2017_voc/000000000139.png').read_bytes()
    written = decode_segment_map(content)
    rest = LAST - 1
    expected = np.where((ids == LAST) | (ids == 6), rest, ids)
    np.testing.assert_array_equal(written, expected)
    found = {one['id']: one for one in record['segments_info']}
    sofa, person = VOC_CLASSES.index('sofa') + 1, VOC_CLASSES.index('person') + 1
    classes = {key: one['category_id'] for key, one in found.items()}
    assert classes == {70_000: sofa, 5: person, 7: person, rest: 21}
    assert found[rest]['area'] == 300 and found[rest]['bbox'] == [0, 0, 30, 16]
    assert [key for key, one in found.items() if one['iscrowd']] == [7]


def mask_of(rle):
    return mask_api.decode({**rle, 'counts': rle['counts'].encode()}).astype(bool)


def test_objects_have_their_masks_and_what_has_no_label_is_void(coco):
    path, ids = coco
    document = convert(path).document
    for entry, number in zip(document['annotations'], (70_000, 5, 7), strict=True):
        mask = mask_of(entry['segmentation'])
        np.testing.assert_array_equal(mask, ids == number)
        assert entry['area'] == mask.sum() and entry['image_id'] == 139
    (image,) = document['images']
    assert image['tags'] == [15, 18]
    np.testing.assert_array_equal(mask_of(image['void']), ids == 0)


def test_boxes_of_the_result_are_those_of_the_objects(coco):
    path, _ = coco
    convert(path)
    out = path.parent / 'boxes.json'
    derive(path.parent / 'panoptic_val2017_voc.json', {Supervision.BOXES: out})
    boxes = json.loads(out.read_text())
    assert [one['bbox'] for one in boxes['annotations']] == [
        [2, 10, 8, 6],
        [12, 10, 3, 6],
        [0, 18, 7, 2],
    ]


def test_images_that_show_little_of_voc_are_left_out(coco):
    path, _ = coco
    assert len(convert(path, min_pixels=80).document['images']) == 1
    assert len(convert(path, min_pixels=0, run=again()).document['images']) == 2
    with pytest.raises(ValueError, match='none of 2 images has 81 pixels of VOC'):
        convert(path, min_pixels=81, run=again())


def again():
    return RunOptions(overwrite=True)


def edited(path, edit):
    document = json.loads(path.read_text())
    edit(document)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (lambda d: d.update(annotations=[]), 'is no COCO panoptic JSON'),
        (
            lambda d: d['categories'].pop(0),
            r"has no class for \['aeroplane'\] of VOC",
        ),
        (lambda d: d['annotations'].pop(), 'image id 285 has no annotation'),
        (
            lambda d: d['annotations'][0]['segments_info'].pop(1),
            r'139.png has 48 pixels of segment 70000, which .* image id 139 does not',
        ),
        (
            lambda d: d['annotations'][0].update(file_name='other.png'),
            r'other.png does not exist; .* image id 139 names it',
        ),
    ],
)
def test_broken_files_are_named_and_nothing_is_written(coco, edit, message):
    path = edited(coco[0], edit)
    with pytest.raises((ValueError, ConversionError), match=message):
        convert(path)
    assert not (path.parent / 'instances_val2017_voc.json').exists()
    assert not [*path.parent.glob('panoptic_val2017_voc/*.png')]
