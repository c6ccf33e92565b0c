"""The loss of pixel pairs: golden cases, every pair by itself, the examples."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.losses import pixel_embedding_loss
from mmwsis.ops import enlarged_at

GOLDEN = Path(__file__).parents[2] / 'golden' / 'wise'


def golden(name, dtype):
    case = np.load(GOLDEN / f'embed_loss_{name}.npz')
    maps = torch.from_numpy(case['embeddings']).to(dtype).requires_grad_()
    pixels = [
        torch.from_numpy(case[f'{kind}_row_col']).flip(-1)
        for kind in ('points', 'samples')
    ]
    anchors, samples = (enlarged_at(maps, one, maps.shape[1:]) for one in pixels)
    same = torch.eye(len(samples), dtype=torch.bool)[:-1]
    return case, maps, (anchors, samples, same, float(case['eps']))


@pytest.mark.parametrize('dtype, rtol', [(torch.float64, 1e-9), (torch.float32, 1e-4)])
@pytest.mark.parametrize('name', ['a', 'b'])
def test_golden_loss_and_gradient(name, dtype, rtol):
    case, maps, call = golden(name, dtype)
    found = pixel_embedding_loss(*call)
    np.testing.assert_allclose(found.item(), case['loss_sum'], rtol=rtol)
    mean = pixel_embedding_loss(*call, reduction='mean')
    np.testing.assert_allclose(mean.item(), case['loss_mean'], rtol=rtol)
    (gradient,) = torch.autograd.grad(found, maps)
    limit = rtol * np.abs(case['grad_sum']).max()
    np.testing.assert_allclose(gradient, case['grad_sum'], rtol=rtol, atol=limit)
