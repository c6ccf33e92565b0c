from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmwsis.ops import stride4_labels, stride4_size

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'


@pytest.mark.parametrize('name', ['64x64', '50x37'])
def test_golden(name):
    data = np.load(GOLDEN / f'label_quarter_{name}.npz')
    sampled = stride4_labels(torch.from_numpy(data['label']))
    assert sampled.dtype == torch.uint8
    assert np.array_equal(sampled.numpy(), data['out'])


def test_columns_by_hand():
    labels = torch.arange(16).expand(2, 8, 16)
    assert stride4_labels(labels)[0, 0].tolist() == [2, 6, 10, 14]
    assert stride4_labels(labels).shape == (2, 2, 4)


@given(height=st.integers(3, 90), width=st.integers(3, 90))
def test_equals_pillow(height, width):
    labels = np.arange(height * width, dtype=np.int32).reshape(height, width)
    size = round(width / 4), round(height / 4)
    expected = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
    sampled = stride4_labels(torch.from_numpy(labels))
    assert np.array_equal(sampled.numpy(), np.asarray(expected))


@pytest.mark.parametrize(
    ('image', 'grid'), [((375, 500), (94, 125)), ((1, 4), (1, 1)), ((5, 8), (2, 2))]
)
def test_size_of_the_grid(image, grid):
    assert stride4_size(image) == grid
