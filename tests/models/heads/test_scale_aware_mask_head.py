"""ScaleAwareMaskHead against MAL's released code and a sample-by-sample loop."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from mmwsis.models.heads import ScaleAwareMaskHead

GOLDEN = Path(__file__).parents[2] / 'golden' / 'exits'


def released_head(data):
    feat_channels, in_channels = data['w_roi_head__mlp1__weight'].shape
    head = ScaleAwareMaskHead(
        in_channels, feat_channels, adjust_scale=bool(data['adjust_scale'])
    )
    state = {
        key[2:]
        .replace('__', '.')
        .replace('mask_head.', '')
        .replace('mlp1', '0')
        .replace('mlp2', '2'): torch.from_numpy(data[key])
        for key in data.files
        if key.startswith('w_')
    }
    head.load_state_dict(state)
    return head.eval()


@pytest.mark.parametrize('name', ['maskhead_51.npz', 'maskhead_52.npz'])
@torch.no_grad()
def test_golden(name):
    data = np.load(GOLDEN / name)
    box = data['bbox_xyxy'].astype(np.float64)
    areas = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
    actual = released_head(data)(torch.from_numpy(data['feat']), areas.tolist())
    expected = data['seg_logits'][:, 0]
    if data['adjust_scale']:
        # The released code forgets areas on the border of two bins: zeros.
        forgotten = np.isin(areas, (1024, 9216))
        assert forgotten.any() and not expected[forgotten].any()
        assert actual[torch.from_numpy(forgotten)].abs().min() > 0
        actual, expected = actual[torch.from_numpy(~forgotten)], expected[~forgotten]
    # 1e-4 relative, to the largest logit: no logit is held to more digits than float32
    # gives their sum.
    limit = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=limit)


@torch.no_grad()
def test_batch_equals_samples_one_by_one():
    head = ScaleAwareMaskHead(6, 4)
    features = torch.randn(5, 6, 8, 8)
    areas = [20000.0, 50.0, 5000.0, 1024.0, 9216.0]
    together = head(features, torch.tensor(areas))
    for index, area in enumerate(areas):
        one = features[index : index + 1]
        vector = head.roi_head(one.mean((2, 3)))[0]
        scale = 0.5 if area <= 1024 else 1 if area <= 9216 else 2
        pixels = F.interpolate(
            one, scale_factor=scale, mode='bilinear', align_corners=False
        )
        for conv in head.convs[:3]:
            pixels = conv(pixels)
        pixels = head.convs[3](F.interpolate(pixels, scale_factor=2, mode='bilinear'))
        logits = sum(vector[c] * pixels[:, c] for c in range(4))
        logits = F.interpolate(logits[None], size=(32, 32), mode='bilinear')[0, 0]
        torch.testing.assert_close(together[index], logits, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize('upsample_before', [0, 2])
def test_upsampling_moves(upsample_before):
    head = ScaleAwareMaskHead(6, 4, upsample_before=upsample_before)
    sides = []
    for conv in head.convs:
        conv.register_forward_hook(
            lambda _, inputs, __: sides.append(inputs[0].shape[-1])
        )
    assert head(torch.randn(1, 6, 8, 8), [5000.0]).shape == (1, 32, 32)
    assert sides == [8] * upsample_before + [16] * (4 - upsample_before)


@pytest.mark.parametrize('areas', [[50.0, 60.0], [5e4, 5e4], [50.0, 5e3]])
def test_every_parameter_learns_from_every_mix_of_sizes(areas):
    head = ScaleAwareMaskHead(6, 4)
    head(torch.randn(2, 6, 8, 8), areas).square().mean().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(
    'areas', [[1.0], [1.0, 2.0, 3.0], [1.0, -1.0], [1.0, float('nan')]]
)
def test_wrong_areas_are_refused(areas):
    with pytest.raises(ValueError, match='areas must be 2 box areas'):
        ScaleAwareMaskHead(6, 4)(torch.zeros(2, 6, 8, 8), areas)


def test_wrong_features_are_refused():
    with pytest.raises(ValueError, match=r'got shape \(2, 6, 8\)'):
        ScaleAwareMaskHead(6, 4)(torch.zeros(2, 6, 8), [1.0, 1.0])


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(upsample_before=4), 'index of one of the 4'),
        (dict(area_bins=(96, 32)), 'ascending'),
    ],
)
def test_wrong_settings_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ScaleAwareMaskHead(6, 4, **kwargs)


@pytest.mark.parametrize('seed', range(5))
def test_masks_start_as_the_whole_crop(seed):
    torch.manual_seed(seed)
    head = ScaleAwareMaskHead(96, 64, vector_bias=0.2)
    head.init_weights()
    logits = head(torch.randn(3, 96, 16, 16), [50.0, 500.0, 5000.0])
    assert (logits > 0).float().mean() > 0.95


def test_parameter_count_of_the_paper():
    count = sum(p.numel() for p in ScaleAwareMaskHead().parameters())
    assert round(count / 1e6, 2) == 3.80
