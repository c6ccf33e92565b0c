"""Proposals follow the geometric transforms without being decoded."""

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from mmwsis.datasets.transforms import (
    RandomChoiceRescale,
    RandomCropOrPad,
    RandomFlip,
    RandomRescale,
    ResizeToStride,
)

sys.path.append(str(Path(__file__).parent))
from whole_image_samples import samples, whole_image_sample

proposals = pytest.importorskip('mmwsis.structures.proposals')

STEPS = [
    RandomRescale((0.3, 2.5)),
    RandomChoiceRescale(backend='cv2', pixel_rule='corner'),
    ResizeToStride(20, 8),
    RandomCropOrPad((13, 21)),
    RandomFlip(),
]


def with_proposals(sample):
    """The sample's own masks once more, as proposals."""
    bits = np.asfortranarray(sample['gt_masks'].masks.transpose(1, 2, 0))
    sample['mask_proposals'] = proposals.Proposals(
        coco_mask.encode(bits), np.ones(bits.shape[2]), sample['img_shape']
    )
    return sample


@settings(max_examples=60, deadline=None)
@given(samples(), st.lists(st.sampled_from(STEPS), max_size=4), st.integers(0, 9999))
def test_proposals_decode_to_the_transformed_masks(sample, steps, seed):
    # Without points and boxes no mask leaves before it is empty.
    names = 'img', 'img_shape', 'gt_masks', 'gt_ann_ids'
    sample = with_proposals({name: sample[name] for name in names})
    np.random.seed(seed)
    for step in steps:
        sample = step(sample)
    moved = sample['mask_proposals']
    assert moved.size == sample['img_shape']
    left = sample['gt_ann_ids'] - 100
    decoded = moved.decode()
    assert np.array_equal(decoded[left], sample['gt_masks'].masks.astype(bool))
    assert not np.delete(decoded, left, axis=0).any()


def test_proposals_of_another_image_are_refused():
    sample = with_proposals(whole_image_sample(9, 8, [(0, 0, 5, 5)]))
    other = whole_image_sample(9, 9, [])
    other['mask_proposals'] = sample['mask_proposals']
    message = (
        r'mask_proposals has \(height, width\) \(9, 8\), the image \(9, 9\).* id 7'
    )
    with pytest.raises(ValueError, match=message):
        RandomFlip(1.0)(other)
