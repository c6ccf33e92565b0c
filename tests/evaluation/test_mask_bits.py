"""Masks as bits against the bitmaps that they were packed from."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmwsis.evaluation.mask_bits import pack_masks, shared_pixels


@pytest.fixture(params=[(1, 1), (7, 9), (8, 8), (13, 70)])
def bitmaps(request):
    return np.random.default_rng(0).random((5, *request.param)) < 0.4


def test_bitmaps_come_back(bitmaps):
    bits = pack_masks(bitmaps, bitmaps.shape[1:])
    assert bits.bitmaps().dtype == bool
    np.testing.assert_array_equal(bits.bitmaps(), bitmaps)
    np.testing.assert_array_equal(bits.areas(), bitmaps.sum((1, 2)))
    np.testing.assert_array_equal(bits.union().bitmaps()[0], bitmaps.any(0))
    np.testing.assert_array_equal(bits[1:3].bitmaps(), bitmaps[1:3])
    none = bits[:0]
    assert none.bitmaps().shape == (0, *bitmaps.shape[1:])


def test_run_lengths_pack_as_bitmaps_do(bitmaps):
    rles = coco_mask.encode(np.asfortranarray(bitmaps.transpose(1, 2, 0), np.uint8))
    bits = pack_masks(rles, bitmaps.shape[1:])
    np.testing.assert_array_equal(bits.bitmaps(), bitmaps)


def test_shared_pixels_and_holes(bitmaps):
    bits = pack_masks(bitmaps, bitmaps.shape[1:])
    expected = (bitmaps[:, None] & bitmaps[None, :2]).sum((2, 3))
    np.testing.assert_array_equal(shared_pixels(bits, bits[:2]), expected)
    hole = bits.without(bits[:1]).bitmaps()
    np.testing.assert_array_equal(hole, bitmaps & ~bitmaps[:1])
