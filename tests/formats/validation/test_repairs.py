"""Repairs: what has one possible outcome, and nothing else."""

import copy
import itertools

import pytest

from mmwsis.formats.validation import validate_document, validate_file
from mmwsis.formats.validation.repairs import repair_coco, sorted_extreme_points

POINTS = [[40, 20], [10, 45], [40, 70], [70, 45]]


def repaired(coco):
    fixed = copy.deepcopy(coco)
    done = repair_coco(fixed)
    messages = [str(item) for items in done.examples.values() for item in items]
    return fixed, dict(done.counts), messages


@pytest.mark.parametrize('order', list(itertools.permutations(POINTS)))
def test_any_order_of_distinct_points_is_sorted(order):
    assert sorted_extreme_points([list(point) for point in order]) == POINTS


def test_a_corner_that_is_top_and_left_may_stand_twice():
    points = [[70, 45], [10, 20], [40, 70], [10, 20]]
    assert sorted_extreme_points(points) == [[10, 20], [10, 20], [40, 70], [70, 45]]


@pytest.mark.parametrize(
    'points',
    [
        POINTS[:3],
        [[10, 20], [30, 40], [50, 60], [40, 50]],  # inside point: no order fits
        [[10, 20], [30, 20], [10, 60], [30, 60]],  # a rectangle: many orders fit
        [[40, 20], [10, 45], [40, 70], [70, float('nan')]],
        'points',
        None,
    ],
)
def test_what_has_no_single_order_is_left(points):
    assert sorted_extreme_points(points) is None


def test_clean_file_is_left_as_it_is(clean):
    fixed, counts, _ = repaired(clean)
    assert fixed == clean and counts == {}


def test_each_repair_says_what_it_did(clean, write):
    first, second, third, crowd = clean['annotations']
    pixels = first.pop('area')
    first.pop('iscrowd')
    crowd_pixels = crowd.pop('area')
    first['extreme_points'] = first['extreme_points'][::-1]
    second['point'] = [-0.5, 36]
    second['bbox'] = [-0.25, 6, 54.25, 60]
    third['extreme_points'][3] = [121, 38]
    clean['images'][0]['tags'] = [5, 17, 5]
    clean['annotations'].append({**third, 'id': 14})
    clean['annotations'].append(copy.deepcopy(second))
    fixed, counts, messages = repaired(clean)
    assert counts == {
        'tags-duplicate': 1,
        'extreme-order': 1,
        'iscrowd-missing': 1,
        'area-missing': 2,
        'point-border': 2,
        'bbox-border': 2,
        'extreme-border': 2,
        'annotation-duplicate': 2,
    }
    at = 'annotation id 901 of image id 70: '
    assert f'{at}area None -> {pixels}' in messages
    assert f'{at}iscrowd None -> 0' in messages
    assert f'annotation id 500 of image id 70: area None -> {crowd_pixels}' in messages
    assert 'annotation id 12 of image id 3: point [-0.5, 36] -> [0, 36]' in messages
    assert (
        'annotation id 12 of image id 3: bbox [-0.25, 6, 54.25, 60] -> '
        '[0, 6, 54.0, 60]' in messages
    )
    assert (
        'annotation id 14 of image id 3: removed; equal to annotation id 13' in messages
    )
    assert 'image id 70: tags [5, 17, 5] -> [5, 17]' in messages
    assert [entry['id'] for entry in fixed['annotations']] == [901, 12, 13, 500]
    remaining = set(validate_file(write(fixed)).log.counts)
    assert not remaining & set(counts)


def test_ambiguous_faults_are_left(clean):
    first, second, third, _ = clean['annotations']
    first['bbox'] = [-5, 20, 75, 50]
    second['point'] = [-3, 36]
    second['category_id'] = 99
    third['segmentation'] = [[1, 2, 3]]
    third.pop('area')
    clean['annotations'].append({**first, 'id': 901, 'category_id': 5})
    fixed, counts, _ = repaired(clean)
    assert fixed == clean and counts == {}


def test_copies_without_any_label_are_left(clean):
    clean['annotations'] = [dict(id=k, image_id=70, category_id=17) for k in (1, 2)]
    assert repaired(clean)[1] == {}


SQUARE = [10, 20, 30, 20, 30, 40, 10, 40]
PAIRS = [[10, 20], [30, 20], [30, 40], [10, 40]]


@pytest.mark.parametrize(
    'written, rule',
    [
        ([PAIRS], 'polygon-vertices'),
        (PAIRS, 'polygon-vertices'),
        ([PAIRS * 2], 'polygon-numbers'),
        (SQUARE, 'mask-format'),
        ([[str(value) for value in SQUARE]], 'polygon-numbers'),
    ],
)
def test_polygons_in_another_form(clean, written, rule):
    entry = clean['annotations'][0]
    entry['segmentation'] = written
    assert rule in validate_document(clean, 'file').log.counts
    assert repair_coco(clean).counts == {rule: 1}
    assert entry['segmentation'][0][:8] == SQUARE
    assert rule not in validate_document(clean, 'file').log.counts
    assert not repair_coco(clean).counts


@pytest.mark.parametrize('written', [[['a'] * 6], [[1, 2, 3]], [PAIRS, 5], [[]], [{}]])
def test_other_polygons_are_left(clean, written):
    clean['annotations'][0]['segmentation'] = written
    assert not repair_coco(clean).counts
    assert clean['annotations'][0]['segmentation'] == written


def test_names_and_paths(clean):
    clean['categories'] = [
        dict(id=17, name=' cat\u200b'),
        dict(id=5, name='dog '),
        dict(id=6, name='dog'),
    ]
    clean['images'][0]['file_name'] = 'sub\\a.png'
    clean['images'][1]['file_name'] = 'C:\\data\\b.png'
    counts = repair_coco(clean).counts
    assert counts == {'category-name': 1, 'image-file-path': 1}
    assert [c['name'] for c in clean['categories']] == ['cat', 'dog ', 'dog']
    names = [image['file_name'] for image in clean['images']]
    assert names == ['sub/a.png', 'C:\\data\\b.png']


def test_integers_that_no_float_holds_are_left(clean):
    annotation = clean['annotations'][0]
    annotation['bbox'] = [1, 2, 10**400, 5]
    annotation['extreme_points'] = [[10**400, 1]] * 4
    repair_coco(clean)
    assert annotation['bbox'] == [1, 2, 10**400, 5]
