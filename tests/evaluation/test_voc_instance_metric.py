"""VOCInstanceMetric and CoverageMetric through MMEngine's evaluator."""

import pickle

import numpy as np
import pytest
from mmengine.evaluator import Evaluator

from mmwsis.evaluation.mask_bits import pack_masks, shared_pixels
from mmwsis.evaluation.mask_overlap import mask_intersections, mask_overlaps
from mmwsis.registry import METRICS

SHAPE = (20, 24)
CLASSES = ('nut', 'bolt', 'gear')


def square(x, y, size=6):
    mask = np.zeros(SHAPE, bool)
    mask[y : y + size, x : x + size] = True
    return mask


IMAGES = [
    dict(masks=[square(0, 0), square(10, 0)], labels=[0, 1], void=square(0, 10)),
    dict(masks=[square(0, 0), square(12, 8)], labels=[0, 0], crowd=[False, True]),
    dict(masks=[], labels=[]),
]


@pytest.fixture
def ann_file(tmp_path, write_coco):
    return write_coco(tmp_path / 'gt.json', IMAGES, CLASSES, SHAPE)


@pytest.fixture(params=[False, True], ids=['tensors', 'rle'])
def samples(request, det_sample):
    def make(image_id, masks, labels, scores):
        return det_sample(image_id, masks, labels, scores, SHAPE, request.param)

    return [
        make(0, [square(0, 0), square(10, 0) | square(0, 10)], [0, 1], [0.9, 0.8]),
        make(1, [square(14, 10, 3)], [0], [0.7]),
        make(2, [], [], []),
    ]


def evaluator(kind, ann_file, **kwargs):
    config = dict(type=f'mmwsis.{kind}', ann_file=ann_file, **kwargs)
    built = Evaluator(METRICS.build(config))
    built.dataset_meta = dict(classes=CLASSES)
    return built


def test_voc_metric(ann_file, samples):
    run = evaluator('VOCInstanceMetric', ann_file, classwise=True)
    run.process(samples[:2])
    run.process([samples[2], samples[0]])  # the sampler pads with a repetition
    found = run.evaluate(4)
    # nut: one of two found, the prediction on the crowd is wrong but last; bolt: half
    # of the prediction is void.
    assert found['voc/AP50'] == pytest.approx((0.5 + 1) / 2)
    assert found['voc/AP70'] == pytest.approx((0.5 + 0) / 2)
    assert found['voc/AP50_nut'] == pytest.approx(0.5)
    assert np.isnan(found['voc/AP50_gear'])
    assert found['voc/APr_90'] == pytest.approx((0.5 + 1) / 2)
    assert found['voc/ABO'] == pytest.approx((0.5 + 0.5) / 2)
    assert found['voc/APr_vol'] == pytest.approx(found['voc/APr_vol_50_95'])
    assert {'voc/AP25', 'voc/AP75', 'voc/APr_50', 'voc/ABO_bolt'} <= set(found)


def test_cityscapes_rules(ann_file, samples):
    run = evaluator('VOCInstanceMetric', ann_file, rules='cityscapes', min_region=10)
    run.process(samples)
    found = run.evaluate(3)
    # Without envelope, the area of one hit among two objects is 1/4 + 1/4.
    assert found['voc/AP'] == pytest.approx((0.5 + 0) / 2)
    assert set(found) == {f'voc/{k}' for k in ('AP', 'AP50', 'AP70', 'AP75', 'ABO')}


def test_results_of_ranks_are_small_and_can_be_sent(ann_file, samples):
    config = dict(type='mmwsis.VOCInstanceMetric', ann_file=ann_file)
    ranks = [METRICS.build(config) for _ in range(2)]
    for rank, metric in enumerate(ranks):
        metric.dataset_meta = dict(classes=CLASSES)
        metric.process(None, [one.to_dict() for one in samples[rank::2]])
    sent = [pickle.dumps(metric.results) for metric in ranks]
    assert max(map(len, sent)) < 5000
    first, second = map(pickle.loads, sent)
    joined = ranks[0].compute_metrics([first[0], second[0], first[1]])
    single = evaluator('VOCInstanceMetric', ann_file)
    single.process(samples)
    assert {f'voc/{k}': v for k, v in joined.items()} == single.evaluate(3)


def test_coverage_metric(ann_file, samples):
    run = evaluator('CoverageMetric', ann_file)
    run.process([*samples, samples[1]])
    found = run.evaluate(4)
    # Image 0: 1 and 1/2; image 1: the crowd is no object, the other is not touched.
    assert found == {
        'coverage/MUCov': pytest.approx((0.75 + 0) / 2),
        'coverage/MWCov': pytest.approx((0.75 + 0) / 2),
    }
    run = evaluator('CoverageMetric', ann_file, remove_void=True, score_thr=0.75)
    run.process(samples)
    assert run.evaluate(3)['coverage/MUCov'] == pytest.approx(0.5)


@pytest.mark.parametrize('kind', ['VOCInstanceMetric', 'CoverageMetric'])
def test_no_object_is_not_a_number(tmp_path, write_coco, det_sample, kind):
    path = write_coco(tmp_path / 'gt.json', [IMAGES[2]], CLASSES, SHAPE)
    run = evaluator(kind, path)
    run.process([det_sample(0, [square(0, 0)], [0], [1.0], SHAPE)])
    assert all(np.isnan(value) for value in run.evaluate(1).values())


def broken(sample, change):
    content = sample.to_dict()
    change(content)
    return content


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.update(img_id=9), 'gt.json has no image with the id 9'),
        (lambda s: s.pop('pred_instances'), 'image id 0: no pred_instances.masks'),
        (lambda s: s['pred_instances']['labels'].fill_(3), r'labels must be 0 to 2'),
        (lambda s: s['pred_instances']['scores'].fill_(float('nan')), 'not finite'),
        (
            lambda s: s['pred_instances'].update(
                masks=s['pred_instances']['masks'][:, :, :5]
            ),
            r'id 0: a mask has \(height, width\) \(20, 5\), the image \(20, 24\)',
        ),
        (
            lambda s: s['pred_instances'].update(
                scores=s['pred_instances']['scores'][:1]
            ),
            '2 masks, 2 labels and 1 scores',
        ),
    ],
)
def test_predictions_that_cannot_be_judged(ann_file, det_sample, change, message):
    sample = det_sample(0, [square(0, 0)] * 2, [0, 1], [0.9, 0.8], SHAPE)
    run = evaluator('VOCInstanceMetric', ann_file)
    with pytest.raises(ValueError, match=message):
        run.metrics[0].process(None, [broken(sample, change)])


def test_wrong_arguments(ann_file):
    for arguments, message in (
        (dict(rules='coco'), "rules must be one of .* got 'coco'"),
        (dict(iou_thrs=(50,)), r'iou_thrs must lie in \(0, 1\]'),
    ):
        with pytest.raises(ValueError, match=message):
            evaluator('VOCInstanceMetric', ann_file, **arguments)
    metric = METRICS.build(dict(type='mmwsis.VOCInstanceMetric', ann_file=ann_file))
    with pytest.raises(ValueError, match=r'needs the class names'):
        metric.process(None, [dict(img_id=0)])


def test_overlaps_equal_dense_ones(rle):
    rng = np.random.default_rng(0)
    pred, gt = rng.random((5, *SHAPE)) < 0.4, rng.random((3, *SHAPE)) < 0.5
    void = rng.random(SHAPE) < 0.2
    coded = [
        pack_masks([rle(mask) for mask in masks], SHAPE)
        for masks in (pred, gt, void[None])
    ]
    found = mask_overlaps(*coded)
    dense = np.einsum('phw,ghw->pg', pred.astype(int), gt.astype(int))
    np.testing.assert_array_equal(found.intersection, dense)
    np.testing.assert_array_equal(found.pred_void, (pred & void).sum((1, 2)))
    union = (pred[:, None] | gt[None]).sum((2, 3))
    np.testing.assert_allclose(found.iou(remove_void=False), dense / union)
    for packed, masks in zip(coded, (pred, gt, void[None])):
        np.testing.assert_array_equal(packed.words, pack_masks(masks, SHAPE).words)
        np.testing.assert_array_equal(
            shared_pixels(packed, coded[0]),
            mask_intersections([rle(m) for m in masks], [rle(p) for p in pred]),
        )
    nothing = pack_masks(pred[:0], SHAPE)
    assert mask_overlaps(nothing, coded[1], coded[2]).iou(True).shape == (0, 3)
    with pytest.raises(ValueError, match=r'one size; got .*\(4, 5\), \(20, 24\)'):
        mask_overlaps(coded[0], pack_masks(np.ones((1, 4, 5), bool), (4, 5)))
    with pytest.raises(ValueError, match=r'one size; got .*\(4, 5\), \(20, 24\)'):
        mask_intersections([rle(pred[0])], [rle(np.ones((4, 5)))])
