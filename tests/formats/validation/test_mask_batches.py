"""Batched masks against pycocotools and against the loop they replace."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from mmwsis.formats.coco_segmentation import rle_runs
from mmwsis.formats.validation.polygon_batch import measure_polygons
from mmwsis.formats.validation.rle_batch import decompress, mask_statistics


def random_masks(seed, count):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        height, width = rng.integers(1, 40, 2)
        density = rng.choice([0.0, 0.02, 0.5, 0.98, 1.0])
        yield np.asfortranarray(rng.random((height, width)) < density, dtype=np.uint8)


def test_statistics_are_those_of_pycocotools():
    masks = list(random_masks(0, 300))
    rles = [mask_api.encode(mask) for mask in masks]
    batch = decompress([rle['counts'] for rle in rles])
    heights, widths = np.array([mask.shape for mask in masks]).T
    found = mask_statistics(batch, heights, widths)
    assert found.sound.all()
    assert found.area.tolist() == [int(mask_api.area(rle)) for rle in rles]
    for mask, rle, box in zip(masks, rles, found.boxes):
        if mask.any():
            assert box.tolist() == mask_api.toBbox(rle).tolist()
        else:
            assert np.isnan(box).all()
    for k, (mask, rle) in enumerate(zip(masks, rles)):
        start = batch.starts[k]
        runs = batch.runs[start : start + batch.counts[k]]
        assert runs.tolist() == rle_runs(rle, *mask.shape).tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=12).map(lambda b: bytes(48 + v % 70 for v in b))))
def test_damaged_counts_are_judged_one_by_one(counts):
    """What the one-at-a-time reading refuses is refused in a batch, and only that."""
    batch = decompress(counts)
    size = np.full(len(counts), 7)
    sound = mask_statistics(batch, size, size).sound
    for text, fine in zip(counts, sound):
        try:
            rle_runs(dict(size=[7, 7], counts=text), 7, 7)
            expected = True
        except ValueError:
            expected = False
        assert fine == expected


def test_polygon_statistics():
    square = [0.0, 0.0, 10.0, 0.0, 10.0, 10.0, 0.0, 10.0]
    triangle = [20, 5, 26, 5, 20, 13]
    found = measure_polygons([[square], [square, triangle], [[1, 2]], [triangle]])
    assert found.sound.tolist() == [True, True, False, True]
    assert found.total[[0, 1, 3]].tolist() == [100, 124, 24]
    assert found.largest[[0, 1, 3]].tolist() == [100, 100, 24]
    assert found.perimeter[[0, 1, 3]].tolist() == [40, 64, 24]
    assert found.low[[0, 1, 3]].tolist() == [[0, 0], [0, 0], [20, 5]]
    assert found.high[[0, 1, 3]].tolist() == [[10, 10], [26, 13], [26, 13]]
    assert np.isnan(found.low[2]).all()
    assert [(rule, row) for rule, row, _ in found.faults] == [('polygon-vertices', 2)]


def test_one_broken_part_leaves_its_neighbours_alone():
    good = [0, 0, 4, 0, 4, 4]
    batch = [[good, [0, 0, 1, 'x', 2, 2]], [good], [good, [1, 1, np.inf, 2, 3, 3]]]
    found = measure_polygons(batch)
    assert found.sound.tolist() == [False, True, False]
    assert found.total[1] == 8
    assert {row for _, row, _ in found.faults} == {0, 2}


@pytest.mark.parametrize('change', [0, 1])
def test_checksums_tell_polygons_apart(change):
    first = [0.0, 0.0, 10.0, 0.0, 10.0, 10.0]
    second = list(first)
    second[4] += 1e-3 * change
    found = measure_polygons([[first], [second]])
    assert (found.checksum[0] == found.checksum[1]) == (change == 0)
