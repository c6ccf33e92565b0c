from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import find_boundaries, watershed

from mmwsis.ops import watershed_boundaries

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'
FILES = sorted(path.stem for path in GOLDEN.glob('lcfcn_*.npz'))


@pytest.mark.parametrize('name', FILES)
def test_golden_boundaries_of_each_class(name):
    golden = np.load(GOLDEN / f'{name}.npz')
    logits = torch.from_numpy(golden['logits'])
    sides = logits.shape[-2:]
    maps = logits.softmax(0)[1:] if 'softmax' in name else logits.sigmoid()
    maps, expected = maps.view(-1, *sides), golden['boundaries'].reshape(-1, *sides)
    for label, probability in enumerate(maps):
        points = np.argwhere(golden['points'] == label + 1)[:, ::-1].copy()
        found = watershed_boundaries(probability, torch.from_numpy(points))
        np.testing.assert_array_equal(found, expected[label])


def test_a_valley_between_two_points_by_hand():
    probability = torch.full((1, 9), 0.9)
    probability[0, 4] = 0.2
    found = watershed_boundaries(probability, torch.tensor([[1, 0], [7, 0]]))
    assert found[0].nonzero().flatten().tolist() == [4, 5]


def test_a_plateau_is_parted_in_the_middle_by_hand():
    probability = torch.full((5, 7), 0.9)
    found = watershed_boundaries(probability, torch.tensor([[5, 2], [1, 2]]))
    assert found.any(0).nonzero().flatten().tolist() == [3, 4]
    assert found[:, 3:5].all()


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 15), st.integers(1, 15)),
    seed=st.integers(0, 9999),
    levels=st.sampled_from([2, 5, 1000]),
    kind=st.sampled_from([np.float32, np.float64]),
)
def test_boundaries_are_those_of_the_libraries(shape, seed, levels, kind):
    """Also in images smaller than the window, and with points in any order."""
    rng = np.random.default_rng(seed)
    probability = (rng.integers(0, levels, shape) / levels).astype(kind)
    pixels = rng.permutation(probability.size)[: rng.integers(0, 8)]
    expected = np.zeros(shape, dtype=bool)
    if len(pixels) > 1:
        markers = np.zeros(shape, dtype=np.int32)
        markers.flat[np.sort(pixels)] = np.arange(len(pixels)) + 1
        surface = ndimage.black_tophat(probability, size=7)
        expected = find_boundaries(watershed(surface, markers))
    points = torch.from_numpy(np.stack([pixels % shape[1], pixels // shape[1]], 1))
    found = watershed_boundaries(torch.from_numpy(probability), points)
    np.testing.assert_array_equal(found, expected)


def test_points_on_one_pixel_are_one():
    probability = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    twice = torch.tensor([[2, 3], [2, 3]])
    assert not watershed_boundaries(probability, twice).any()
    others = torch.tensor([[2, 3], [5, 1]])
    expected = watershed_boundaries(probability, others)
    assert expected.any()
    found = watershed_boundaries(probability, torch.cat([others, twice]))
    assert torch.equal(found, expected)


def test_what_cannot_be_meant_is_refused():
    probability, points = torch.zeros(4, 5), torch.tensor([[4, 3]])
    with pytest.raises(ValueError, match=r'points, x: expected integers in \[0, 4\]'):
        watershed_boundaries(probability, points + torch.tensor([1, 0]))
    with pytest.raises(ValueError, match=r'points, y: expected integers in \[0, 3\]'):
        watershed_boundaries(probability, points + torch.tensor([0, 1]))
    with pytest.raises(TypeError, match='points: expected integers'):
        watershed_boundaries(probability, points.float())
    with pytest.raises(ValueError, match='probability: expected finite numbers'):
        watershed_boundaries(probability / 0, points)
