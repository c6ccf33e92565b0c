import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from pycocotools import mask as coco_mask

from mmwsis.evaluation.mask_quality import SIDES
from mmwsis.evaluation.metrics import PseudoLabelMetric
from mmwsis.registry import METRICS
from mmwsis.structures import ObjectCropSample

SIZE = (40, 60)


def rle(x, y, w, h):
    mask = np.zeros(SIZE, dtype=np.uint8, order='F')
    mask[y : y + h, x : x + w] = 1
    code = coco_mask.encode(mask)
    return dict(size=list(SIZE), counts=code['counts'].decode())


def sample(ann_id, label, pred, gt, **extra):
    x, y, w, h = gt
    info = dict(
        img_id=1,
        ann_id=ann_id,
        label=label,
        height=SIZE[0],
        width=SIZE[1],
        bbox=(x, y, x + w, y + h),
        area=float(w * h),
        iscrowd=0,
        pred_mask=rle(*pred),
        gt_mask=[[x, y, x + w, y, x + w, y + h, x, y + h]],
    )
    return ObjectCropSample(metainfo={**info, **extra})


SAMPLES = [
    sample(1, 0, (4, 4, 10, 10), (4, 4, 10, 10)),
    sample(2, 0, (4, 4, 10, 6), (4, 4, 10, 10)),
    sample(3, 1, (0, 0, 0, 0), (20, 4, 10, 10)),
    sample(4, 1, (0, 0, 3, 3), (20, 4, 10, 10), iscrowd=1),
]


def test_metric_through_the_evaluator():
    evaluator = Evaluator(METRICS.build(dict(type='mmwsis.PseudoLabelMetric')))
    evaluator.dataset_meta = dict(classes=('nut', 'bolt'))
    evaluator.process(SAMPLES[:3])
    evaluator.process([SAMPLES[3], SAMPLES[1]])  # the sampler pads with a repetition
    metrics = evaluator.evaluate(size=5)
    assert metrics['pseudo_label/class_mean_iou'] == pytest.approx((0.8 + 0) / 2)
    assert metrics['pseudo_label/class_mean_iou_small'] == pytest.approx(0.4)
    assert metrics['pseudo_label/instance_mean_iou'] == pytest.approx(1.6 / 3)
    assert metrics['pseudo_label/recall50'] == pytest.approx(2 / 3)
    assert metrics['pseudo_label/empty_predictions'] == pytest.approx(1 / 3)
    assert metrics['pseudo_label/filled_boxes'] == pytest.approx(1)
    assert np.isnan(metrics['pseudo_label/class_mean_iou_separated'])  # there is none
    # Of two masks that are not empty one ends four rows early.
    edges = [metrics[f'pseudo_label/edge_{side}'] for side in SIDES]
    assert edges == [0, 0, 0, -2]


def test_every_sample_leaves_an_entry_for_distributed_collection():
    metric = PseudoLabelMetric()
    metric.process(None, [item.to_dict() for item in SAMPLES])
    assert len(metric.results) == len(SAMPLES)


def test_ground_truth_is_needed():
    blind = SAMPLES[0].to_dict()
    blind['gt_mask'] = None
    with pytest.raises(ValueError, match=r"id 1 of image id 1: .*supervision='masks'"):
        PseudoLabelMetric().process(None, [blind])
    mute = {k: v for k, v in SAMPLES[0].to_dict().items() if k != 'pred_mask'}
    with pytest.raises(ValueError, match='returned no pred_mask'):
        PseudoLabelMetric().process(None, [mute])
