"""The review list: signals by hand, the rule, its calibration, the files written."""

import csv
import json
import math

import cv2
import numpy as np
import pytest

from mmwsis.evaluation.label_confidence import (
    FEATURES,
    RULE,
    confidences,
    features,
    fit_rule,
    weakest_signals,
)
from mmwsis.evaluation.label_signals import ImageLabels, crf_agreement, image_signals
from mmwsis.evaluation.review_calibration import (
    calibration,
    calibration_markdown,
    label_ious,
    ranking_quality,
)
from mmwsis.evaluation.review_list import review_labels, write_csv
from mmwsis.formats.coco_masks import MaskCrop, encode_mask

SIZE = 40, 50


def box_mask(x, y, w, h):
    mask = np.zeros(SIZE, np.uint8)
    mask[y : y + h, x : x + w] = 1
    return mask


def label(number, mask, image=1, category=1, **keys):
    return dict(
        id=number,
        image_id=image,
        category_id=category,
        segmentation=encode_mask(mask),
        bbox=[0, 0, 1, 1],
        area=int(mask.sum()),
        iscrowd=0,
        **keys,
    )


def signals_of(*annotations, **keys):
    image = dict(id=1, file_name='1.png', height=SIZE[0], width=SIZE[1])
    return image_signals(ImageLabels('labels.json', image, annotations, **keys))


def coco(annotations, images=2):
    sizes = dict(height=SIZE[0], width=SIZE[1])
    return dict(
        images=[
            dict(id=i + 1, file_name=f'{i + 1}.png', **sizes) for i in range(images)
        ],
        annotations=annotations,
        categories=[dict(id=1, name='nut'), dict(id=2, name='bolt')],
    )


@pytest.fixture
def scene(tmp_path):
    """Two images; labels 1 and 3 are good, 2 is half an object, 4 a crowd."""
    (tmp_path / 'images').mkdir()
    truth = [box_mask(5, 5, 12, 12), box_mask(25, 20, 14, 14), box_mask(8, 9, 20, 16)]
    for number, objects in ((1, truth[:2]), (2, truth[2:])):
        picture = np.full((*SIZE, 3), 60, np.uint8)
        for one in objects:
            picture[one > 0] = (30, 200, 220)
        cv2.imwrite(str(tmp_path / 'images' / f'{number}.png'), picture)
    gt = [label(1, truth[0]), label(2, truth[1], category=2), label(3, truth[2], 2)]
    pseudo = [
        label(1, truth[0], score=0.9),
        label(2, box_mask(25, 20, 6, 14), category=2, score=0.4),
        label(3, truth[2], 2, score=0.8),
        dict(label(4, box_mask(0, 0, 50, 3), score=0), iscrowd=1),
    ]
    (tmp_path / 'gt.json').write_text(json.dumps(coco(gt)))
    (tmp_path / 'pseudo.json').write_text(json.dumps(coco(pseudo)))
    return tmp_path


def test_signals_of_shape_box_and_neighbours():
    two = box_mask(0, 4, 6, 10) | box_mask(10, 4, 2, 10)
    first, second, third = signals_of(
        label(1, two, score=0.7),
        label(2, box_mask(3, 4, 9, 10), weak_bbox=[3, 4, 10, 20]),
        label(3, box_mask(0, 4, 6, 10), category=2),
    )
    assert first['score'] == 0.7 and second['score'] is None
    assert first['fill'] == pytest.approx(80 / 120) and first['box_fit'] is None
    assert first['parts'] == 2 and first['border'] == 1 and first['crf'] is None
    # Of the first 30 + 20 pixels lie in the second; another class does not count.
    assert first['overlap'] == pytest.approx(50 / 80)
    assert second['overlap'] == pytest.approx(50 / 90) and third['overlap'] == 0
    assert second['fill'] == pytest.approx(90 / 200)
    assert second['box_fit'] == pytest.approx(90 / 200)


def test_second_labels_are_found_by_id_or_by_overlap():
    own = [label(1, box_mask(0, 0, 10, 10)), label(2, box_mask(20, 20, 10, 10))]
    second = [label(2, box_mask(20, 20, 10, 5)), label(9, box_mask(0, 0, 5, 10))]
    by_id = signals_of(*own, seconds=dict(mal=second))
    assert [one['mal'] for one in by_id] == [None, 0.5]
    by_overlap = signals_of(*own, seconds=dict(mal=second), matched=frozenset(['mal']))
    assert [one['mal'] for one in by_overlap] == [0.5, 0.5]
    second[1]['category_id'] = 2
    found = signals_of(*own, seconds=dict(mal=second), matched=frozenset(['mal']))
    assert [one['mal'] for one in found] == [0, 0.5]


def test_an_empty_mask_is_looked_at_first():
    found = signals_of(
        label(1, np.zeros(SIZE, np.uint8), score=1), label(2, box_mask(2, 2, 9, 9))
    )
    assert found[0] == dict.fromkeys(found[0]) | dict(score=1)
    assert confidences(found)[0] == 0 < confidences(found)[1]


def test_the_crf_keeps_a_mask_that_follows_the_colours():
    rng = np.random.default_rng(0)
    image = rng.integers(50, 60, (60, 60, 3), dtype=np.uint8)
    image[20:40, 20:40] = (200, 30, 30)
    good = crf_agreement(image, MaskCrop(np.ones((20, 20), np.uint8), (20, 20)))
    half = crf_agreement(image, MaskCrop(np.ones((20, 8), np.uint8), (20, 20)))
    assert good > 0.95 > half + 0.3


def test_a_missing_signal_counts_nothing_and_others_by_their_distance_from_the_median():
    rows = [
        dict(score=s, crf=c, other_labeler=o, fill=0.5)
        for s, c, o in ((0.1, None, 0.2), (0.5, None, 0.6), (0.7, None, None))
    ]
    found = dict(zip(FEATURES, features(rows).T.tolist()))
    assert found['score'] == pytest.approx([-0.4, 0, 0.2])
    assert found['crf'] == [0, 0, 0] == found['overlap']
    assert found['other'] == pytest.approx([-0.2, 0.2, 0])
    trust = confidences(rows, dict(score=2.0, intercept=1.0))
    assert trust == pytest.approx(
        [1 / (1 + math.exp(-1 - 2 * d)) for d in (-0.4, 0, 0.2)]
    )
    rule = dict(score=0.1, other=5.0)
    assert weakest_signals(rows, rule) == ['other_labeler', '', '']


def test_a_rule_is_fitted_to_the_signal_that_tells():
    rng = np.random.default_rng(0)
    ious = rng.uniform(0.4, 1, 300)
    rows = [
        dict(
            score=rng.uniform(),
            crf=iou + rng.normal(0, 0.05),
            fill=0.5,
            border=float(rng.integers(3)),
        )
        for iou in ious
    ]
    rule = fit_rule([rows], [ious])
    assert set(rule) == {*FEATURES, 'intercept'} == set(RULE)
    assert rule['crf'] > 5 * rule['score'] and min(rule[n] for n in FEATURES) >= 0
    assert ranking_quality(confidences(rows, rule), ious)['auc_0.75'] > 0.95
    with pytest.raises(ValueError, match='all 300 are on one side of an IoU'):
        fit_rule([rows], [np.ones(300)])


def test_equal_confidences_are_in_random_order():
    ious = np.repeat([0.3, 0.9], [20, 80])
    even = ranking_quality(np.zeros(100), ious)
    assert even == pytest.approx(
        {key: {'a': 0.5}.get(key[0], float(key[-3:])) for key in even}
    )
    order = ranking_quality(np.repeat([0, 1], [10, 90]), ious)
    # Half of the bad ones are surely first; of the 90 others 10 are bad.
    assert order['found_0.5_0.1'] == 0.5
    assert order['found_0.5_0.2'] == pytest.approx(0.5 + 0.5 * 10 / 90)
    assert ranking_quality(np.arange(100), np.ones(100))['auc_0.5'] is None


def test_the_worst_label_is_first_and_the_calibration_says_so(scene):
    found = review_labels(scene / 'pseudo.json', scene / 'images')
    assert [row.annotation['id'] for row in found.labels][0] == 2
    assert found.crowds == 1 and len(found.labels) == 3 and not found.matched
    ious = label_ious(found.coco, str(found.path), scene / 'gt.json', False)
    assert ious == pytest.approx({1: 1, 2: 6 / 14, 3: 1})
    assert label_ious(found.coco, 'p', scene / 'gt.json', True) == pytest.approx(ious)
    values = np.array([ious[row.annotation['id']] for row in found.labels])
    result = calibration([row.signals for row in found.labels], values)
    assert result['bad'] == {'0.5': 1, '0.75': 1}
    assert result['order']['confidence']['auc_0.5'] == 1
    assert result['order']['random']['found_0.75_0.2'] == 0.2
    assert '| random | 0.500 | 0.100 | 0.200 | 0.500' in calibration_markdown(result)


def test_the_csv_has_a_column_for_each_signal(scene):
    found = review_labels(scene / 'pseudo.json', seconds=[scene / 'gt.json'])
    write_csv(found, scene / 'review.csv')
    rows = list(csv.DictReader((scene / 'review.csv').open()))
    assert list(rows[0]) == [
        *('rank', 'image_id', 'annotation_id', 'file_name', 'class', 'confidence'),
        *('score', 'crf', 'fill', 'box_fit', 'parts', 'border', 'overlap', 'gt'),
    ]
    assert rows[0]['annotation_id'] == '2' and rows[0]['class'] == 'bolt'
    assert [row['rank'] for row in rows] == ['1', '2', '3']
    assert (
        rows[0]['gt'] == '0.4286' and rows[0]['crf'] == '' and rows[0]['parts'] == '1'
    )


def test_a_killed_run_goes_on_and_other_settings_start_anew(scene, monkeypatch):
    module = 'mmwsis.evaluation.review_list.image_signals'
    parts = scene / 'signals.parts'
    whole = review_labels(scene / 'pseudo.json', scene / 'images', parts=parts)
    seen = []

    def watched(job):
        seen.append(job.image['id'])
        return image_signals(job)

    monkeypatch.setattr(module, watched)
    part = next(parts.glob('part-*.jsonl'))
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(lines[0] + lines[1][:20])  # killed while it wrote the second image
    again = review_labels(scene / 'pseudo.json', scene / 'images', parts=parts)
    assert seen == [2] and again.labels == whole.labels
    review_labels(scene / 'pseudo.json', scene / 'images', crf=False, parts=parts)
    assert seen == [2, 1, 2]


def without_mask(content):
    del content['annotations'][0]['segmentation']


def broken_mask(content):
    content['annotations'][1]['segmentation']['counts'] = '99999'


def without_labels(content):
    content['annotations'] = []


def only_crowds(content):
    for one in content['annotations']:
        one['iscrowd'] = 1


def unknown_image(content):
    content['images'][1]['file_name'] = 'gone.png'


def other_size(content):
    content['images'][0].update(width=49)
    for one in content['annotations'][:2]:
        one['segmentation'] = encode_mask(np.ones((40, 49), np.uint8))
    content['annotations'] = content['annotations'][:3]


@pytest.mark.parametrize(
    'damage, message',
    [
        (without_mask, r'pseudo.json.*annotation id 1 .*segmentation'),
        (broken_mask, r'pseudo.json: annotation id 2 of image id 1'),
        (without_labels, r'pseudo.json has no label to review: its "annotations" are'),
        (
            only_crowds,
            r'pseudo.json has no label to review: 4 annotations, all of crowds',
        ),
        (unknown_image, r'gone.png: the image of image id 2 in .*pseudo.json does not'),
        (other_size, r'1.png.*pseudo.json says 49 x 40 pixels, the image has 50 x 40'),
    ],
)
def test_files_that_cannot_be_reviewed(scene, damage, message):
    content = json.loads((scene / 'pseudo.json').read_text())
    damage(content)
    (scene / 'pseudo.json').write_text(json.dumps(content))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        review_labels(scene / 'pseudo.json', scene / 'images')


def other_ids(content):
    for one in content['annotations']:
        one['id'] += 100


def other_images(content):
    for one in content['images'] + content['annotations']:
        key = 'id' if 'file_name' in one else 'image_id'
        one[key] += 10


def other_classes(content):
    content['categories'][1]['name'] = 'screw'


def moved_id(content):
    content['annotations'][2].update(id=2)
    content['annotations'].pop(1)


@pytest.mark.parametrize(
    'damage, of_second, of_gt',
    [
        (other_ids, 'share no annotation id', 'share no annotation id'),
        (other_images, 'share no image id', 'share no image id'),
        (other_classes, "is 'bolt' in the first and 'screw'", "'bolt' in the first"),
        (moved_id, 'annotation id 2 is on image id 1', None),
    ],
)
def test_second_files_and_ground_truth_of_something_else(
    scene, damage, of_second, of_gt
):
    content = json.loads((scene / 'gt.json').read_text())
    damage(content)
    other = scene / 'other.json'
    other.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=of_second):
        review_labels(scene / 'pseudo.json', seconds=[other])
    if of_gt:
        pseudo = json.loads((scene / 'pseudo.json').read_text())
        with pytest.raises(ValueError, match=of_gt):
            label_ious(pseudo, 'pseudo.json', other, matched=False)
