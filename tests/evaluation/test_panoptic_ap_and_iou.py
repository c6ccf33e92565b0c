"""AP^r of segments and mean IoU, with a panoptic file as the truth."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData, PixelData
from mmseg.evaluation import IoUMetric

from mmwsis.evaluation.instance_ap import mean_over_classes
from mmwsis.evaluation.metrics.panoptic_ap_metric import PanopticAPMetric
from mmwsis.evaluation.metrics.semantic_iou_metric import SemanticIoUMetric
from mmwsis.formats.segment_maps import encode_segment_map

from .instance_scenes import Scene, tables

CLASSES, STUFF = ('nut', 'bolt', 'sky'), 2
CATEGORY_IDS = (9, 4, 11)  # of nut, bolt and sky
SHAPE = (12, 16)


def draw(rng):
    """Codes of a map: label + 1000 * instance, -1 for void."""
    codes = np.full(SHAPE, STUFF)
    for instance in range(1, rng.integers(1, 5)):
        y, x = rng.integers(0, SHAPE[0] - 4), rng.integers(0, SHAPE[1] - 5)
        codes[y : y + rng.integers(3, 7), x : x + rng.integers(3, 8)] = (
            rng.integers(0, STUFF) + 1000 * instance
        )
    codes[:, : rng.integers(0, 3)] = -1
    return codes


def write_truth(folder, maps, crowds=()):
    """Panoptic JSON and PNGs of the maps; codes in ``crowds`` are crowd regions."""
    (folder / 'png').mkdir(exist_ok=True)
    images, annotations = [], []
    for number, codes in enumerate(maps):
        name = f'{number}.png'
        content = encode_segment_map(np.maximum(codes + 1, 0), 'rgb')
        (folder / 'png' / name).write_bytes(content)
        segments = [
            dict(
                id=code + 1,
                category_id=CATEGORY_IDS[code % 1000],
                iscrowd=int(code in crowds),
                area=int((codes == code).sum()),
            )
            for code in np.unique(codes[codes >= 0]).tolist()
        ]
        images.append(dict(id=number, file_name=name, height=12, width=16))
        annotations.append(
            dict(image_id=number, file_name=name, segments_info=segments)
        )
    categories = [
        dict(id=key, name=name, isthing=int(name != 'sky'))
        for key, name in zip(CATEGORY_IDS, CLASSES)
    ]
    content = dict(images=images, annotations=annotations, categories=categories)
    (folder / 'truth.json').write_text(json.dumps(content))


def evaluated(kind, folder, samples):
    run = Evaluator(kind(str(folder / 'truth.json'), str(folder / 'png')))
    run.dataset_meta = dict(classes=CLASSES)
    for sample in samples:
        run.process([sample])
    return {
        name.rpartition('/')[2]: value
        for name, value in run.evaluate(len(samples)).items()
    }


def predicted(number, codes, scores):
    sample = DetDataSample(metainfo=dict(img_id=number))
    sample.pred_panoptic_seg = PixelData(sem_seg=torch.tensor(codes)[None])
    present = torch.tensor(np.unique(codes))
    sample.pred_segments = InstanceData(
        codes=present, scores=torch.tensor(scores[: len(present)])
    )
    sample.pred_sem_seg = PixelData(sem_seg=torch.tensor(codes % 1000)[None])
    return sample


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('panoptic')


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_segments_are_judged_like_masks(folder, seed):
    rng = np.random.default_rng(seed)
    truths, guesses = ([draw(rng) for _ in range(3)] for _ in range(2))
    crowds = (1000,)  # the first object, if it is a nut
    write_truth(folder, truths, crowds)
    samples, scenes = [], []
    for number, (truth, guess) in enumerate(zip(truths, guesses)):
        guess = np.where(guess < 0, STUFF, guess)
        codes, objects = np.unique(guess), np.unique(truth[truth >= 0])
        scores = rng.random(8)
        samples.append(predicted(number, guess, scores))
        scenes.append(
            Scene(
                guess == codes[:, None, None],
                codes % 1000,
                scores[: len(codes)],
                truth == objects[:, None, None],
                objects % 1000,
                truth < 0,
                np.isin(objects, crowds),
            )
        )
    found = evaluated(PanopticAPMetric, folder, samples)
    for name, values in tables(scenes, len(CLASSES)).items():
        if name.startswith('APr'):
            for suffix, own in (('', values), ('_th', values[:2]), ('_st', values[2:])):
                assert found[name + suffix] == pytest.approx(
                    float(mean_over_classes(own)), abs=1e-12, nan_ok=True
                )
    assert not any(name.startswith('AP5') or name == 'ABO' for name in found)


def test_the_score_decides_and_not_the_order(folder):
    """Section 12 of the paper's protocol by hand: 2 objects, ranked right, wrong."""
    truth = np.full(SHAPE, STUFF)
    truth[:4, :4], truth[8:, 8:] = 1000, 2000
    guess = np.full(SHAPE, STUFF)
    guess[:4, :4], guess[4:8, 4:8] = 1000, 2000
    write_truth(folder, [truth])
    found = evaluated(PanopticAPMetric, folder, [predicted(0, guess, [0.9, 0.8, 0.1])])
    assert found['APr_50_th'] == 0.5  # bolts do not occur
    worse = evaluated(PanopticAPMetric, folder, [predicted(0, guess, [0.9, 0.1, 0.8])])
    assert worse['APr_50_th'] == 0.25


def test_mean_iou_is_that_of_mmsegmentation(folder):
    rng = np.random.default_rng(3)
    truths, guesses = ([draw(rng) for _ in range(4)] for _ in range(2))
    write_truth(folder, truths)
    samples = [
        predicted(number, np.where(guess < 0, 1, guess), np.ones(9))
        for number, guess in enumerate(guesses)
    ]
    found = evaluated(SemanticIoUMetric, folder, samples)
    other = Evaluator(IoUMetric(ignore_index=255))
    other.dataset_meta = dict(classes=CLASSES)
    for truth, sample in zip(truths, samples):
        labels = torch.tensor(np.where(truth < 0, 255, truth % 1000))[None]
        other.process(
            [
                dict(
                    gt_sem_seg=dict(data=labels),
                    pred_sem_seg=dict(data=sample.pred_sem_seg.sem_seg),
                )
            ]
        )
    theirs = other.evaluate(4)
    assert 100 * found['mIoU'] == pytest.approx(theirs['mIoU'], abs=0.006)
    assert 100 * found['aAcc'] == pytest.approx(theirs['aAcc'], abs=0.006)
    parts = found['mIoU_th'], found['mIoU_st']
    assert found['mIoU'] == pytest.approx((2 * parts[0] + parts[1]) / 3)


def test_thresholds_are_checked():
    with pytest.raises(ValueError, match=r'apr_thrs must lie in \(0, 1\], got \(0,'):
        PanopticAPMetric('a.json', 'a', apr_thrs=(0, 0.5))
