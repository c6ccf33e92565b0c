import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from mmwsis.formats.coco_segmentation import (
    decode_segmentation,
    encode_mask,
    rle_runs,
    tight_box,
)


def uncompressed(mask):
    flat = mask.ravel(order='F').astype(int)
    counts, value, run = [], 0, 0
    for pixel in flat:
        if pixel != value:
            counts.append(run)
            value, run = pixel, 0
        run += 1
    return {'size': list(mask.shape), 'counts': [*counts, run]}


def full(crop, shape):
    mask = np.zeros(shape, dtype=bool)
    (x, y), (height, width) = crop.offset, crop.mask.shape
    mask[y : y + height, x : x + width] = crop.mask
    return mask


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_every_form_of_rle_gives_the_same_mask(seed, height, width):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.random()
    mask[rng.integers(height), rng.integers(width)] = True
    compressed = encode_mask(mask)
    as_bytes = {**compressed, 'counts': compressed['counts'].encode()}
    runs = uncompressed(mask)
    assert rle_runs(compressed, height, width).tolist() == runs['counts']
    for rle in (compressed, as_bytes, runs):
        crop = decode_segmentation(rle, height, width)
        np.testing.assert_array_equal(full(crop, mask.shape), mask)
        assert crop.mask.any(axis=1).all() or height == 1 or crop.mask.any()
        assert (
            tight_box(crop)
            == mask_api.toBbox(mask_api.encode(np.asfortranarray(mask, dtype=np.uint8)))
            .astype(int)
            .tolist()
        )


def test_polygons_are_joined_as_pycocotools_joins_them():
    polygons = [[2, 2, 20, 2, 20, 15, 2, 15], [25, 20, 30, 20, 28, 28]]
    rle = mask_api.merge(mask_api.frPyObjects(polygons, 30, 40))
    crop = decode_segmentation(polygons, 30, 40)
    np.testing.assert_array_equal(full(crop, (30, 40)), mask_api.decode(rle))


def test_a_polygon_of_four_numbers_is_not_taken_for_a_box():
    with pytest.raises(ValueError, match='2 corners; at least 3'):
        decode_segmentation([[1, 1, 5, 5]], 10, 10)


GOOD = encode_mask(np.eye(6, dtype=bool))


@pytest.mark.parametrize(
    ('segmentation', 'message'),
    [
        ([], 'no entry'),
        ([[]], '0 corners'),
        ([[1, 1, 5, 1, 5]], 'odd number'),
        ([[1, 1, 5, 1, float('nan'), 5]], 'finite'),
        ([[1, 1, 5, 1, 'x', 5]], 'finite'),
        ([1, 1, 5, 1, 5, 5], 'must be a list'),
        ([[20, 20, 25, 20, 25, 25]], 'covers no pixel'),
        ('abc', 'list of polygons or an RLE'),
        ({'size': [6, 6]}, 'size and counts'),
        ({'size': [6, 7], 'counts': GOOD['counts']}, r'\[6, 7\], its image has \[6, 6'),
        ({'size': [6, 6], 'counts': ''}, 'bad RLE'),
        ({'size': [6, 6], 'counts': GOOD['counts'][:-1]}, 'bad RLE'),
        ({'size': [6, 6], 'counts': GOOD['counts'] + '5'}, 'bad RLE'),
        ({'size': [6, 6], 'counts': 'zzzz'}, 'cut off|bad RLE'),
        ({'size': [6, 6], 'counts': '~~!'}, 'characters'),
        ({'size': [6, 6], 'counts': 'o' * 20 + '0'}, 'no image can hold'),
        ({'size': [6, 6], 'counts': [30]}, 'add up to 30'),
        ({'size': [6, 6], 'counts': [-1, 37]}, 'bad RLE'),
        ({'size': [6, 6], 'counts': [1.5, 34.5]}, 'list of integers'),
        ({'size': [6, 6], 'counts': [36]}, 'the mask is empty'),
    ],
)
def test_broken_masks_are_refused(segmentation, message):
    with pytest.raises(ValueError, match=message):
        decode_segmentation(segmentation, 6, 6)


def test_corners_far_outside_cost_nothing():
    # pycocotools traces the whole outline: 10^12 pixels of it.
    near = decode_segmentation([[10, 10, 100, 10, 10, 30]], 40, 60)
    far = decode_segmentation([[10, 10, 1e12, 10, 1e12, 30, 10, 30]], 40, 60)
    assert far.offset == near.offset == (10, 10)
    assert far.mask.shape == (20, 50) and far.mask.all()
