"""Semantic mean IoU of label maps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmseg.evaluation import IoUMetric
from PIL import Image

from mmwsis.evaluation.semantic_iou import (
    confusion_counts,
    folder_confusion,
    semantic_quality,
)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_equals_mmsegmentation(seed):
    rng = np.random.default_rng(seed)
    num_classes = int(rng.integers(2, 6))
    shape = tuple(rng.integers(1, 9, 2))
    values = [*range(num_classes), 255]
    gt = rng.choice(values, shape).astype(np.uint8)
    pred = rng.choice(values, shape).astype(np.uint8)
    quality = semantic_quality(confusion_counts(gt, pred, num_classes))
    areas = IoUMetric.intersect_and_union(
        torch.tensor(pred.astype(int)), torch.tensor(gt.astype(int)), num_classes, 255
    )
    theirs = IoUMetric.total_area_to_metrics(*areas)
    np.testing.assert_allclose(quality.iou, theirs['IoU'], rtol=0, atol=1e-6)
    if (gt < 255).any():
        assert quality.accuracy == pytest.approx(float(theirs['aAcc']), abs=1e-6)
        assert quality.miou == pytest.approx(np.nanmean(theirs['IoU']), abs=1e-6)
    # What the ground truth ignores does not count.
    other = np.where(gt == 255, rng.choice(values, shape), pred)
    np.testing.assert_array_equal(
        confusion_counts(gt, other, num_classes),
        confusion_counts(gt, pred, num_classes),
    )
    perfect = semantic_quality(confusion_counts(gt, gt, num_classes))
    assert np.nan_to_num(perfect.miou, nan=1) == 1


def test_pixels_left_open():
    gt = np.array([[0, 0, 1, 1]], np.uint8)
    pred = np.array([[0, 255, 1, 255]], np.uint8)
    quality = semantic_quality(confusion_counts(gt, pred, 3))
    assert quality.miou == quality.decided == quality.accuracy == 0.5
    assert quality.miou_decided == 1 and np.isnan(quality.iou[2])
    nothing = semantic_quality(np.zeros((2, 3), int))
    assert np.isnan(nothing[:4]).all()


def test_folders(tmp_path):
    gt = np.array([[0, 1], [1, 255]], np.uint8)
    for name, values in (('gt', gt), ('pred', np.where(gt == 255, 0, gt))):
        (tmp_path / name).mkdir()
        drawn = Image.fromarray(values.astype(np.uint8))
        if name == 'gt':  # a palette, as VOC's: the indices count, not the colours
            drawn.putpalette([7, 8, 9] * 256)
        drawn.save(tmp_path / name / 'a.png')
    counts, number = folder_confusion(tmp_path / 'pred', tmp_path / 'gt', 2)
    assert number == 1 and counts.tolist() == [[1, 0, 0], [0, 2, 0]]
    Image.fromarray(np.full((2, 2), 7, np.uint8)).save(tmp_path / 'pred' / 'a.png')
    with pytest.raises(
        ValueError, match=r'a.png: the labels has the value 7; expected'
    ):
        folder_confusion(tmp_path / 'pred', tmp_path / 'gt', 2)
    Image.fromarray(np.zeros((2, 3), np.uint8)).save(tmp_path / 'pred' / 'a.png')
    with pytest.raises(ValueError, match=r'\(2, 3\), the ground truth \(2, 2\)'):
        folder_confusion(tmp_path / 'pred', tmp_path / 'gt', 2)
    Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / 'pred' / 'a.png')
    with pytest.raises(ValueError, match='mode RGB'):
        folder_confusion(tmp_path / 'pred', tmp_path / 'gt', 2)
    (tmp_path / 'pred' / 'a.png').write_bytes(b'\x89PNG')
    with pytest.raises(ValueError, match='a.png is no readable image'):
        folder_confusion(tmp_path / 'pred', tmp_path / 'gt', 2)
    (tmp_path / 'gt' / 'a.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'gt.a.png does not exist'):
        folder_confusion(tmp_path / 'pred', tmp_path / 'gt', 2)
    with pytest.raises(FileNotFoundError, match='no label maps'):
        folder_confusion(tmp_path, tmp_path, 2)
    with pytest.raises(ValueError, match='values -1 to 0'):
        confusion_counts(np.zeros((1, 2), int), np.array([[-1, 0]]), 2)
