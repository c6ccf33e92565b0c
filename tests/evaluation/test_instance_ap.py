"""AP of instance masks: golden cases, slow references, properties."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.evaluation.instance_ap import mean_over_classes
from mmwsis.evaluation.instance_tables import (
    APR_VOL_VOC,
    FROM_50_TO_95,
)

sys.path.insert(0, str(Path(__file__).parent))
from instance_scenes import Scene, tables

GOLDEN = Path(__file__).parents[1] / 'golden'


def reference_voc(scenes, num_classes, threshold, remove_void):
    """AP of every class, prediction by prediction."""
    result = []
    for label in range(num_classes):
        ranked, num_objects = [], 0
        for scene in scenes:
            objects = [g for g, c in zip(scene.gt, scene.gt_labels) if c == label]
            num_objects += len(objects)
            used = set()
            for index in np.argsort(-scene.scores, kind='stable'):
                if scene.labels[index] != label:
                    continue
                pred = scene.pred[index].copy()
                if remove_void and scene.void is not None:
                    pred &= ~scene.void
                if remove_void and not pred.any():
                    continue
                ious = [(pred & g).sum() / max((pred | g).sum(), 1) for g in objects]
                best = int(np.argmax(ious)) if ious else -1
                hit = best >= 0 and ious[best] >= threshold and best not in used
                if best >= 0 and ious[best] >= threshold:
                    used.add(best)
                ranked.append((scene.scores[index], hit))
        if not num_objects:
            result.append(np.nan)
            continue
        ranked.sort(key=lambda item: -item[0])
        points, right = [], 0
        for count, (_, hit) in enumerate(ranked, 1):
            right += hit
            points.append((right / num_objects, right / count))
        area, reached = 0.0, 0.0
        for recall in sorted({r for r, _ in points}):
            area += (recall - reached) * max(p for r, p in points if r >= recall)
            reached = recall
        result.append(area)
    return np.array(result)


def reference_cityscapes(scenes, num_classes, threshold, min_region):
    """The benchmark's rules, object by object."""
    result = []
    for label in range(num_classes):
        truth, scores, num_objects, missed, any_pred = [], [], 0, 0, False
        for scene in scenes:
            own = scene.gt_labels == label
            objects = list(zip(scene.gt[own], scene.crowd[own]))
            preds = [
                (pred, score)
                for pred, score, c in zip(scene.pred, scene.scores, scene.labels)
                if c == label and pred.any()
            ]
            any_pred |= bool(preds)

            def iou(a, b):
                return (a & b).sum() / (a | b).sum()

            for gt, crowd in objects:
                if crowd or gt.sum() < min_region:
                    continue
                num_objects += 1
                found = sorted(s for p, s in preds if iou(p, gt) > threshold)
                missed += not found
                truth += [0] * len(found[:-1]) + [1] * len(found[-1:])
                scores += found
            for pred, score in preds:
                if any(iou(pred, gt) > threshold for gt, _ in objects):
                    continue
                void = 0 if scene.void is None else (pred & scene.void).sum()
                for gt, crowd in objects:
                    void += (pred & gt).sum() * (int(crowd) + (gt.sum() < min_region))
                if void / pred.sum() <= threshold:
                    truth.append(0)
                    scores.append(score)
        if not num_objects:
            result.append(np.nan)
            continue
        truth, scores = np.array(truth), np.array(scores)
        recall, precision = [0.0], [1.0]
        for cut in sorted(set(scores.tolist()), reverse=True):
            right = truth[scores >= cut].sum()
            precision.append(right / (scores >= cut).sum())
            recall.append(right / num_objects)
        recall = [0.0, *recall, recall[-1]]
        steps = [(recall[i + 2] - recall[i]) / 2 for i in range(len(precision))]
        result.append(float(np.dot(precision, steps)) if len(scores) else 0.0)
    return np.array(result)


def random_scenes(seed, num_images=4, num_classes=3, shape=(20, 24), overlap=False):
    """Objects that do not overlap, and predictions near them."""
    rng = np.random.default_rng(seed)
    scenes = []
    for _ in range(num_images):
        num = rng.integers(0, 5)
        owner = np.zeros(shape, int)
        for index in range(1, num + 2):  # the last one is void
            y, x = rng.integers(0, shape[0] - 6), rng.integers(0, shape[1] - 6)
            owner[y : y + rng.integers(3, 13), x : x + rng.integers(3, 13)] = index
        gt = [owner == k for k in range(1, num + 1) if (owner == k).any()]
        void = owner == num + 1
        gt_labels = rng.integers(0, num_classes, len(gt))
        pred, labels = [], []
        for _ in range(rng.integers(0, 9)):
            if gt and rng.random() < 0.8:
                pick = rng.integers(len(gt))
                shift = rng.integers(-2, 3, 2)
                pred.append(
                    np.roll(gt[pick], shift, (0, 1)) | (void & (rng.random() < 0.3))
                )
                labels.append(
                    gt_labels[pick] if rng.random() < 0.8 else rng.integers(num_classes)
                )
            else:
                pred.append(rng.random(shape) < rng.choice([0, 0.1]))
                labels.append(rng.integers(num_classes))
        scores = np.round(rng.random(len(pred)), 2)
        crowd = rng.random(len(gt)) < 0.25
        shaped = (-1, *shape)
        scenes.append(
            Scene(
                np.array(pred).reshape(shaped),
                labels,
                scores,
                np.array(gt).reshape(shaped),
                gt_labels,
                void,
                crowd,
            )
        )
    return scenes


def without_crowds(scenes):
    for scene in scenes:
        scene.crowd[:] = False
    return scenes


def test_golden_bestie():
    data = np.load(GOLDEN / 'bestie' / 'voc_ap_0.npz')
    scenes = []
    for index in range(int(data['num_images'])):
        p, g = data['pred_img'] == index, data['gt_img'] == index
        pred = data['pred_mask'][p], data['pred_label'][p], data['pred_score'][p]
        scenes.append(Scene(*pred, data['gt_mask'][g], data['gt_label'][g]))
    found = tables(scenes, len(data['ap_50']))
    for percent in (25, 50, 70, 75):
        np.testing.assert_allclose(
            found[f'AP{percent}'], data[f'ap_{percent}'], rtol=0, atol=1e-9
        )
        mean = mean_over_classes(found[f'AP{percent}'])
        assert mean == pytest.approx(float(data[f'map_{percent}']), abs=1e-9)


def test_golden_irnet():
    data = np.load(GOLDEN / 'irnet' / 'voc_ap_a.npz')
    shape = tuple(data['hw'])

    def split(name, counts):
        ends = np.cumsum(counts)[:-1]
        if name.endswith('packed'):
            flat = np.unpackbits(data[name], axis=1)[:, : shape[0] * shape[1]]
            return np.split(flat.reshape(-1, *shape), ends)
        return np.split(data[name], ends)

    columns = [
        split(name, data[counts])
        for name, counts in (
            ('pred_packed', 'n_pred'),
            ('pred_label', 'n_pred'),
            ('pred_score', 'n_pred'),
            ('gt_packed', 'n_gt'),
            ('gt_label', 'n_gt'),
        )
    ]
    found = tables([Scene(*one) for one in zip(*columns)], len(data['ap_50']))
    for percent in (25, 50, 70, 75):
        np.testing.assert_allclose(
            found[f'AP{percent}'], data[f'ap_{percent}'], rtol=0, atol=1e-9
        )


@pytest.mark.parametrize('name', ['apr_s0', 'apr_s1', 'apr_s2'])
def test_golden_apr(name):
    data = np.load(GOLDEN / 'weak_panoptic' / f'{name}.npz')
    scenes = []
    for index, void in enumerate(data['void']):
        p, g = data['pred_image'] == index, data['gt_image'] == index
        pred = data['pred_masks'][p], data['pred_class'][p], data['pred_score'][p]
        scenes.append(Scene(*pred, data['gt_masks'][g], data['gt_class'][g], void))
    found = tables(scenes, int(data['num_classes']))
    for column, percent in enumerate((50, 60, 70, 80, 90)):
        own = found[f'APr_{percent}']
        np.testing.assert_allclose(
            own, data['ap_per_class'][:, column], rtol=0, atol=1e-9
        )
        assert mean_over_classes(own) == pytest.approx(data['ap_r'][column], abs=1e-9)
    np.testing.assert_allclose(APR_VOL_VOC, data['thr_vol_voc'])
    np.testing.assert_allclose(FROM_50_TO_95, data['thr_vol_cityscapes'])
    for own, golden in (('APr_vol', 'vol_voc'), ('APr_vol_50_95', 'vol_cityscapes')):
        thresholds = data[f'thr_{golden}']
        every = tables(scenes, int(data['num_classes']), apr_thrs=thresholds)
        columns = [every[f'APr_{round(100 * value)}'] for value in thresholds]
        per_class = data[f'ap_per_class_{golden}']
        np.testing.assert_allclose(
            np.stack(columns, 1), per_class, rtol=0, atol=1e-9, equal_nan=True
        )
        np.testing.assert_allclose(found[own], per_class.mean(1), rtol=0, atol=1e-9)
        mean = mean_over_classes(found[own])
        assert mean == pytest.approx(float(data[f'ap_{golden}']), rel=0, abs=1e-9)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_voc_equals_the_slow_reference(seed):
    scenes = without_crowds(random_scenes(seed))
    found = tables(scenes, 3)
    for percent in (25, 50, 75):
        slow = reference_voc(scenes, 3, percent / 100, remove_void=False)
        np.testing.assert_allclose(found[f'AP{percent}'], slow, rtol=0, atol=1e-12)
    for percent in (50, 70):
        slow = reference_voc(scenes, 3, percent / 100, remove_void=True)
        np.testing.assert_allclose(found[f'APr_{percent}'], slow, rtol=0, atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_cityscapes_equals_the_slow_reference(seed):
    scenes = random_scenes(seed)
    found = tables(scenes, 3, 'cityscapes', 30, iou_thrs=(0.25, 0.5, 0.75))
    assert set(found) == {'AP', 'AP50', 'AP75', 'ABO'}
    for percent in (50, 75):
        slow = reference_cityscapes(scenes, 3, percent / 100, 30)
        np.testing.assert_allclose(found[f'AP{percent}'], slow, rtol=0, atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_perfect_predictions_reach_one_and_order_does_not_matter(seed):
    scenes = without_crowds(random_scenes(seed))
    rng = np.random.default_rng(seed)
    perfect, shuffled = [], []
    for scene in scenes:
        scores = 0.5 + rng.random(len(scene.gt))
        perfect.append(
            Scene(scene.gt, scene.gt_labels, scores, scene.gt, scene.gt_labels)
        )
        scene.scores = rng.permutation(len(scene.pred)) + rng.random(len(scene.pred))
        order = rng.permutation(len(scene.pred))
        # Objects keep their order: of two with equal overlap the first is taken.
        shuffled.append(
            Scene(
                scene.pred[order],
                scene.labels[order],
                scene.scores[order],
                scene.gt,
                scene.gt_labels,
                scene.void,
            )
        )
    for name, values in tables(perfect, 3).items():
        assert np.all((values == 1) | np.isnan(values)), name
    plain, other = tables(scenes, 3), tables(shuffled[::-1], 3)
    for name in plain:
        np.testing.assert_allclose(plain[name], other[name], rtol=0, atol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_void_pixels_do_not_count_for_apr(seed):
    scenes = without_crowds(random_scenes(seed))
    before = tables(scenes, 3)
    rng = np.random.default_rng(seed)
    for scene in scenes:
        void = scene.void & (rng.random(scene.pred.shape) < 0.5)
        scene.pred = (scene.pred & ~scene.void) | void
    after = tables(scenes, 3)
    for name in before:
        if name.startswith('APr'):
            np.testing.assert_allclose(before[name], after[name], rtol=0, atol=1e-12)
