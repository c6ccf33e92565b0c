"""Outlines along pixel edges give the mask back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as mask_api
from scipy import ndimage

from mmwsis.dataset_converters.exporters.outlines import (
    join_rings,
    ring_area,
    simplify_ring,
    trace_parts,
)

MASKS = arrays.arrays(
    np.uint8, st.tuples(*2 * [st.integers(1, 9)]), elements=st.integers(0, 1)
)


def fill(rings, shape):
    polygons = [ring.astype(float).ravel().tolist() for ring in rings]
    return mask_api.decode(mask_api.merge(mask_api.frPyObjects(polygons, *shape)))


@settings(max_examples=100, deadline=None)
@given(MASKS)
def test_filled_outlines_are_the_mask(mask):
    parts = trace_parts(mask)
    _, count = ndimage.label(mask)
    assert len(parts) == count
    joined = [join_rings([part.shell, *part.holes]) for part in parts]
    if parts:
        np.testing.assert_array_equal(fill(joined, mask.shape), mask)
        one = join_rings([ring for part in parts for ring in (part.shell, *part.holes)])
        np.testing.assert_array_equal(fill([one], mask.shape), mask)
    areas = [ring_area(p.shell) - sum(map(ring_area, p.holes)) for p in parts]
    assert sum(areas) == mask.sum()
    holes, background = ndimage.label(mask == 0, np.ones((3, 3)))
    edge = {*holes[0], *holes[-1], *holes[:, 0], *holes[:, -1]} - {0}
    assert sum(len(part.holes) for part in parts) == background - len(edge)


def test_a_large_mask_with_noise():
    rng = np.random.default_rng(0)
    mask = ndimage.gaussian_filter(rng.random((300, 200)), 3) > 0.5
    parts = trace_parts(mask, offset=(10, 20))
    rings = [ring for part in parts for ring in (part.shell, *part.holes)]
    found = fill([join_rings(rings)], (320, 210))
    np.testing.assert_array_equal(found[20:, 10:], mask)
    assert not found[:20].any() and not found[:, :10].any()


@pytest.mark.parametrize('size', [1, 2])
def test_small_rings_survive_any_tolerance(size):
    ring = trace_parts(np.ones((size, size)))[0].shell
    assert ring_area(simplify_ring(ring, 50.0)) == size**2


def test_simplified_rings_stay_within_the_tolerance():
    yy, xx = np.mgrid[:60, :60]
    mask = ((yy - 30) ** 2 + (xx - 30) ** 2 < 25**2).astype(np.uint8)
    ring = trace_parts(mask)[0].shell
    short = simplify_ring(ring, 1.0)
    assert len(short) < len(ring) / 3
    both = fill([short], mask.shape) & mask
    assert both.sum() / (fill([short], mask.shape) | mask).sum() > 0.95
