"""Broken annotation files: the message names the file, the ids and the remedy."""

import copy

import pytest

from mmwsis.formats.coco_file import load_coco, match_classes, read_coco
from mmwsis.registry import DATASETS
from mmwsis.structures import Supervision

NAN = float('nan')


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


OBJECT, PHOTOGRAPH = 'annotation id 901 of image id 70', 'image id 70'
OK = ((40, 20), (10, 45), (40, 70), (70, 45))
# The texts are in validation/rule_cases.py, where the loader at masks is held to them.
FAULTS = [
    # (level, fault, what the message must name beside the file)
    ('boxes', change(0, image_id=99), 'annotation id 901 of image id 99'),
    ('image_tags', change(0, image_id=99), 'annotation id 901 of image id 99'),
    ('boxes', change(0, category_id=99), OBJECT),
    ('image_tags', change(0, category_id=99), PHOTOGRAPH),
    ('boxes', duplicate('annotations'), 'annotation id 901'),
    ('boxes', duplicate('images'), PHOTOGRAPH),
    ('boxes', remove(0, 'id'), 'annotation id None of image id 70'),
    ('boxes', remove(0, 'bbox'), OBJECT),
    ('boxes', change(0, bbox=[NAN, 2, 3, 4]), OBJECT),
    ('boxes', change(0, bbox=[1, 2, 3]), OBJECT),
    ('boxes', change(0, bbox=[120, 2, 3, 4]), OBJECT),
    ('boxes', change(0, bbox=[1, 1, 9e9, 9]), OBJECT),
    ('points', remove(0, 'point'), OBJECT),
    ('points', change(0, point=[NAN, 2]), OBJECT),
    ('points', change(0, point=[125, 2]), OBJECT),
    ('boxes', change(0, point='x'), OBJECT),
    ('extreme_points', remove(0, 'extreme_points'), OBJECT),
    ('extreme_points', points(*OK[:3]), OBJECT),
    ('extreme_points', points(*OK[::-1]), OBJECT),
    ('extreme_points', points((NAN, 20), *OK[1:]), OBJECT),
    ('extreme_points', points(*OK[:3], (123, 45)), OBJECT),
    ('masks', remove(0, 'bbox'), OBJECT),
    ('boxes', change_image(0, width=0), PHOTOGRAPH),
    ('boxes', change_image(0, tags=[17, 6]), PHOTOGRAPH),
    ('boxes', change_image(0, supervision='x'), PHOTOGRAPH),
    ('boxes', lambda coco: coco.pop('images'), "the list 'images'"),
    ('boxes', lambda coco: coco.pop('categories'), "the list 'categories'"),
    ('boxes', lambda coco: coco.update(annotations={}), 'annotations must be a list'),
    ('boxes', lambda coco: coco['annotations'].append(5), 'got 5'),
    ('boxes', lambda coco: coco['categories'].append('x'), 'categories[3]'),
]


@pytest.mark.parametrize('level, fault, named', FAULTS)
def test_broken_entry(labelled_coco, write_coco, level, fault, named):
    fault(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    with pytest.raises(ValueError) as caught:
        load_coco(path, level)
    assert str(caught.value).startswith(path)
    assert named in str(caught.value).removeprefix(path)


@pytest.mark.parametrize('level', Supervision)
def test_valid_file_passes(labelled_coco, write_coco, level):
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


@pytest.mark.parametrize('content', [b'', b'{"images": [{"id": 1', b'[]', b'{}'])
def test_no_coco_file(tmp_path, content):
    path = tmp_path / 'broken.json'
    path.write_bytes(content)
    for read in (read_coco, lambda path: load_coco(path, 'boxes')):
        with pytest.raises(ValueError) as caught:
            read(str(path))
        assert str(caught.value).startswith(str(path))


def test_what_derives_labels_looks_at_no_label(labelled_coco, write_coco):
    change(0, bbox='broken', segmentation=NAN, point=7, area='x')(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    assert len(read_coco(path)['annotations']) == len(labelled_coco['annotations'])
    del labelled_coco['annotations']
    path = write_coco(labelled_coco, images=False)
    with pytest.raises(ValueError, match=f"{path}: .* the list 'annotations'"):
        read_coco(path)


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
def test_both_datasets_raise_these_errors(labelled_coco, write_coco, kind):
    change(0, bbox=[NAN, 2, 3, 4])(labelled_coco)
    path = write_coco(labelled_coco, images=False)
    cfg = dict(
        type=f'mmwsis.{kind}',
        ann_file=path,
        data_prefix=dict(img=''),
        metainfo=dict(classes=('cat',)),
        supervision='boxes',
    )
    with pytest.raises(ValueError, match=f'{path}: {OBJECT}: bbox must be'):
        DATASETS.build(cfg)
