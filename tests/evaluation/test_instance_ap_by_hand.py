"""AP of instance masks: cases checked by hand."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mmwsis.evaluation.instance_ap import envelope_ap, mean_over_classes
from mmwsis.evaluation.instance_tables import (
    instance_tables,
)

sys.path.insert(0, str(Path(__file__).parent))
from instance_scenes import Scene, tables


def square(x, y, size=4, shape=(12, 16)):
    mask = np.zeros(shape, bool)
    mask[y : y + size, x : x + size] = True
    return mask


def test_hand_checked_ranking():
    # Specification of Li et al., section 11: TP, FP, TP of two objects.
    assert envelope_ap(np.array([1, 0, 1], bool), 2) == pytest.approx(5 / 6)
    gt = [square(0, 0), square(8, 0)]
    pred = [square(0, 0), square(0, 8), square(8, 0)]
    found = tables([Scene(pred, [0] * 3, [0.9, 0.8, 0.7], gt, [0, 0])], 1)
    assert found['AP50'][0] == pytest.approx(5 / 6)
    assert found['ABO'][0] == 1


def test_there_is_no_second_choice():
    # The second prediction overlaps the taken object more than the free one.
    gt = [square(0, 0, 6), square(6, 0, 6)]
    wide = square(2, 0, 6)
    scene = Scene([square(0, 0, 6), wide], [0, 0], [0.9, 0.8], gt, [0, 0])
    found = tables([scene], 1, iou_thrs=(0.2,))
    assert found['AP20'][0] == pytest.approx(0.5)


def bar(start, stop, shape=(12, 20)):
    mask = np.zeros(shape, bool)
    mask[0, start:stop] = True
    return mask


def test_volumes_by_hand():
    # IoU 12/20: reached at 0.1 to 0.6 of the nine steps, and at 0.5, 0.55 and 0.6 of
    # the ten. Thresholds count as reached where the IoU equals them.
    scene = Scene([bar(0, 12)], [0], [0.5], [bar(0, 20)], [0])
    found = tables([scene], 1, apr_thrs=(0.5, 0.6, 0.61))
    assert found['APr_vol'][0] == pytest.approx(6 / 9)
    assert found['APr_vol_50_95'][0] == pytest.approx(3 / 10)
    assert [found[f'APr_{k}'][0] for k in (50, 60, 61)] == [1, 1, 0]


def test_best_overlap_by_hand():
    # One prediction is the best of two objects of its class, scores do not matter, and
    # the third object has a prediction of another class only.
    gt = [bar(0, 4), bar(4, 8), bar(10, 14)]
    scene = Scene([bar(0, 8), bar(10, 14)], [0, 1], [0.01, 0.9], gt, [0, 0, 2])
    found = tables([scene], 3)
    assert found['ABO'][0] == pytest.approx(0.5)
    assert np.isnan(found['ABO'][1]) and found['ABO'][2] == 0
    assert mean_over_classes(found['ABO']) == pytest.approx(0.25)


def test_prediction_on_void_alone_is_dropped_for_apr_and_wrong_for_ap():
    scene = Scene(
        [bar(10, 14), bar(0, 4)], [0, 0], [0.9, 0.8], [bar(0, 4)], [0], bar(10, 14)
    )
    found = tables([scene], 1)
    assert found['AP50'][0] == pytest.approx(0.5)
    assert found['APr_50'][0] == 1


def test_cityscapes_thresholds_are_exclusive_and_doubles_wrong():
    # Right, a double, right: precision 1, 1, 1/2, 2/3 at recall 0, 1/2, 1/2, 1, each
    # with a quarter of the recall. The envelope of VOC would give 1/2 + 1/2 * 2/3.
    pred = [bar(0, 9), bar(0, 8), bar(10, 20)]
    twice = Scene(pred, [0] * 3, [0.9, 0.8, 0.7], [bar(0, 10), bar(10, 20)], [0, 0])
    found = tables([twice], 1, 'cityscapes', 1)['AP50'][0]
    assert found == pytest.approx((1 + 1 + 1 / 2 + 2 / 3) / 4)
    assert tables([twice], 1)['AP50'][0] == pytest.approx(5 / 6)
    half = Scene([bar(0, 5)], [0], [0.9], [bar(0, 10)], [0])
    assert tables([half], 1, 'cityscapes', 1)['AP50'][0] == 0
    assert tables([half], 1)['AP50'][0] == 1
    # More than the threshold's share on void is left out, the share itself is wrong.
    for on_void, expected in ((6, 1.0), (5, None)):
        pred = [bar(12 - (10 - on_void), 12 + on_void), bar(0, 4)]
        void = bar(12, 20)
        scene = Scene(pred, [0, 0], [0.9, 0.8], [bar(0, 4)], [0], void)
        found = tables([scene], 1, 'cityscapes', 1)['AP50'][0]
        assert found == expected if expected else found < 1


def test_void_counts_in_the_union_of_ap_only():
    void = square(4, 0)
    scene = Scene(
        [square(0, 0) | void], [0], [1.0], [square(0, 0)], [0], void.astype(bool)
    )
    found = tables([scene], 1, iou_thrs=(0.5, 0.6))
    assert found['AP50'][0] == 1 and found['AP60'][0] == 0
    assert found['APr_90'][0] == 1
    assert found['ABO'][0] == pytest.approx(0.5)


def test_crowds_are_void_for_voc_and_groups_for_cityscapes():
    scene = Scene(
        [square(0, 0), square(8, 0)],
        [0, 0],
        [0.2, 0.9],
        [square(0, 0), square(8, 0)],
        [0, 0],
        crowd=[False, True],
    )
    found = tables([scene], 1)
    assert found['AP50'][0] == pytest.approx(0.5)  # it counts as background does
    assert found['APr_50'][0] == 1
    assert tables([scene], 1, 'cityscapes', 1)['AP50'][0] == 1


def test_small_objects_do_not_count_for_cityscapes():
    scene = Scene(
        [square(0, 0), square(8, 0, 2)],
        [0, 0],
        [0.2, 0.9],
        [square(0, 0), square(8, 0, 2)],
        [0, 0],
    )
    assert tables([scene], 1, 'cityscapes', 5)['AP50'][0] == 1
    with pytest.raises(ValueError, match='from 0.5 on'):
        from mmwsis.evaluation.instance_ap import cityscapes_ap_table
        from mmwsis.evaluation.instance_tables import detections

        matched = detections([scene.match('cityscapes')])
        cityscapes_ap_table(matched, np.array([1]), [0.3])


@pytest.mark.parametrize('rules', ['voc', 'cityscapes'])
def test_empty_cases(rules):
    nothing = np.zeros((0, 12, 16), bool)
    unfound = Scene(nothing, [], [], [square(0, 0)], [1])
    found = tables([unfound], 3, rules, 1)
    for values in found.values():
        assert np.isnan(values[[0, 2]]).all() and values[1] == 0
    no_objects = Scene([square(0, 0)], [1], [0.5], nothing, [])
    for values in tables([no_objects], 3, rules, 1).values():
        assert np.isnan(values).all() and np.isnan(mean_over_classes(values))
    found = tables([unfound, no_objects], 3, rules, 1)
    assert found['AP50'][1] == 0
    for values in instance_tables([], 2, rules=rules).values():
        assert np.isnan(values).all()
    empty_mask = Scene(np.zeros((1, 12, 16)), [1], [0.9], [square(0, 0)], [1])
    assert tables([empty_mask], 2, rules, 1)['AP50'][1] == 0
