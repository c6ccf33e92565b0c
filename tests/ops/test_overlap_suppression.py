"""Suppression of overlapping masks, and their bits, against loops."""

import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmwsis.ops import bit_masks
from mmwsis.ops.bit_masks import count_bits, pack_bits
from mmwsis.ops.overlap_suppression import suppress_overlaps
from mmwsis.ops.region_rle import encode_regions

sys.path.insert(0, str(Path(__file__).parent))
from region_scenes import random_regions


def slow_suppression(masks, max_overlap, max_num):
    kept = []
    for index, mask in enumerate(masks):
        ious = [
            (mask & masks[other]).sum() / max((mask | masks[other]).sum(), 1)
            for other in kept
        ]
        if len(kept) < max_num and not any(iou > max_overlap for iou in ious):
            kept.append(index)
    return kept


def overlapping_masks(seed, number=120, pixels=90):
    """Stretches of pixels, many of which overlap much, some of which are empty."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, pixels // 2, (number, 1))
    stop = start + rng.integers(0, pixels // 2, (number, 1))
    place = np.arange(pixels)
    return (place >= start) & (place < stop) & (rng.random((number, pixels)) > 0.02)


@pytest.mark.parametrize('max_num', [1, 20, 1000])
@pytest.mark.parametrize('max_overlap', [0.1, 0.5, 0.9, 1])
def test_equals_all_pairs(max_overlap, max_num):
    masks = overlapping_masks(max_num)
    found = suppress_overlaps(pack_bits(masks), max_overlap, max_num)
    assert found == slow_suppression(masks, max_overlap, max_num)


def test_exactly_the_threshold_stays():
    masks = np.arange(10) < np.array([[10], [9], [8]])
    assert suppress_overlaps(pack_bits(masks), 0.9, 10) == [0, 1, 2]
    assert suppress_overlaps(pack_bits(masks), 0.899, 10) == [0, 2]


def test_nothing_is_kept_of_nothing():
    assert suppress_overlaps(np.zeros((0, 2), dtype=np.uint64), 0.9, 10) == []


@pytest.mark.parametrize('pixels', [0, 1, 63, 64, 65, 200])
def test_bits_are_counted(pixels, monkeypatch):
    masks = np.random.default_rng(pixels).random((7, pixels)) < 0.5
    words = pack_bits(masks)
    np.testing.assert_array_equal(count_bits(words), masks.sum(1))
    monkeypatch.setattr(bit_masks, 'np', NumPyBefore2())
    np.testing.assert_array_equal(count_bits(words), masks.sum(1))


class NumPyBefore2:
    """NumPy without ``bitwise_count``."""

    def __getattr__(self, name):
        if name == 'bitwise_count':
            raise AttributeError(name)
        return getattr(np, name)


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1), (12, 17)])
def test_regions_are_encoded_as_pycocotools_does(size):
    rng = np.random.default_rng(0)
    label_map = random_regions(rng, *size, 8)
    member = rng.random((30, label_map.max() + 1)) < 0.5
    member[0], member[1] = True, False
    for rle, row in zip(encode_regions(label_map, member), member, strict=True):
        bitmap = np.asfortranarray(row[label_map], dtype=np.uint8)
        expected = coco_mask.encode(bitmap)
        assert rle['size'] == expected['size'] == list(size)
        assert rle['counts'].encode() == expected['counts']
