"""CocoInstanceMetric: golden cases of WISE, parity of the two backends."""

import contextlib
import io
from pathlib import Path

import mmdet.evaluation.metrics.coco_metric as upstream
import numpy as np
import pytest
from mmengine.evaluator import Evaluator

from mmwsis.evaluation.metrics import coco_instance_metric
from mmwsis.evaluation.metrics.coco_instance_metric import coco_ap_table
from mmwsis.registry import METRICS

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'
PERCENT = (25, 50, 75)


@pytest.fixture
def run(tmp_path, write_coco, det_sample):
    """Evaluate a golden case."""

    def evaluate(name, **kwargs):
        data = np.load(GOLDEN / f'{name}.npz')
        shape = data['gt_masks'].shape[1:]
        ids = np.union1d(data['gt_image_id'], data['dt_image_id'])
        categories = data['categories']
        images, samples = [], []
        for image_id in range(ids.max() + 1):
            own = data['gt_image_id'] == image_id
            labels = np.searchsorted(categories, data['gt_category'][own])
            images.append(dict(masks=data['gt_masks'][own], labels=labels))
            own = data['dt_image_id'] == image_id
            samples.append(
                det_sample(
                    image_id,
                    data['dt_masks'][own],
                    np.searchsorted(categories, data['dt_category'][own]),
                    data['dt_score'][own],
                    shape,
                )
            )
        classes = tuple(f'class {c}' for c in categories)
        path = write_coco(tmp_path / 'gt.json', images, classes, shape)
        metric = dict(
            type='mmwsis.CocoInstanceMetric',
            ann_file=path,
            metric='segm',
            ap_thrs=(0.25, 0.5, 0.75),
            **kwargs,
        )
        evaluator = Evaluator(METRICS.build(metric))
        evaluator.dataset_meta = dict(classes=classes)
        evaluator.process(samples)
        with contextlib.redirect_stdout(io.StringIO()):
            return evaluator.evaluate(len(samples)), data

    return evaluate


@pytest.mark.parametrize('backend', ['pycocotools', 'faster-coco-eval'])
@pytest.mark.parametrize('name', ['ap_a', 'ap_b_image_without_gt'])
def test_golden(run, name, backend, monkeypatch):
    found, data = run(name, backend=backend)
    for percent, value in zip(PERCENT, data['cocoeval_map']):
        assert found[f'coco/segm_AP{percent}'] == pytest.approx(value, abs=1e-9)
    tables = []
    monkeypatch.setattr(
        coco_instance_metric,
        'coco_ap_table',
        lambda *args, **kwargs: (
            tables.append(coco_ap_table(*args, **kwargs)) or tables[-1]
        ),
    )
    found, _ = run(name, backend=backend, skip_images_without_gt=True)
    for percent, value in zip(PERCENT, data['released_map']):
        assert found[f'coco/segm_AP{percent}'] == pytest.approx(value, abs=1e-9)
    (table,) = tables
    expected = data['released_ap_per_class']
    np.testing.assert_allclose(table.T, expected, rtol=0, atol=1e-9)
    both, _ = run(name, backend=backend, skip_images_without_gt='both')
    empty = len(data['gt_image_id']) and 'without_gt' in name
    for kind, suffix in (('cocoeval', ''), ('released', '_with_objects')):
        for percent, value in zip(PERCENT, data[f'{kind}_map']):
            key = f'coco/segm_AP{percent}{suffix}'
            if suffix and not empty:
                assert key not in both
            else:
                assert both[key] == pytest.approx(value, abs=1e-9)


def test_crowds_and_other_classes_are_no_objects(tmp_path, write_coco, det_sample):
    """Of two images the second one shows a crowd alone, where there is a prediction."""
    mask = np.zeros((12, 16), bool)
    mask[:6, :8] = True
    images = [
        dict(masks=[mask], labels=[0]),
        dict(masks=[mask], labels=[0], crowd=[True]),
    ]
    path = write_coco(tmp_path / 'gt.json', images, ('nut', 'bolt'), (12, 16))
    samples = [
        det_sample(0, [mask], [0], [0.5], (12, 16)),
        det_sample(1, [np.roll(mask, 8, 1)], [0], [0.9], (12, 16)),
    ]
    config = dict(type='mmwsis.CocoInstanceMetric', ann_file=path, metric='segm')
    config.update(ap_thrs=(0.5,), skip_images_without_gt='both')
    evaluator = Evaluator(METRICS.build(config))
    evaluator.dataset_meta = dict(classes=('nut', 'bolt'))
    evaluator.process(samples)
    found = evaluator.evaluate(2)
    assert found['coco/segm_AP50'] == pytest.approx(0.5)
    assert found['coco/segm_AP50_with_objects'] == pytest.approx(1)
    with pytest.raises(ValueError, match="must be True, False or 'both', got 'no'"):
        METRICS.build(dict(config, skip_images_without_gt='no'))


def test_backends_agree_and_upstream_is_left_as_it_was(run):
    original = upstream.COCOeval
    plain, _ = run('ap_b_image_without_gt', classwise=True)
    fast, _ = run('ap_b_image_without_gt', classwise=True, backend='faster-coco-eval')
    assert upstream.COCOeval is original
    assert set(plain) == set(fast)
    for name, value in plain.items():
        np.testing.assert_allclose(fast[name], value, rtol=0, atol=1e-12, err_msg=name)
    assert 'coco/segm_mAP_50' in plain


def test_void_is_taken_out_of_predictions(tmp_path, write_coco, det_sample):
    mask, void = np.zeros((2, 12, 16), bool)
    mask[:6, :8], void[:6, 8:] = True, True
    images = [dict(masks=[mask], labels=[0], void=void)]
    path = write_coco(tmp_path / 'gt.json', images, ('nut',), (12, 16))
    found = []
    for remove_void in (True, False):
        config = dict(type='mmwsis.CocoInstanceMetric', ann_file=path, metric='segm')
        config.update(ap_thrs=(0.75,), remove_void=remove_void)
        evaluator = Evaluator(METRICS.build(config))
        evaluator.dataset_meta = dict(classes=('nut',))
        evaluator.process([det_sample(0, [mask | void], [0], [1.0], (12, 16))])
        found.append(evaluator.evaluate(1)['coco/segm_AP75'])
    assert found == [pytest.approx(1), 0]
    with pytest.raises(ValueError, match='remove_void=True needs ann_file'):
        METRICS.build(dict(type='mmwsis.CocoInstanceMetric', remove_void=True))


def test_protocol_of_wise_by_hand(tmp_path, write_coco, det_sample):
    def bar(start, stop):
        mask = np.zeros((12, 16), bool)
        mask[0, start:stop] = True
        return mask

    images = [
        dict(masks=[bar(0, 5), bar(5, 10)], labels=[0, 0]),
        dict(masks=[], labels=[]),
    ]
    path = write_coco(tmp_path / 'gt.json', images, ('nut',), (12, 16))
    # Right, wrong, right. The last one overlaps both objects alike, and the first is
    # taken: COCO gives it the second one, VOC none.
    samples = [
        det_sample(0, [bar(0, 5), bar(0, 10)], [0, 0], [0.9, 0.7], (12, 16)),
        det_sample(1, [bar(0, 5)], [0], [0.8], (12, 16)),
    ]
    figures = []
    for config in (
        dict(type='mmwsis.CocoInstanceMetric'),
        dict(type='mmwsis.CocoInstanceMetric', skip_images_without_gt=True),
        dict(type='mmwsis.VOCInstanceMetric', iou_thrs=(0.5,)),
    ):
        if 'Coco' in config['type']:
            config.update(metric='segm', ap_thrs=(0.5,))
        evaluator = Evaluator(METRICS.build(dict(config, ann_file=path)))
        evaluator.dataset_meta = dict(classes=('nut',))
        evaluator.process(samples)
        with contextlib.redirect_stdout(io.StringIO()):
            found = evaluator.evaluate(2)
        figures.append(found.get('coco/segm_AP50', found.get('voc/AP50')))
    # 51 of the 101 recalls, 0 to 0.5, have precision 1, the others 2/3.
    assert figures[0] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert figures[1] == pytest.approx(1)
    assert figures[2] == pytest.approx(0.5)


def test_unknown_backend():
    with pytest.raises(ValueError, match="backend must be one of .* got 'hotcoco'"):
        METRICS.build(dict(type='mmwsis.CocoInstanceMetric', backend='hotcoco'))
