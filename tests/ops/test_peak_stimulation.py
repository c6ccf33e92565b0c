from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmwsis.ops import peak_stimulation, stimulation_peaks

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise' / 'peak_stimulation_a.npz'


def test_golden():
    data = np.load(GOLDEN)
    maps = torch.from_numpy(data['class_response_maps']).requires_grad_()
    found = stimulation_peaks(maps).nonzero()
    np.testing.assert_array_equal(found, data['peak_list'])
    logits = peak_stimulation(maps)
    (grad,) = torch.autograd.grad(
        logits, maps, torch.from_numpy(data['upstream']), retain_graph=True
    )
    loss = F.multilabel_soft_margin_loss(logits, torch.from_numpy(data['labels']))
    for value, name in (
        (logits, 'aggregation'),
        (grad, 'released_grad'),
        (loss, 'loss'),
    ):
        np.testing.assert_allclose(
            value.detach(), data[name], rtol=0, atol=1e-5, err_msg=name
        )


def pixel_by_pixel(maps, kernel_size):
    """Peaks of (B, C, H, W) by a loop over the windows."""
    found, reach = np.zeros(maps.shape, dtype=bool), kernel_size // 2
    height, width = maps.shape[2:]
    for b, c, y, x in np.ndindex(*maps.shape):
        rows = range(max(0, y - reach), min(height, y + reach + 1))
        columns = range(max(0, x - reach), min(width, x + reach + 1))
        window = [(row, column) for row in rows for column in columns]
        first = max(window, key=lambda at: maps[b, c][at])  # the first of equal ones
        lower = sorted(maps[b, c].ravel())[(height * width - 1) // 2]
        found[b, c, y, x] = first == (y, x) and maps[b, c, y, x] >= lower
    return found


@pytest.mark.parametrize('size', [(1, 1), (1, 6), (5, 4), (7, 8)])
@pytest.mark.parametrize('kernel_size', [3, 5])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_equals_a_loop_over_windows(size, kernel_size, layout):
    generator = torch.Generator().manual_seed(0)
    # Few levels: many ties.
    maps = torch.randint(-2, 3, (2, 3, *size), generator=generator).float()
    found = stimulation_peaks(maps.contiguous(memory_format=layout), kernel_size)
    np.testing.assert_array_equal(found, pixel_by_pixel(maps.numpy(), kernel_size))
    assert found.flatten(2).any(2).all()


def test_gradient_is_not_divided_by_the_number_of_peaks():
    maps = torch.tensor([[[[4.0, 1.0, 3.0, 0.0]]]], requires_grad=True)
    (2 * peak_stimulation(maps)).sum().backward()
    assert maps.grad.tolist() == [[[[2, 0, 2, 0]]]]


def test_a_flat_map_has_one_peak():
    peaks = stimulation_peaks(torch.zeros(1, 1, 4, 5))
    assert peaks.nonzero().tolist() == [[0, 0, 0, 0]]


def test_maps_without_pixels_are_refused():
    with pytest.raises(ValueError, match=r'maps: expected pixels, got shape \(1, 2, 0'):
        peak_stimulation(torch.zeros(1, 2, 0, 3))
    assert peak_stimulation(torch.zeros(0, 2, 4, 3)).shape == (0, 2)
