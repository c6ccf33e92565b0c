"""One check of masks for everybody; the texts are in validation/rule_cases.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from mmwsis.formats.coco_masks import (
    MaskError,
    annotation_mask,
    check_segmentation,
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


SIZE = (6, 8)
GOOD = encode_mask(np.eye(*SIZE, dtype=bool))['counts']
BROKEN = [
    # (segmentation, broken rule)
    (None, 'mask-format'),
    ('abc', 'mask-format'),
    ([], 'mask-format'),
    ([1, 1, 5, 1, 5, 5], 'mask-format'),
    ([[]], 'polygon-vertices'),
    ([[1, 1, 5, 5]], 'polygon-vertices'),  # pycocotools takes it for a box
    ([[1, 1, 5, 1, 5]], 'polygon-vertices'),
    ([[1, 1, 5, 1, 5, 5], [1, 1, 5, 1, 5, 5, 1]], 'polygon-vertices'),
    ([[1, 1, 5, 1, float('nan'), 5]], 'polygon-numbers'),
    ([[1, 1, 5, 1, float('inf'), 5]], 'polygon-numbers'),
    ([[1, 1, 5, 1, 'x', 5]], 'polygon-numbers'),
    ([[1, 1, 5, 1, None, 5]], 'polygon-numbers'),
    ([[10**400, -(10**400), 5, 1, 0.5, 5]], 'polygon-numbers'),
    (dict(size=[6, 8]), 'mask-format'),
    (dict(counts=GOOD), 'mask-format'),
    (dict(size=6, counts=GOOD), 'mask-format'),
    (dict(size=[8, 6], counts=GOOD), 'rle-size'),
    (dict(size=[6, 8], counts=''), 'rle-counts'),
    (dict(size=[6, 8], counts=GOOD[:-1]), 'rle-counts'),
    (dict(size=[6, 8], counts=GOOD + '5'), 'rle-counts'),
    (dict(size=[6, 8], counts=GOOD.encode() + b'5'), 'rle-counts'),
    (dict(size=[6, 8], counts='zzzz'), 'rle-counts'),
    (dict(size=[6, 8], counts='~~!'), 'rle-counts'),
    (dict(size=[6, 8], counts='\xe9'), 'rle-counts'),
    (dict(size=[6, 8], counts='o' * 20 + '0'), 'rle-counts'),
    (dict(size=[6, 8], counts=[]), 'rle-counts'),
    (dict(size=[6, 8], counts=[30]), 'rle-counts'),
    (dict(size=[6, 8], counts=[-5, 53]), 'rle-counts'),
    (dict(size=[6, 8], counts=[1.5, 46.5]), 'rle-counts'),
    (dict(size=[6, 8], counts=[10**30, 48 - 10**30]), 'rle-counts'),
]


@pytest.mark.parametrize('segmentation, rule', BROKEN)
def test_broken_masks_are_refused_in_the_same_words(segmentation, rule):
    with pytest.raises(MaskError) as caught:
        decode_segmentation(segmentation, *SIZE)
    assert caught.value.rule == rule
    for check in (check_segmentation, annotation_mask):
        with pytest.raises(ValueError) as named:
            check(segmentation, SIZE, 'f.json: annotation id 3')
        assert str(named.value) == f'f.json: annotation id 3: {caught.value}'


@pytest.mark.parametrize(
    'segmentation',
    [[[20, 20, 25, 20, 25, 25]], dict(size=[6, 8], counts=[48])],
)
def test_a_mask_without_a_pixel_has_no_crop(segmentation):
    assert not annotation_mask(segmentation, SIZE, 'x').any()
    with pytest.raises(MaskError, match='covers no pixel') as caught:
        decode_segmentation(segmentation, *SIZE)
    assert caught.value.rule == 'mask-empty'


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=12).map(lambda b: bytes(48 + v % 70 for v in b)))
def test_pycocotools_reads_what_passes_in_the_same_way(counts):
    """Damaged counts end its process; every other must mean the same to it."""
    rle = dict(size=[7, 7], counts=counts)
    try:
        runs = rle_runs(rle, 7, 7)
    except MaskError:
        return
    assert mask_api.area(rle) == runs[1::2].sum()
    values = np.repeat(np.arange(len(runs)) % 2, runs)
    np.testing.assert_array_equal(mask_api.decode(rle).ravel(order='F'), values)


def test_corners_far_outside_cost_nothing():
    # pycocotools traces the whole outline: 10^12 pixels of it.
    near = decode_segmentation([[10, 10, 100, 10, 10, 30]], 40, 60)
    far = decode_segmentation([[10, 10, 1e12, 10, 1e12, 30, 10, 30]], 40, 60)
    assert far.offset == near.offset == (10, 10)
    assert far.mask.shape == (20, 50) and far.mask.all()
