"""A panoptic JSON against its PNGs: what does not agree is told."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsis.evaluation.label_map_report import report_of_maps
from mmwsis.formats import panoptic_files
from mmwsis.formats.panoptic_files import PanopticFile, is_panoptic_file

SHAPE = 20, 30


@pytest.fixture
def told(monkeypatch):
    lines = []
    monkeypatch.setattr(
        panoptic_files, 'print_log', lambda text, **_: lines.append(text)
    )
    return lines


@pytest.fixture
def write(tmp_path):
    """Write the ground truth, changed: two things of 80 and 60 pixels."""

    def make(change=lambda content: None, image=lambda pixels: pixels, name='a.png'):
        pixels = np.zeros((*SHAPE, 3), dtype=np.uint8)
        pixels[2:10, 2:12] = (5, 1, 0)
        pixels[12:18, 5:15] = (6, 0, 0)
        segments = [
            dict(id=261, category_id=1, iscrowd=0, area=80),
            dict(id=6, category_id=2, iscrowd=0, area=60),
        ]
        content = dict(
            images=[dict(id=1, file_name='a.jpg', height=SHAPE[0], width=SHAPE[1])],
            annotations=[dict(image_id=1, file_name=name, segments_info=segments)],
            categories=[
                dict(id=1, name='nut', isthing=1),
                dict(id=2, name='floor', isthing=0),
            ],
        )
        change(content)
        (tmp_path / 'gt').mkdir(exist_ok=True)
        Image.fromarray(image(pixels)).save(tmp_path / 'gt' / name)
        path = tmp_path / 'gt.json'
        path.write_text(json.dumps(content))
        return path

    return make


def read(path):
    return PanopticFile(path, path.with_suffix('')).read_truth(1)


def segment(number, **keys):
    def change(content):
        content['annotations'][0]['segments_info'][number].update(keys)

    return change


def test_what_agrees_is_silent(write, told):
    values, segments = read(write())
    assert [one['area'] for one in segments] == [80, 60] and told == []
    assert sorted(np.unique(values)) == [0, 6, 261]


def test_alpha_is_left_out(write, told):
    rgba = np.full((*SHAPE, 1), 255, dtype=np.uint8)
    values, _ = read(write(image=lambda pixels: np.concatenate([pixels, rgba], axis=2)))
    assert sorted(np.unique(values)) == [0, 6, 261] and told == []


def test_the_png_tells_the_area(write, told, tmp_path):
    path = write(segment(0, area=1))
    _, segments = read(path)
    assert segments[0]['area'] == 80
    (line,) = told
    assert 'gt.json: image id 1' in line and 'segment id 261 has the area 1' in line
    report = report_of_maps(path, path, tmp_path / 'out')
    assert report['PQ'] == report['SQ'] == 1


def test_a_segment_that_only_one_of_them_has(write, told, tmp_path):
    path = write(lambda content: content['annotations'][0]['segments_info'].pop())
    read(path)
    assert len(told) == 1
    assert 'a.png has the segment ids [6], which segments_info does not list' in told[0]
    with pytest.raises(ValueError, match=r'image id 1 \(a.png\).*\[6\]'):
        report_of_maps(path, path, tmp_path / 'out')  # as pseudo labels: an error

    def more(content):
        extra = dict(id=9, category_id=1)
        content['annotations'][0]['segments_info'].append(extra)

    told.clear()
    read(write(more))
    assert len(told) == 1 and 'segment id 9 is listed' in told[0]


def test_warnings_end_after_some(write, told):
    file = PanopticFile(path := write(segment(0, area=1)), path.with_suffix(''))
    for _ in range(20):
        file.read_truth(1)
    assert len(told) == 5


def entry(**keys):
    return lambda content: content['annotations'][0].update(keys)


def category(**keys):
    return lambda content: content['categories'][0].update(keys)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (segment(0, id=0), 'image id 1: segment id 0 .* void'),
        (segment(0, id='x'), "image id 1: segment id 'x'"),
        (segment(0, id=1 << 24), 'segment id 16777216'),
        (segment(1, id=261), '261 is listed twice, with the category ids 1 and 2'),
        (segment(0, category_id=7), 'segment id 261 has the unknown category id 7'),
        (segment(0, category_id=[1]), 'unknown category id'),
        (entry(segments_info='x'), 'image id 1: segments_info must be a list'),
        (entry(file_name=None), 'image id 1: file_name must name the PNG'),
        (entry(image_id=None), 'image id None'),
        (entry(image_id=2), 'image id 2: .* no such entry of images'),
        (category(isthing=None), r'category id 1 \(nut\) has isthing None'),
        (category(id=2), 'category id 2'),
        (category(id=None), 'category id None'),
        (lambda c: c['annotations'].append(c['annotations'][0]), 'one annotation'),
        (lambda c: c['images'][0].update(width=31), r'\(20, 30\).*\(20, 31\)'),
        (entry(file_name='b.png'), r'b.png \(image id 1\) does not exist'),
    ],
)
def test_broken_json_is_named(write, change, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        read(write(change))
    assert 'gt.json' in str(caught.value) or 'seg_prefix' in str(caught.value)


@pytest.mark.parametrize(
    ('image', 'name', 'message'),
    [
        (lambda pixels: pixels, 'a.jpg', 'is a JPEG'),
        (lambda pixels: pixels[..., 0], 'a.png', '1 channels of 8 bits'),
    ],
)
def test_other_images_are_named(write, image, name, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(write(image=image, name=name))
    assert name in str(caught.value) and 'image id 1' in str(caught.value)


def test_a_missing_map_names_image_and_path(write):
    path = write(entry(file_name='b.png'))
    with pytest.raises(FileNotFoundError) as caught:
        read(path)
    assert str(caught.value) == (
        f'{path.with_suffix("") / "b.png"} (image id 1) does not exist. Set the folder '
        "of panoptic PNGs (seg_prefix) to where the JSON's file_name are found."
    )


def test_lists_of_something_else_are_no_panoptic_file(tmp_path):
    path = Path(tmp_path / 'x.json')
    for annotations in ([1], [[]], 'segments_info', []):
        path.write_text(json.dumps(dict(annotations=annotations)))
        assert not is_panoptic_file(path)
