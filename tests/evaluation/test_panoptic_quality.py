"""Panoptic quality: golden cases, slow reference, rules, metric."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.evaluator import Evaluator

from mmwsis.evaluation.panoptic_quality import (
    category_quality,
    joint_areas,
    mean_quality,
    panoptic_counts,
)
from mmwsis.registry import METRICS

GOLDEN = Path(__file__).parents[1] / 'golden' / 'weak_panoptic'


def reference(gt_map, pred_map, gt, pred, categories):
    """Pair by pair, on full masks."""
    counts = {c: [0, 0, 0, 0.0] for c in categories}
    void, crowds, matched = gt_map == 0, {}, set()
    for segment in gt:
        if segment.get('iscrowd'):
            crowds[segment['category_id']] = gt_map == segment['id']
    for g in gt:
        if g.get('iscrowd'):
            continue
        for p in pred:
            if p['category_id'] != g['category_id']:
                continue
            a, b = gt_map == g['id'], pred_map == p['id']
            union = a.sum() + b.sum() - (a & b).sum() - (b & void).sum()
            if union and (a & b).sum() / union > 0.5:
                counts[g['category_id']][0] += 1
                counts[g['category_id']][3] += (a & b).sum() / union
                matched |= {('gt', g['id']), ('pred', p['id'])}
        if ('gt', g['id']) not in matched:
            counts[g['category_id']][2] += 1
    for p in pred:
        if ('pred', p['id']) in matched:
            continue
        own = pred_map == p['id']
        crowd = crowds.get(p['category_id'], np.zeros_like(void))
        if ((own & void).sum() + (own & crowd).sum()) / own.sum() <= 0.5:
            counts[p['category_id']][1] += 1
    return np.array([counts[c] for c in categories], float)


def random_maps(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(4, 14, 2))
    coarse = rng.integers(0, 5, (3, 3))
    gt = np.kron(coarse, np.ones((5, 5), int))[: shape[0], : shape[1]] * 1000
    pred = np.where(rng.random(gt.shape) < 0.2, rng.integers(0, 5, gt.shape) * 1000, gt)
    pred = np.roll(pred, rng.integers(-1, 2), 1)

    def listed(ids):
        return [dict(id=int(k), category_id=int(rng.choice([3, 5]))) for k in ids]

    gt_segments = listed(set(gt.ravel()) - {0})
    for segment in gt_segments:
        segment['iscrowd'] = int(rng.random() < 0.2)
    category = {one['id']: one['category_id'] for one in gt_segments}
    pred_segments = listed(set(pred.ravel()) - {0})
    for segment in pred_segments:
        if rng.random() < 0.8:
            segment['category_id'] = category.get(segment['id'], 3)
    return gt, pred, gt_segments, pred_segments


@pytest.mark.parametrize('path', sorted(GOLDEN.glob('pq_*.npz')), ids=lambda p: p.stem)
def test_golden(path):
    data = np.load(path)
    total = np.zeros((len(data['category_ids']), 4))
    for index in range(int(data['n_images'])):
        total += panoptic_counts(
            data[f'gt_{index}'],
            data[f'pred_{index}'],
            [
                dict(id=key, category_id=category, iscrowd=crowd)
                for key, category, crowd in data[f'gt_segments_{index}'].tolist()
            ],
            [
                dict(id=key, category_id=category)
                for key, category in data[f'pred_segments_{index}'].tolist()
            ],
            data['category_ids'].tolist(),
        )
    golden = data['per_category_tp_fp_fn_iousum']
    np.testing.assert_array_equal(total[:, :3], golden[:, :3])
    np.testing.assert_allclose(total[:, 3], golden[:, 3], rtol=0, atol=1e-9)
    things = data['category_isthing'].astype(bool)
    for group, chosen in (('all', None), ('things', things), ('stuff', ~things)):
        np.testing.assert_allclose(
            mean_quality(total, chosen), data[f'pq_sq_rq_n_{group}'], rtol=0, atol=1e-9
        )


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_equals_the_slow_reference(seed):
    gt, pred, gt_segments, pred_segments = random_maps(seed)
    found = panoptic_counts(gt, pred, gt_segments, pred_segments, [3, 5])
    slow = reference(gt, pred, gt_segments, pred_segments, [3, 5])
    np.testing.assert_allclose(found, slow, rtol=0, atol=1e-12)
    # Neither the order of predictions nor their numbers matter.
    renamed = [{**one, 'id': one['id'] + 7} for one in reversed(pred_segments)]
    moved = np.where(pred > 0, pred + 7, 0)
    other = panoptic_counts(gt, moved, gt_segments, renamed, [3, 5])
    np.testing.assert_allclose(found, other, rtol=0, atol=1e-12)
    # What is predicted on void does not count, as long as no segment vanishes by it.
    free = [one for one in pred_segments if (gt[pred == one['id']] != 0).any()]
    cut = np.where((gt == 0) | ~np.isin(pred, [one['id'] for one in free]), 0, pred)
    kept = np.where(np.isin(pred, [one['id'] for one in free]), pred, 0)
    sums = [
        panoptic_counts(gt, values, gt_segments, free, [3, 5])[:, [0, 2, 3]]
        for values in (cut, kept)
    ]
    np.testing.assert_allclose(*sums, rtol=0, atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_perfect_prediction(seed):
    gt, _, segments, _ = random_maps(seed)
    single = [one for one in segments if not one['iscrowd']]
    pred = np.where(np.isin(gt, [one['id'] for one in single]), gt, 0)
    quality = mean_quality(panoptic_counts(gt, pred, segments, single, [3, 5]))
    if not single:
        assert np.isnan(quality.pq)
    else:
        assert quality[:3] == pytest.approx((1, 1, 1))


def row(*runs):
    return np.concatenate([np.full(n, value) for value, n in runs])[None]


@pytest.mark.parametrize(
    ('gt_map', 'crowd', 'expected'),
    [
        # Specification of Li et al., section 11, example 8.
        (row((1, 6), (0, 4), (1, 4)), [0], (1, 0, 0, 0.6)),
        (row((1, 6), (2, 4), (1, 4)), [0, 0], (0, 1, 2, 0)),
        (row((1, 6), (2, 8)), [1, 0], (0, 0, 1, 0)),
        (row((1, 5), (2, 9)), [1, 0], (0, 1, 1, 0)),
    ],
)
def test_rules(gt_map, crowd, expected):
    pred_map = row((9, 10), (0, 4))
    gt = [dict(id=1, category_id=3, iscrowd=crowd[0])]
    if len(crowd) > 1:
        gt.append(dict(id=2, category_id=3 if not crowd[0] else 5, iscrowd=0))
    found = panoptic_counts(gt_map, pred_map, gt, [dict(id=9, category_id=3)], [3, 5])
    assert found.sum(axis=0) == pytest.approx(expected)


def test_area_of_the_file_counts_and_unlisted_ids_count_in_unions():
    gt_map, pred_map = row((1, 8), (4, 4)), row((9, 12))
    gt, pred = [dict(id=1, category_id=3)], [dict(id=9, category_id=3)]
    assert panoptic_counts(gt_map, pred_map, gt, pred, [3])[0, 3] == 8 / 12
    gt[0]['area'] = 10
    assert panoptic_counts(gt_map, pred_map, gt, pred, [3])[0, 3] == 8 / 14


def test_empty_cases():
    void = np.zeros((4, 5), int)
    assert not panoptic_counts(void, void, [], [], [3, 5]).any()
    quality = mean_quality(np.zeros((2, 4)))
    assert np.isnan(quality[:3]).all() and quality.categories == 0
    assert np.isnan(mean_quality(np.ones((2, 4)), [False, False]).pq)
    found = category_quality(np.array([[0, 0, 2, 0.0], [0, 0, 0, 0]]))
    assert (found[0] == 0).all() and np.isnan(found[1]).all()
    first, second, table = joint_areas(void[:0], void[:0])
    assert not len(first) and not len(second) and table.shape == (0, 0)


@pytest.mark.parametrize(
    ('pred_map', 'pred', 'message'),
    [
        (row((9, 3)), [], r'segment ids \[9\], which segments_info does not list'),
        (row((0, 3)), [dict(id=9, category_id=3)], r'\[9\], which the map does not'),
        (row((9, 3)), [dict(id=9, category_id=4)], 'unknown category id 4'),
        (row((9, 4)), [dict(id=9, category_id=3)], r'\(1, 4\), the ground'),
        (row((9, 3)), [dict(id=9, category_id=3)] * 2, 'listed twice'),
    ],
)
def test_broken_predictions(pred_map, pred, message):
    with pytest.raises(ValueError, match='image 7.*' + message):
        panoptic_counts(row((0, 3)), pred_map, [], pred, [3], 'image 7')


@pytest.fixture
def panoptic_files(tmp_path):
    """One image: two nuts, sky, void; ids that need all three colour channels."""
    segment_map = np.zeros((12, 16), int)
    segment_map[:6, :6], segment_map[:6, 8:14] = 70000, 300
    segment_map[8:] = 5
    bgr = np.stack([segment_map >> 16, segment_map >> 8 & 255, segment_map & 255], -1)
    (tmp_path / 'gt').mkdir()
    cv2.imwrite(str(tmp_path / 'gt' / 'a.png'), bgr.astype(np.uint8))
    segments = [
        dict(id=70000, category_id=4, iscrowd=0, area=36),
        dict(id=300, category_id=4, iscrowd=0, area=36),
        dict(id=5, category_id=9, iscrowd=0, area=64),
    ]
    content = dict(
        images=[dict(id=1, file_name='a.jpg', height=12, width=16)],
        annotations=[dict(image_id=1, file_name='a.png', segments_info=segments)],
        categories=[
            dict(id=4, name='nut', isthing=1),
            dict(id=9, name='sky', isthing=0),
            dict(id=11, name='sea', isthing=0),
        ],
    )
    path = tmp_path / 'gt.json'
    path.write_text(json.dumps(content))
    return path, segment_map


def evaluator(path, **kwargs):
    config = dict(type='mmwsis.PanopticQualityMetric', ann_file=str(path), **kwargs)
    run = Evaluator(METRICS.build(config))
    run.dataset_meta = dict(classes=('nut', 'sky', 'sea'))
    return run


def test_metric_through_the_evaluator(panoptic_files, panoptic_sample):
    path, segment_map = panoptic_files
    codes = np.full(segment_map.shape, 3)  # number of classes: void
    codes[segment_map == 70000] = 1000
    codes[segment_map == 300] = 0  # code 0 is the first class, not void
    codes[9:] = 1
    run = evaluator(path, seg_prefix=str(path.parent / 'gt'), classwise=True)
    run.process([panoptic_sample(1, codes)] * 2)  # the sampler pads
    found = run.evaluate(2)
    assert found['panoptic/PQ_th'] == 1 and found['panoptic/RQ'] == 1
    assert found['panoptic/PQ_st'] == pytest.approx(0.75)
    assert found['panoptic/PQ'] == pytest.approx(0.875)
    assert found['panoptic/PQ_sky'] == pytest.approx(0.75)
    assert np.isnan(found['panoptic/PQ_sea'])
    run.process([panoptic_sample(1, np.full(segment_map.shape, 3))])
    assert run.evaluate(1)['panoptic/PQ'] == 0


def test_metric_names_what_is_wrong(panoptic_files, panoptic_sample):
    path, segment_map = panoptic_files
    metric = evaluator(path, seg_prefix=str(path.parent / 'gt')).metrics[0]
    for image_id, codes, message in (
        (1, np.full(segment_map.shape, 4), 'image id 1: .* has the label 4; labels'),
        (1, np.zeros((3, 4), int), r'image id 1: .*\(3, 4\), the ground truth'),
        (2, np.zeros((12, 16), int), r'gt.json has no annotation of image id 2'),
    ):
        with pytest.raises(ValueError, match=message):
            metric.process(None, [panoptic_sample(image_id, codes).to_dict()])
    with pytest.raises(ValueError, match='image id 1: no pred_panoptic_seg'):
        metric.process(None, [dict(img_id=1)])
    metric = evaluator(path, seg_prefix=str(path.parent)).metrics[0]
    with pytest.raises(FileNotFoundError, match=r'a.png \(image id 1\) does not exist'):
        metric.process(None, [panoptic_sample(1, 0 * segment_map).to_dict()])
    path.write_text(json.dumps(dict(images=[], annotations=[{}], categories=[])))
    with pytest.raises(ValueError, match='not a panoptic one'):
        evaluator(path, seg_prefix='x')
