"""Broken annotation files: the message names the file, the ids and the remedy."""

import copy

import pytest

from mmwsis.formats.coco_file import load_coco, match_classes, read_json
from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision

NAN, INF = float('nan'), float('inf')


def change(index, **values):
    def apply(coco):
        coco['annotations'][index].update(values)

    return apply


def remove(index, key):
    def apply(coco):
        del coco['annotations'][index][key]

    return apply


def change_image(index, **values):
    def apply(coco):
        coco['images'][index].update(values)

    return apply


def duplicate(key):
    def apply(coco):
        coco[key].append(copy.deepcopy(coco[key][0]))

    return apply


def points(*values):
    return change(0, extreme_points=[list(value) for value in values])


AT_901 = 'annotation id 901 of image id 70'
OK = ((40, 20), (10, 45), (40, 70), (70, 45))
FAULTS = [
    # (level, fault, what the message must say)
    ('boxes', change(0, image_id=99), 'annotation id 901 of image id 99: no image'),
    ('image_tags', change(0, image_id=99), 'image id 99: no image of the file'),
    ('boxes', change(0, category_id=99), f'{AT_901}: category_id 99 .*ids: 17, 40, 5'),
    ('image_tags', change(0, category_id=99), 'image id 70: category id 99'),
    ('boxes', duplicate('annotations'), 'annotation id 901 appears 2 times .*70, 70'),
    ('boxes', duplicate('images'), 'image id 70 appears twice'),
    ('boxes', duplicate('categories'), 'two categories have the id 17'),
    ('boxes', remove(0, 'id'), 'of image id 70: every annotation needs an id'),
    ('boxes', remove(0, 'bbox'), f'{AT_901}: bbox must be .*got None'),
    ('boxes', change(0, bbox=[NAN, 2, 3, 4]), f'{AT_901}: bbox must be .*finite'),
    ('masks', change(0, bbox=[1, 2, INF, 4]), f'{AT_901}: bbox must be .*finite'),
    ('boxes', change(0, bbox=[1, 2, 3]), f'{AT_901}: bbox must be'),
    ('masks', change(0, bbox=[1, 2, 3, '4']), f'{AT_901}: bbox must be'),
    ('masks', change(0, bbox='box'), f'{AT_901}: bbox must be'),
    ('boxes', change(0, bbox=[1, 2, -3, 4]), f'{AT_901}: .*not be negative'),
    ('boxes', change(0, bbox=[120, 2, 3, 4]), f'{AT_901}: .*intersect .*120 x 90'),
    ('masks', change(0, bbox=[1, -9, 3, 4]), f'{AT_901}: the box must intersect'),
    ('boxes', change(0, bbox=[1, 1, 9e9, 9]), f'{AT_901}: .*more than 3 times'),
    ('points', remove(0, 'point'), f"{AT_901}: .*'points' needs the key point"),
    ('points', change(0, point=[1, 2, 3]), rf'{AT_901}: point must be one \[x, y\]'),
    ('points', change(0, point=[NAN, 2]), f'{AT_901}: point must be .*finite'),
    ('points', change(0, point=[125, 2]), f'{AT_901}: point .*5 px outside .*120 x 90'),
    ('boxes', change(0, point='x'), f'{AT_901}: point must be'),
    ('extreme_points', remove(0, 'extreme_points'), f'{AT_901}: .*coco2weak.py'),
    ('extreme_points', points(*OK[:3]), f'{AT_901}: extreme_points must be four'),
    ('extreme_points', points(*OK[::-1]), f'{AT_901}: .*top has the smallest y'),
    ('extreme_points', points((NAN, 20), *OK[1:]), f'{AT_901}: .*finite'),
    ('extreme_points', points(*OK[:3], (123, 45)), f'{AT_901}: .*3 px outside'),
    ('masks', points(*OK[:3]), f'{AT_901}: extreme_points must be four'),
    ('boxes', change_image(0, width=0), 'image id 70: width must be a positive'),
    ('boxes', change_image(0, height='90'), 'image id 70: height must be a positive'),
    ('boxes', change_image(0, file_name=''), 'image id 70: file_name is missing'),
    ('boxes', change_image(0, tags=[17, 6]), 'image id 70: category id 6, from tags'),
    ('boxes', change_image(0, supervision='x'), "image id 70: .*got 'x'"),
    ('boxes', lambda coco: coco.pop('images'), "with the list 'images'"),
    ('boxes', lambda coco: coco.pop('categories'), "with the list 'categories'"),
    ('boxes', lambda coco: coco.update(annotations={}), 'annotations must be a list'),
    ('boxes', lambda coco: coco['annotations'].append(5), 'must be an object; got 5'),
    ('boxes', lambda coco: coco['categories'].append('x'), 'must have id and name'),
]


@pytest.mark.parametrize('level, fault, message', FAULTS)
def test_broken_entry(labelled_coco, write_coco, level, fault, message):
    fault(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    with pytest.raises(ValueError, match=message) as caught:
        load_coco(path, level)
    assert str(caught.value).startswith(path)


@pytest.mark.parametrize('level', Supervision)
def test_sound_file_passes(labelled_coco, write_coco, level):
    coco = load_coco(write_coco(labelled_coco, images=False), level)
    assert len(coco['images']) == 3


@pytest.mark.parametrize(
    'given, kept, box',
    [
        (((40, -0.5), OK[1], OK[2], OK[3]), (40, 0), [10, 0, 60, 70]),
        (((40, -1), OK[1], OK[2], OK[3]), (40, 0), [10, 0, 60, 70]),
        (((40, 0), OK[1], OK[2], OK[3]), (40, 0), [10, 0, 60, 70]),
    ],
)
def test_points_up_to_one_pixel_outside_move_onto_the_border(
    labelled_coco, write_coco, given, kept, box
):
    points(*given)(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    annotation = load_coco(path, 'extreme_points')['annotations'][0]
    assert annotation['extreme_points'][0] == list(kept)
    assert annotation['bbox'] == box and annotation['area'] == box[2] * box[3]


def test_the_far_border_is_inside(labelled_coco, write_coco):
    """Polygons reach x = width; the point stays, one pixel more is clipped to it."""
    points(*OK[:3], (121, 45))(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    annotation = load_coco(path, 'extreme_points')['annotations'][0]
    assert annotation['extreme_points'][3] == [120, 45]
    assert annotation['bbox'] == [10, 20, 110, 50]


def test_crowd_needs_no_point(labelled_coco, write_coco):
    for key in ('extreme_points', 'point'):
        remove(2, key)(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    crowd = load_coco(path, 'extreme_points')['annotations'][2]
    assert crowd['bbox'] == [80, 8, 30, 20]
    assert 'point' not in load_coco(path, 'points')['annotations'][2]


def test_a_stronger_label_is_not_even_checked(labelled_coco, write_coco):
    """At points, a broken box does not exist."""
    change(0, bbox='broken', segmentation=NAN, area='x')(labelled_coco)
    assert load_coco(write_coco(labelled_coco, images=False), 'points')


def test_forgotten_tags_are_not_taken_for_an_empty_image(labelled_coco, write_coco):
    for image in labelled_coco['images']:
        image['tags'] = []
    labelled_coco['annotations'] = []
    load_coco(write_coco(labelled_coco), 'image_tags')
    forgotten = labelled_coco['images'][1]
    del forgotten['tags']
    path = write_coco(labelled_coco)
    with pytest.raises(ValueError, match=rf'image id {forgotten["id"]!r} has no tags'):
        load_coco(path, 'image_tags')
    load_coco(path, 'points')  # there nothing drawn is nothing present


def test_missing_file_says_what_makes_it(tmp_path):
    path = str(tmp_path / 'weak.json')
    with pytest.raises(FileNotFoundError, match=f'{path}.*coco2weak.py'):
        load_coco(path, 'boxes')
    with pytest.raises(ValueError, match='ann_file is empty'):
        load_coco('', 'boxes')
    with pytest.raises(FileNotFoundError):
        read_json(str(tmp_path))


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'is no valid JSON: .* line 1, column 1 of 0 bytes'),
        (b'{"images": [\n  {"id": 1,]}', 'line 2, column 12'),
        (b'{"images": [{"id": 1', 'is no valid JSON.*interrupted download'),
        (b'\xff\xfe\x00', 'is no valid JSON'),
        (b'[]', 'expected a COCO JSON, one object .*; got a list'),
        (b'{}', "with the list 'images'"),
    ],
)
def test_no_json(tmp_path, content, message):
    path = tmp_path / 'broken.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load_coco(str(path), 'boxes')
    assert str(caught.value).startswith(str(path))


CATEGORIES = [dict(id=9, name='fig'), dict(id=2, name='date')]


def test_unknown_class_lists_the_categories():
    with pytest.raises(ValueError, match=r"names 'nut', .* 'fig', 'date'\."):
        match_classes(('fig', 'nut'), CATEGORIES, 'f.json')


def test_long_lists_of_classes_are_cut():
    categories = [dict(id=k, name=f'c{k}') for k in range(1203)]
    with pytest.raises(ValueError, match="'c19' and 1183 more. Set metainfo") as caught:
        match_classes(('nut',), categories, 'f.json')
    assert len(str(caught.value)) < 500


def test_one_class_without_its_comma():
    with pytest.raises(ValueError, match=r"written \('fig',\) with the comma"):
        match_classes('fig', CATEGORIES, 'f.json')


def test_class_named_twice():
    with pytest.raises(ValueError, match='names a class twice'):
        match_classes(('fig', 'fig'), CATEGORIES, 'f.json')


@pytest.mark.parametrize('kind', ['CocoWeakDataset', 'ObjectCropDataset'])
def test_both_data_sets_raise_these_errors(labelled_coco, write_coco, kind):
    change(0, bbox=[NAN, 2, 3, 4])(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    cfg = dict(
        type=f'mmwsis.{kind}',
        ann_file=path,
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat',)),
        supervision='boxes',
    )
    with pytest.raises(ValueError, match=f'{path}: {AT_901}: bbox must be'):
        DATASETS.build(cfg)
