"""Points on pixels, one object on each."""

import logging

import numpy as np
import pytest
from mmengine.logging import MMLogger

from mmwsis.datasets.transforms import PointsToPixels


def image(points, labels, ids=None):
    count = len(points)
    return dict(
        img_id=4,
        img_path='a.jpg',
        img_shape=(6, 8),
        gt_points=np.array(points, dtype=float).reshape(-1, 2),
        gt_bboxes_labels=np.array(labels, dtype=np.int64),
        gt_ignore_flags=np.zeros(count, bool),
        gt_ann_ids=np.array(ids or range(10, 10 + count), dtype=np.int64),
    )


def test_points_move_to_the_middle_of_their_pixel():
    found = PointsToPixels()(image([(0.4, 0.5), (2.5, -0.5), (7.49, 5)], [0, 1, 0]))
    assert found['gt_points'].tolist() == [[0, 1], [3, 0], [7, 5]]
    assert 'num_dropped' not in found


def test_points_of_a_class_on_one_pixel_are_merged_with_one_warning(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    transform = PointsToPixels()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):  # epochs
            found = transform(image([(2, 2), (5, 1), (2.2, 1.9)], [1, 1, 1]))
    logger.removeHandler(caplog.handler)
    assert found['gt_points'].tolist() == [[2, 2], [5, 1]]
    assert found['gt_ann_ids'].tolist() == [10, 11]
    assert len(found['gt_bboxes_labels']) == len(found['gt_ignore_flags']) == 2
    assert found['num_dropped'] == 1
    (record,) = caplog.records
    assert 'Image a.jpg (image id 4): 1 points left out' in record.message


def test_points_of_two_classes_on_one_pixel_are_an_error():
    with pytest.raises(ValueError) as error:
        PointsToPixels()(image([(2, 2), (5, 1), (2.2, 1.9)], [1, 1, 0]))
    assert str(error.value) == (
        'Image a.jpg (image id 4): points: expected one class per pixel, got '
        'annotation id 10 and annotation id 12 of classes 1 and 0 on (2, 2). '
        'Correct one of them.'
    )


def test_classes_that_resizing_brought_to_one_pixel_are_no_error():
    """Pixels 2 and 3 of an image of twice the size are pixel 1 of this one."""
    results = image([(0.75, 1), (5, 1), (1.25, 1)], [1, 1, 0])
    results['ori_shape'] = (12, 16)
    found = PointsToPixels()(results)
    assert found['gt_points'].tolist() == [[1, 1], [5, 1]]
    assert found['gt_bboxes_labels'].tolist() == [1, 1]
    assert found['num_dropped'] == 1
    with pytest.raises(ValueError, match='annotation id 10 and annotation id 12'):
        PointsToPixels()(
            image([(1.1, 1), (5, 1), (1.25, 1)], [1, 1, 0]) | {'ori_shape': (12, 16)}
        )


def test_of_cues_the_best_stays_with_its_rows():
    results = image([(2, 2), (5, 1), (2.2, 1.9), (5.1, 1)], [0, 1, 1, 1])
    results['ori_shape'] = (60, 80)
    results['gt_points'][:, 0] = [1.8, 5, 2.2, 5.1]
    results['gt_point_scores'] = np.array([0.2, 0.6, 0.9, 0.6], np.float32)
    found = PointsToPixels()(results)
    assert found['gt_ann_ids'].tolist() == [11, 12]  # the first of equal ones
    assert found['gt_points'].tolist() == [[5, 1], [2, 2]]
    assert found['gt_point_scores'].tolist() == pytest.approx([0.6, 0.9])


def test_nothing_and_crowds_stay():
    assert PointsToPixels()(image([], []))['gt_points'].shape == (0, 2)
    found = PointsToPixels()(image([(np.nan, np.nan)] * 2, [0, 1]))
    assert len(found['gt_points']) == 2
