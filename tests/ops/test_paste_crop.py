from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmwsis.ops.paste_crop import combine_logits, crop_mask_patches
from mmwsis.ops.patch_rle import encode_filled_box, encode_patch

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def masks_at_image_size(logits, box_masks, crop_boxes, image_sizes, *args, **kwargs):
    """Mask of the whole image and score of every object."""
    patches = crop_mask_patches(
        logits, box_masks, crop_boxes, image_sizes, *args, **kwargs
    )
    for patch, size in zip(patches, image_sizes, strict=True):
        full = np.zeros(size, dtype=bool)
        h, w = patch.mask.shape
        full[patch.y : patch.y + h, patch.x : patch.x + w] = patch.mask
        yield full, patch.score


def golden_logits(case):
    names = ('student_logits', 'teacher_logits')
    plain = [torch.from_numpy(case[name][:, 0]) for name in names]
    flipped = [torch.from_numpy(case[f'{name}_flipped_input'][:, 0]) for name in names]
    weights = 'teacher' if case['teacher'] else 'mixed' if case['mixed'] else 'student'
    return combine_logits(*plain, *flipped, weights=weights, flip=bool(case['flip']))


@pytest.mark.parametrize('name', ['paste_40', 'paste_41'])
def test_golden_masks(name):
    case = np.load(GOLDEN / f'{name}.npz')
    boxes = case['bbox_xyxy']
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    sizes = list(zip(case['height'].tolist(), case['width'].tolist()))
    results = masks_at_image_size(
        golden_logits(case),
        torch.from_numpy(case['boxmask']),
        case['ext_box'],
        sizes,
        areas,
        thresholds=case['mask_thres'].tolist(),
    )
    for index, (mask, score) in enumerate(results):
        expected = case[f'pred_mask_{index}'].astype(bool)
        assert mask.dtype == bool and mask.shape == expected.shape
        assert (mask != expected).mean() <= 0.001
        gt = case[f'gt_mask_{index}'].astype(bool)
        iou = (mask & gt).sum() / ((mask | gt).sum() + 1e-6)
        assert iou == pytest.approx(case['iou'][index], abs=1e-3)
        assert case['mask_thres'].min() < score <= 1


def naive_paste(logits, box_mask, box, size, threshold):
    """One object, at image size, pixel by pixel, as the formula reads."""
    x0, y0, x1, y1 = box
    side = box_mask.shape
    grown = F.interpolate(logits[None, None].double(), side, mode='bilinear')
    prob = grown.sigmoid() * box_mask
    crop = F.interpolate(prob, (y1 - y0, x1 - x0), mode='bilinear')[0, 0]
    full = torch.zeros(size, dtype=torch.float64)
    for row in range(size[0]):
        for column in range(size[1]):
            if y0 <= row < y1 and x0 <= column < x1:
                full[row, column] = crop[row - y0, column - x0]
    mask = full > threshold
    return mask.numpy(), full[mask].mean().item() if mask.any() else 0.0


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    box=st.tuples(
        st.integers(-30, 18),
        st.integers(-30, 18),
        st.integers(1, 60),
        st.integers(1, 60),
    ),
    area=st.sampled_from([0.0, 1024.0, 1024.5, 9216.0, 9217.0]),
)
def test_equals_the_pixelwise_reference(seed, box, area):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 5, 5, generator=generator) * 3
    box_masks = (torch.rand(2, 16, 16, generator=generator) > 0.3).byte()
    thresholds = (0.15, 0.35, 0.55)
    x, y, w, h = box
    crop_box, size = (x, y, x + w, y + h), (17, 23)
    results = masks_at_image_size(
        logits, box_masks, [crop_box] * 2, [size] * 2, [area] * 2, thresholds
    )
    threshold = thresholds[0 if area <= 1024 else 1 if area <= 9216 else 2]
    for index, (mask, score) in enumerate(results):
        expected, mean = naive_paste(
            logits[index], box_masks[index], crop_box, size, threshold
        )
        assert (mask != expected).sum() <= 1  # float32 beside float64 at the threshold
        assert score == pytest.approx(mean, abs=5e-3)


def test_threshold_is_strict():
    # logit 0 -> probability exactly 0.5
    args = (torch.zeros(1, 4, 4), torch.ones(1, 8, 8), [(0, 0, 6, 6)], [(6, 6)], [36.0])
    (patch,) = crop_mask_patches(*args, thresholds=(0.5, 0.1, 0.1))
    assert not patch.mask.any() and patch.score == 0
    (patch,) = crop_mask_patches(*args, thresholds=(0.49, 0.1, 0.1))
    assert patch.mask.all() and patch.score == pytest.approx(0.5)


def test_crop_outside_the_image_is_empty():
    patch = crop_mask_patches(
        torch.ones(1, 4, 4), torch.ones(1, 8, 8), [(50, 0, 60, 9)], [(9, 40)], [90.0]
    )[0]
    assert patch.mask.size == 0 and patch.score == 0.0


def test_no_object():
    empty = torch.zeros(0, 4, 4), torch.zeros(0, 8, 8), torch.zeros(0, 4), [], []
    assert crop_mask_patches(*empty) == []


def test_diverged_logits_are_refused():
    logits = torch.zeros(3, 4, 4)
    logits[1, 2, 2] = float('nan')
    with pytest.raises(ValueError, match=r'objects \[1\] of this batch hold NaN'):
        crop_mask_patches(
            logits, torch.ones(3, 8, 8), [(0, 0, 6, 6)] * 3, [(6, 6)] * 3, [36.0] * 3
        )


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(logits=torch.zeros(1, 1, 4, 4)), r'expected logits \(B, h, w\)'),
        (dict(areas=[1.0, 2.0]), 'one entry per object'),
        (dict(thresholds=(0.1, 0.1)), 'expected 3 thresholds'),
        (dict(crop_boxes=[(3, 0, 3, 4)]), 'crop box must be half-open'),
    ],
)
def test_wrong_arguments_are_named(change, message):
    arguments = dict(
        logits=torch.zeros(1, 4, 4),
        box_masks=torch.ones(1, 8, 8),
        crop_boxes=[(0, 0, 6, 6)],
        image_sizes=[(6, 6)],
        areas=[36.0],
    )
    with pytest.raises(ValueError, match=message):
        crop_mask_patches(**{**arguments, **change})


def test_combine_logits_needs_what_it_averages():
    student = torch.zeros(1, 4, 4)
    with pytest.raises(ValueError, match='needs teacher logits'):
        combine_logits(student, weights='mixed')
    with pytest.raises(ValueError, match='needs student_flipped logits'):
        combine_logits(student, flip=True)
    with pytest.raises(ValueError, match='weights must be one of'):
        combine_logits(student, weights='ema')
    assert combine_logits(student) is student


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    data=st.data(),
)
def test_encode_patch_equals_pycocotools(seed, height, width, data):
    top = data.draw(st.integers(0, height - 1))
    bottom = data.draw(st.integers(top + 1, height))
    left = data.draw(st.integers(0, width - 1))
    right = data.draw(st.integers(left + 1, width))
    rng = np.random.default_rng(seed)
    patch = rng.random((bottom - top, right - left)) < data.draw(
        st.sampled_from([0.0, 0.3, 0.8, 1.0])
    )
    full = np.zeros((height, width), dtype=np.uint8)
    full[top:bottom, left:right] = patch
    expected = coco_mask.encode(np.asfortranarray(full))
    rle = encode_patch(patch, left, top, (height, width))
    assert rle == dict(size=[height, width], counts=expected['counts'].decode('ascii'))


def test_encode_patch_stays_inside():
    with pytest.raises(ValueError, match='must lie inside the 4x3 image'):
        encode_patch(np.ones((2, 2), dtype=bool), 3, 0, (3, 4))


@pytest.mark.parametrize(
    'rule, bbox, rows, columns',
    [
        ('continuous', [2, 1, 3, 2], (1, 2), (2, 4)),  # half-open
        ('continuous', [2.7, 1.2, 3.0, 2.0], (1, 2), (3, 5)),  # centres
        ('continuous', [-4, -4, 6, 5], (0, 0), (0, 1)),
        ('continuous', [8, 5, 30, 30], (5, 6), (8, 9)),
        ('continuous', [2.6, 1.8, 0.8, 0.5], (2, 2), (3, 3)),  # no centre: one pixel
        ('continuous', [10, 7, 0.0, 0.0], (6, 6), (9, 9)),  # on the far border
        ('released', [2.7, 1.2, 3.0, 2.0], (1, 3), (2, 5)),  # both ends inclusive
        ('released', [-4, -4, 6, 5], (0, 1), (0, 2)),
        ('released', [8, 5, 30, 30], (5, 6), (8, 9)),
        ('released', [10, 7, 0.0, 0.0], (6, 6), (9, 9)),
    ],
)
def test_filled_box(rule, bbox, rows, columns):
    mask = coco_mask.decode(encode_filled_box(bbox, (7, 10), rule))
    expected = np.zeros((7, 10), dtype=np.uint8)
    expected[rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = 1
    assert (mask == expected).all()


def test_device_and_cpu_paths_agree():
    from mmwsis.ops import paste_crop

    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(6, 16, 16, generator=generator) * 4
    box_masks = (torch.rand(6, 64, 64, generator=generator) > 0.2).byte()
    boxes = [(0, 0, 20 + 37 * i, 150 - 23 * i) for i in range(6)]
    one = paste_crop._resize_on_cpu(logits, box_masks, boxes)
    other = paste_crop._resize_on_device(logits, box_masks, boxes)
    for first, second in zip(one, other, strict=True):
        torch.testing.assert_close(first, second, atol=1e-5, rtol=0)
