from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import peak_attention

GOLDEN = Path(__file__).parents[1] / 'golden' / 'bestie'
CASES = sorted(path.stem for path in GOLDEN.glob('pam_forward_*.npz'))


def with_gradient(features, alpha, upstream):
    features = features.clone().requires_grad_()
    out = peak_attention(features, alpha)
    out.backward(upstream)
    return out.detach(), features.grad


def one_channel_at_a_time(features, alpha):
    """Value and gradient of the sum, pixel by pixel."""
    out, grad = torch.zeros_like(features), torch.zeros_like(features)
    for image, channels in enumerate(features):
        for k, channel in enumerate(channels):
            bound = alpha * channel.clamp(min=0).max()
            for y, x in np.ndindex(*channel.shape):
                value = channel[y, x]
                if value > 0 and value >= bound:
                    out[image, k, y, x] = value
                    grad[image, k, y, x] = 1
    return out, grad


@pytest.mark.parametrize('name', CASES)
def test_golden(name):
    data = np.load(GOLDEN / f'{name}.npz')
    x, upstream = (torch.from_numpy(data[key]) for key in ('x', 'grad_out'))
    out, grad = with_gradient(x, float(data['alpha']), upstream)
    np.testing.assert_array_equal(out, data['y'])
    np.testing.assert_allclose(grad, data['grad_x'], rtol=0, atol=1e-6)


@pytest.mark.parametrize('alpha', [0, 0.3, 0.7, 1])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16])
def test_equals_one_channel_at_a_time(alpha, dtype):
    generator = torch.Generator().manual_seed(0)
    # Few levels: many ties with the bound and with the maximum.
    levels = torch.randint(-10, 11, (2, 4, 5, 6), generator=generator)
    features = (levels / 10).to(dtype)
    out, grad = with_gradient(features, alpha, torch.ones_like(features))
    expected = one_channel_at_a_time(features.float(), alpha)
    assert out.dtype == dtype
    assert torch.equal(out.float(), expected[0]) and torch.equal(
        grad.float(), expected[1]
    )


def test_by_hand():
    x = torch.tensor([[[[-1.0, 2.0], [1.4, 3.0]]]])
    for alpha, expected in (
        (0.7, [[0, 0], [0, 3]]),
        (0.5, [[0, 2], [0, 3]]),
        (0.4, [[0, 2], [1.4, 3]]),
        (0.0, x.relu()[0, 0].tolist()),
    ):
        assert torch.equal(peak_attention(x, alpha)[0, 0], torch.tensor(expected))
    _, grad = with_gradient(x, 0.5, torch.ones_like(x))
    assert grad[0, 0].tolist() == [[0, 1], [0, 1]]


def test_gradient_is_that_of_finite_differences():
    x = torch.rand(1, 2, 3, 4, dtype=torch.float64, generator=torch.Generator())
    x = (x - 0.3).requires_grad_()
    torch.autograd.gradcheck(lambda y: peak_attention(y, 0.6), x)


def test_autocast_decides_as_full_precision_does():
    conv = torch.nn.Conv2d(3, 8, 3)
    images = torch.rand(2, 3, 9, 9)
    with torch.autocast('cpu', torch.bfloat16):
        features = conv(images)
        out = peak_attention(features)
    assert features.dtype == out.dtype == torch.bfloat16
    assert torch.equal(out.float(), peak_attention(features.float()))


def test_nan_stays():
    x = torch.tensor([[[[1.0, torch.nan]], [[1.0, 0.5]]]])
    out = peak_attention(x)
    assert out[0, 0].isnan().any() and out[0, 1].tolist() == [[1, 0]]


@pytest.mark.parametrize('shape', [(0, 3, 4, 5), (2, 0, 4, 5), (2, 3, 0, 5)])
def test_nothing(shape):
    assert peak_attention(torch.zeros(shape)).shape == shape
    with pytest.raises(ValueError, match=r'alpha: expected a number in \[0, 1\]'):
        peak_attention(torch.zeros(shape), 1.1)
