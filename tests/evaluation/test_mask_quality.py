from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmwsis.evaluation.mask_quality import (
    InstanceQuality,
    class_mean_iou,
    mask_iou,
    summarize,
)
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.ops.connected_components import is_separated

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def test_golden_miou():
    case = np.load(GOLDEN / 'miou_81.npz')
    ious = [mask_iou(p, g) for p, g in zip(case['pred'], case['gt'])]
    np.testing.assert_allclose(ious, case['iou'], rtol=0, atol=1e-5)
    miou = class_mean_iou(ious, case['labels_1based'].tolist())
    assert miou == pytest.approx(float(case['miou']), abs=1e-5)


@pytest.mark.parametrize('name', ['paste_40', 'paste_41'])
def test_golden_class_miou_of_pasted_masks(name):
    case = np.load(GOLDEN / f'{name}.npz')
    ious = [
        mask_iou(case[f'pred_mask_{i}'], case[f'gt_mask_{i}'])
        for i in range(len(case['iou']))
    ]
    np.testing.assert_allclose(ious, case['iou'], rtol=0, atol=1e-3)
    miou = class_mean_iou(ious, case['labels'].tolist())
    assert miou == pytest.approx(float(case['class_miou']), abs=1e-3)


def test_specification_example():
    assert class_mean_iou([0.5, 0.7, 0.9], [1, 1, 3]) == pytest.approx(0.75)


def test_empty_masks_have_iou_zero():
    assert mask_iou(np.zeros((3, 4)), np.zeros((3, 4))) == 0


def test_nothing_to_evaluate():
    with pytest.raises(ValueError, match='at least one instance'):
        class_mean_iou([], [])
    with pytest.raises(ValueError, match='crowds do not count'):
        summarize([], {})
    with pytest.raises(ValueError, match='one shape'):
        mask_iou(np.zeros((3, 4)), np.zeros((4, 3)))


@settings(max_examples=50, deadline=None)
@given(
    ious=st.lists(st.floats(0, 1), min_size=1, max_size=30),
    seed=st.integers(0, 1000),
)
def test_class_mean_equals_the_plain_loop(ious, seed):
    classes = np.random.default_rng(seed).integers(0, 5, len(ious)).tolist()
    means = []
    for label in set(classes):
        own = [value for value, other in zip(ious, classes) if other == label]
        means.append(sum(own) / len(own))
    assert class_mean_iou(ious, classes) == pytest.approx(sum(means) / len(means))


def test_separated_needs_two_parts_of_some_size():
    mask = np.zeros((20, 30), dtype=np.uint8)
    assert not is_separated(mask)
    mask[2:8, 2:8] = 1
    assert not is_separated(mask)
    mask[8:12, 8:11] = 1  # touches at a corner only: one 8-connected part
    assert not is_separated(mask)
    mask[2:5, 20:25] = 1  # 15 pixels
    assert not is_separated(mask)
    assert is_separated(mask, min_area=15)
    mask[5, 20] = 1
    assert is_separated(mask)


def quality(ann_id, category, iou, area=100.0, separated=False, **extra):
    return InstanceQuality(ann_id, 1, category, iou, 0.4, area, separated, **extra)


def test_summary_groups_and_recall():
    instances = [
        quality(1, 7, 0.5, area=1024),
        quality(2, 7, 0.7, area=1025, separated=True),
        quality(3, 9, 0.9, area=9217),
        quality(4, 9, 0.0, missing=True),
        quality(5, 9, 0.3, area=9216, empty=True),
    ]
    summary = summarize(instances, {7: 'nut', 8: 'washer', 9: 'bolt'})
    assert summary['class_mean_iou'] == pytest.approx(
        dict(
            all=(0.6 + 0.4) / 2,
            small=0.25,
            medium=(0.7 + 0.3) / 2,
            large=0.9,
            separated=0.7,
            whole=(0.5 + 0.4) / 2,
        )
    )
    assert summary['instances'] == dict(
        all=5, small=2, medium=2, large=1, separated=1, whole=4
    )
    assert summary['recall50']['all'] == pytest.approx(3 / 5)  # .5 itself counts
    assert summary['filled_boxes']['all'] == pytest.approx(0.4)
    assert summary['coverage'] == pytest.approx(0.8)
    assert (summary['missing'], summary['empty_predictions']) == (1, 1)
    assert [row['name'] for row in summary['per_class']] == ['nut', 'bolt']
    assert summary['per_class'][1]['separated_iou'] is None
    assert sum(summary['histogram']['counts']) == 5


SQUARE = np.zeros((6, 8), dtype=np.uint8)
SQUARE[1:4, 2:5] = 1
RLE = coco_mask.encode(np.asfortranarray(SQUARE))


@pytest.mark.parametrize(
    'segmentation',
    [
        RLE,
        dict(size=[6, 8], counts=RLE['counts'].decode()),
        dict(size=[6, 8], counts=[13, 3, 3, 3, 3, 3, 20]),
        [[2, 1, 5, 1, 5, 4, 2, 4]],
    ],
)
def test_every_coco_form_decodes(segmentation):
    np.testing.assert_array_equal(annotation_mask(segmentation, (6, 8), 'x'), SQUARE)


@settings(max_examples=100, deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 40),
    share=st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
    seed=st.integers(0, 1000),
)
def test_every_rle_of_pycocotools_is_accepted(height, width, share, seed):
    mask = np.random.default_rng(seed).random((height, width)) < share
    mask = np.asfortranarray(mask.astype(np.uint8))
    decoded = annotation_mask(coco_mask.encode(mask), (height, width), 'x')
    np.testing.assert_array_equal(decoded, mask)
