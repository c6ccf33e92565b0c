from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import connected_components, find_peaks, region_peaks

GOLDEN = Path(__file__).parents[1] / 'golden'


def rows(peaks):
    """``(label, x, y, score)`` of each peak."""
    return [
        (label, *point, score)
        for label, point, score in zip(*map(torch.Tensor.tolist, peaks))
    ]


def window_maxima(maps, kernel_size, competes):
    """Look at the whole window of each pixel, map by map."""
    radius, found = kernel_size // 2, []
    for label, heat in enumerate(maps):
        peaks = []
        for y, x in np.argwhere(competes[label]).tolist():
            near = np.s_[
                max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1
            ]
            if heat[y, x] == heat[near][competes[label][near]].max():
                peaks.append((label, x, y, float(heat[y, x])))
        found += sorted(peaks, key=lambda peak: -peak[3])
    return found


def plateaus(peaks):
    """Group peaks of one map that touch, adding one after the other."""
    groups = []
    for peak in peaks:
        touching = [
            group
            for group in groups
            if any(
                peak[0] == other[0]
                and abs(peak[1] - other[1]) <= 1
                and abs(peak[2] - other[2]) <= 1
                for other in group
            )
        ]
        groups = [group for group in groups if group not in touching]
        groups.append([peak, *(other for group in touching for other in group)])
    return groups


def nearest_to_mean(group):
    def away(peak):
        total = sum(
            (len(group) * peak[axis] - sum(other[axis] for other in group)) ** 2
            for axis in (1, 2)
        )
        return total, peak[2], peak[1]

    return min(group, key=away)


@st.composite
def heat_maps(draw):
    shape = draw(st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(0, 9)))
    levels = draw(st.sampled_from([1, 3, 1000]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    maps = rng.integers(-levels, levels, shape, endpoint=True) / levels
    masked = draw(st.sampled_from(['no', 'one', 'each']))
    size = {'no': None, 'one': shape[1:], 'each': shape}[masked]
    mask = None if size is None else rng.random(size) < 0.6
    return maps.astype(np.float32), mask


@settings(deadline=None, max_examples=200)
@given(
    heat=heat_maps(),
    kernel_size=st.sampled_from([3, 5, 9, 10_001]),
    min_score=st.sampled_from([None, -0.5, 0.0]),
    most=st.sampled_from([None, 0, 1, 2]),
    merge=st.booleans(),
    distance=st.sampled_from([0, 1, 2.5]),
)
def test_peaks_are_the_maxima_of_all_windows(
    heat, kernel_size, min_score, most, merge, distance
):
    maps, mask = heat
    competes = np.broadcast_to(True if mask is None else mask, maps.shape)
    expected = window_maxima(maps, kernel_size, competes)
    expected = [p for p in expected if min_score is None or p[3] >= min_score]
    if merge:
        middles = [nearest_to_mean(group) for group in plateaus(expected)]
        expected = [peak for peak in expected if peak in middles]
    kept = []
    for peak in expected:
        gaps = [
            (peak[1] - other[1]) ** 2 + (peak[2] - other[2]) ** 2
            for other in kept
            if other[0] == peak[0]
        ]
        if min(gaps, default=np.inf) >= distance**2:
            kept.append(peak)
    if most is not None:
        kept = [
            p for i, p in enumerate(kept) if [q[0] for q in kept[:i]].count(p[0]) < most
        ]
    peaks = find_peaks(
        torch.from_numpy(maps),
        kernel_size,
        min_score,
        most,
        None if mask is None else torch.from_numpy(mask),
        merge,
        distance,
    )
    assert rows(peaks) == kept


@pytest.mark.parametrize('name', ['peaks_0', 'peaks_edge_0'])
def test_golden_peaks(name):
    data = np.load(GOLDEN / 'bestie' / f'{name}.npz')
    peaks = find_peaks(
        torch.from_numpy(data['heat'][0]),
        int(data['kernel']),
        min_score=np.finfo(np.float32).tiny,
        max_per_class=int(data['topk']),
    )
    scored = data['scores'] > 0
    labels = np.nonzero(scored)[0]
    expected = {
        *zip(labels, data['xs'][scored], data['ys'][scored], data['scores'][scored])
    }
    assert {*rows(peaks)} == expected
    assert len(rows(peaks)) == scored.sum()


INSTANCES = (
    'two_0',
    'cluster_only_1',
    'cluster_weak_2',
    'far_cluster_3',
    'near_cluster_4',
)


@pytest.mark.parametrize('name', INSTANCES)
def test_golden_centres_of_a_component(name):
    data = np.load(GOLDEN / 'bestie' / f'instseg_{name}.npz')
    heat, component = (torch.from_numpy(data[key]) for key in ('center_map', 'fg'))
    mask = component & (heat > float(data['threshold']))
    peaks = find_peaks(heat[None], int(data['nms_kernel']), mask=mask)
    assert sorted(peaks.points.flip(1).tolist()) == data['centers_yx'].tolist()


@pytest.mark.parametrize('name', ['a', 'b_20cls', 'c_ties'])
def test_golden_peaks_of_blobs(name):
    data = np.load(GOLDEN / 'wise' / f'blobs_peaks_{name}.npz')
    probs = torch.from_numpy(data['probs'])
    found = connected_components(probs.argmax(0))
    np.testing.assert_array_equal(found.labels, data['blobs'])
    # The class of a blob is the largest of all at its pixels.
    peaks = region_peaks(found.labels, probs.amax(0))
    expected = data['peaks_class_row_col']
    np.testing.assert_array_equal(found.classes[peaks.labels - 1], expected[:, 0])
    np.testing.assert_array_equal(peaks.points.flip(1), expected[:, 1:])
    np.testing.assert_allclose(peaks.scores, data['peak_prob'], rtol=0, atol=1e-6)


@settings(deadline=None, max_examples=100)
@given(
    shape=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    seed=st.integers(0, 999),
    kind=st.sampled_from([torch.float32, torch.float64, torch.float16, torch.int64]),
)
def test_region_peaks_are_the_first_largest(shape, seed, kind):
    rng = np.random.default_rng(seed)
    regions = torch.from_numpy(rng.integers(-1, 5, shape))
    scores = torch.from_numpy(rng.integers(-3, 3, shape)).to(kind)
    expected = []
    for number in range(1, 5):
        pixels = (regions == number).nonzero().tolist()
        if pixels:
            y, x = max(
                pixels, key=lambda pixel: scores[tuple(pixel)]
            )  # the first of equals
            expected.append((number, x, y, float(scores[y, x])))
    assert rows(region_peaks(regions, scores)) == expected


def test_numbers_of_regions_may_be_far_apart():
    regions = torch.tensor([[10**15, 7, 10**15], [7, -1, 2]])
    scores = torch.tensor([[1.0, 2.0, 3.0], [2.0, 9.0, 0.0]])
    expected = [(2, 2, 1, 0.0), (7, 1, 0, 2.0), (10**15, 2, 0, 3.0)]
    assert rows(region_peaks(regions, scores)) == expected


def test_a_strict_bound_and_one_component():
    """Centres of an object: larger than a bound, next to a stronger neighbour."""
    heat = torch.zeros(1, 9, 30)
    heat[0, 4, 5], heat[0, 4, 9], heat[0, 4, 20] = 0.6, 0.9, 0.3
    component = torch.zeros(9, 30, dtype=torch.bool)
    component[2:7, :8] = component[2:7, 18:] = True
    peaks = find_peaks(heat, 41, mask=component & (heat > 0.3))
    assert peaks.points.tolist() == [[5, 4]]
    peaks = find_peaks(heat, 41, mask=component & (heat >= 0.3))
    assert peaks.points.tolist() == [[5, 4]]
    peaks = find_peaks(heat, 29, mask=component & (heat >= 0.3))
    assert peaks.points.tolist() == [[5, 4], [20, 4]]


def test_class_relative_bound_keeps_the_maximum_of_each_map():
    generator = torch.Generator().manual_seed(0)
    maps = torch.rand(4, 40, 50, generator=generator) * torch.rand(
        4, 1, 1, generator=generator
    )
    largest = maps.amax((1, 2), keepdim=True)
    peaks = find_peaks(maps, 3, mask=maps >= 0.5 * largest, min_distance=16)
    assert peaks.labels.unique().tolist() == [0, 1, 2, 3]
    first = torch.searchsorted(peaks.labels, torch.arange(4))
    assert torch.equal(peaks.scores[first], largest.flatten())
    assert (peaks.scores >= 0.5 * largest.flatten()[peaks.labels]).all()


def test_what_cannot_be_meant_is_refused():
    maps = torch.zeros(2, 4, 5)
    with pytest.raises(ValueError, match='kernel_size: expected an odd integer, got 4'):
        find_peaks(maps, 4)
    with pytest.raises(
        ValueError, match=r'mask: expected shape \(4, 5\), got \(5, 4\)'
    ):
        find_peaks(maps, mask=torch.ones(5, 4))
    with pytest.raises(ValueError, match=r'mask: expected shape \(2, 4, 5\)'):
        find_peaks(maps, mask=torch.ones(1, 4, 5))
    with pytest.raises(ValueError, match='maps: expected finite numbers'):
        find_peaks(maps / 0)
    with pytest.raises(TypeError, match='regions: expected integers'):
        region_peaks(maps[0], maps[1])
