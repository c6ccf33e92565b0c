"""Panoptic files: the JSON, and the PNGs against it."""

import copy
import json

import cv2
import numpy as np
import pytest

from mmwsis.formats.validation.panoptic import validate_panoptic
from mmwsis.structures.segment_ids import colours_of_ids

HEIGHT, WIDTH = 20, 30


@pytest.fixture
def document():
    def segment(number, category, x):
        return dict(
            id=number, category_id=category, bbox=[x, 0, 10, 20], area=200, iscrowd=0
        )

    return dict(
        images=[dict(id=7, file_name='a.jpg', width=WIDTH, height=HEIGHT)],
        annotations=[
            dict(
                image_id=7,
                file_name='a.png',
                segments_info=[segment(70000, 1, 0), segment(300, 2, 10)],
            )
        ],
        categories=[
            dict(id=1, name='bolt', isthing=1),
            dict(id=2, name='table', isthing=0),
        ],
    )


@pytest.fixture
def found(tmp_path):
    def find(document, ids=(70000, 300, 0), size=(HEIGHT, WIDTH)):
        path = tmp_path / 'panoptic.json'
        path.write_text(json.dumps(document))
        values = np.zeros(size, dtype=np.int64)
        for k, number in enumerate(ids):
            values[:, 10 * k : 10 * k + 10] = number
        cv2.imwrite(str(tmp_path / 'a.png'), colours_of_ids(values))
        log = validate_panoptic(str(path), str(tmp_path)).log
        return {rule: str(issues[0]) for rule, issues in log.examples.items()}

    return find


def test_a_sound_file(document, found):
    assert found(document) == {}


def test_segments_of_one_side_only(document, found):
    assert found(document, (70000, 300, 9))['panoptic-unlisted'].endswith(
        'a.png has segment id 9, which segments_info lacks.'
    )
    texts = found(document, (70000, 0, 0))
    assert 'image id 7: segments_info has segment id 300' in texts['panoptic-absent']


def test_the_png(document, found):
    text = found(document, size=(10, 10))['panoptic-png']
    assert 'has 10 x 10 pixels' in text
    document['images'][0]['file_name'] = 'b.jpg'
    assert 'no readable file' in found(document)['panoptic-png']


@pytest.mark.parametrize(
    'pixels, kind, words',
    [
        (np.full((HEIGHT, WIDTH, 3), 90, np.uint8), '.jpg', 'is a JPEG'),
        (np.full((HEIGHT, WIDTH), 90, np.uint8), '.png', '1 channels of 8 bits'),
        (np.full((HEIGHT, WIDTH, 3), 90, np.uint16), '.png', 'of 16 bits'),
    ],
)
def test_pictures_that_hold_no_segment_ids(document, tmp_path, pixels, kind, words):
    (tmp_path / 'panoptic.json').write_text(json.dumps(document))
    (tmp_path / 'a.png').write_bytes(cv2.imencode(kind, pixels)[1].tobytes())
    log = validate_panoptic(str(tmp_path / 'panoptic.json'), str(tmp_path)).log
    assert words in str(log.examples['panoptic-png'][0])


SEGMENTS = {
    'zero': (dict(id=0), '0 is no segment'),
    'beyond': (dict(id=2**24), '2^24'),
    'text': (dict(id='5'), "'5' must be"),
    'twice': (dict(id=300), 'listed twice'),
    'category': (dict(category_id=9), 'category_id 9 of segment id 70000'),
    'category_list': (dict(category_id=[9]), 'is unknown'),
    'no_area': (dict(area=None), 'lacks area'),
    'no_bbox': (dict(bbox=None), 'lacks bbox'),
    'bbox_text': (dict(bbox='7'), 'bbox or area of segment id 70000'),
    'bbox_short': (dict(bbox=[1, 2, 3]), 'bbox or area of segment id 70000'),
}


@pytest.mark.parametrize('fault', SEGMENTS)
def test_segments(document, found, fault):
    values, words = SEGMENTS[fault]
    document['annotations'][0]['segments_info'][0].update(copy.deepcopy(values))
    text = found(document)['panoptic-format']
    assert words in text and text.startswith('image id 7: ')


@pytest.mark.parametrize(
    'entry, words',
    [
        (5, 'must be an object'),
        (dict(image_id=8, segments_info=[]), 'not the id of an image'),
        (dict(image_id=[8], segments_info=[]), 'not the id of an image'),
        (dict(image_id=7), 'must be a list'),
        (dict(image_id=7, segments_info=[5]), 'a segment must be an object'),
    ],
)
def test_entries(document, found, entry, words):
    document['annotations'] = [entry]
    assert words in found(document)['panoptic-format']


def test_things_and_stuff_are_told(document, found):
    del document['categories'][0]['isthing']
    assert "category 'bolt' needs isthing" in found(document)['panoptic-format']
