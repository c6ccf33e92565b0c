"""Pixels to objects by their embeddings: golden cases, full maps, ties."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmwsis.ops import assign_pixels, enlarged_at

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


@pytest.mark.parametrize('chunk', [1, 4, 64])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('name', ['a', 'b_ties', 'c_nobackground'])
def test_golden_assignment(name, dtype, chunk):
    case = np.load(GOLDEN / f'assignment_{name}.npz')
    maps = torch.from_numpy(case['embeddings']).to(dtype)
    objects, background = (
        maps[:, rows, columns].T
        for rows, columns in (
            case[f'{kind}_points_row_col'].T for kind in ('object', 'background')
        )
    )
    found = assign_pixels(maps, maps.shape[1:], objects, background, chunk)
    np.testing.assert_array_equal(found, case['label_map'])


def nearest_of_full_map(maps, size, objects, background):
    full = F.interpolate(maps[None], size, mode='bilinear', align_corners=True)[0]
    references = torch.cat([objects, background])
    squared = (full[:, None] - references.T[:, :, None, None]).square().sum(0)
    labels = squared.argmin(0) + 1
    return labels * (labels <= len(objects))


@pytest.mark.parametrize('size', [(33, 50), (7, 9), (1, 12), (12, 1), (5, 4)])
def test_enlarged_maps_are_assigned_as_if_they_were_made(size):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(16, 7, 9, generator=generator, dtype=torch.float64)
    references = torch.randn(9, 16, generator=generator, dtype=torch.float64)
    expected = nearest_of_full_map(maps, size, references[:5], references[5:])
    found = assign_pixels(maps, size, references[:5], references[5:], chunk=10)
    assert torch.equal(found, expected)


def test_embeddings_far_from_the_origin_are_told_apart():
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(64, 5, 6, generator=generator) + 1000
    references = torch.randn(6, 64, generator=generator) / 10 + 1000
    expected = nearest_of_full_map(
        maps.double(), (5, 6), references[:3].double(), references[3:].double()
    )
    found = assign_pixels(maps, (5, 6), references[:3], references[3:])
    assert torch.equal(found, expected)


def test_distances_that_underflow_as_similarities_still_differ():
    maps = torch.tensor([[[0.0, 100.0, 140.0, 200.0]]])
    found = assign_pixels(maps, (1, 4), maps[:, 0, :1].T, maps[:, 0, 3:].T)
    assert found.tolist() == [[1, 1, 0, 0]]


def test_the_methods_example():
    maps = torch.tensor([[[0.0, 1, 5, 6, 3]]])
    found = assign_pixels(maps, (1, 5), maps[:, 0, :1].T, maps[:, 0, 3:4].T)
    assert found.tolist() == [[1, 1, 0, 0, 1]]


@pytest.mark.parametrize('size', [(33, 50), (7, 9), (1, 12), (12, 1), (1, 1)])
def test_values_are_those_of_the_enlarged_maps(size):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(3, 7, 9, generator=generator, dtype=torch.float64)
    maps.requires_grad_()
    full = F.interpolate(maps[None], size, mode='bilinear', align_corners=True)[0]
    y, x = np.indices(size)
    pixels = torch.from_numpy(np.stack([x, y], axis=-1))
    found = enlarged_at(maps, pixels, size)
    torch.testing.assert_close(found, full.permute(1, 2, 0), rtol=0, atol=1e-12)
    weight = torch.randn(*size, 3, generator=generator, dtype=torch.float64)
    (one,) = torch.autograd.grad((found * weight).sum(), maps, retain_graph=True)
    (other,) = torch.autograd.grad((full.permute(1, 2, 0) * weight).sum(), maps)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_no_pixel_keeps_the_graph():
    maps = torch.rand(3, 2, 2, requires_grad=True)
    found = enlarged_at(maps, torch.zeros(0, 4, 2, dtype=torch.int64), (8, 8))
    assert found.shape == (0, 4, 3)
    found.sum().backward()
    assert not maps.grad.any()


@pytest.mark.parametrize('pixel, axis', [((8, 0), 'x'), ((0, 6), 'y'), ((-1, 0), 'x')])
def test_pixels_outside_are_refused(pixel, axis):
    with pytest.raises(ValueError, match=rf'pixels: {axis}: expected integers in'):
        enlarged_at(torch.rand(2, 2, 3), torch.tensor([pixel]), (6, 8))
