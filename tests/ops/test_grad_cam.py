from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mmwsis.ops import grad_cam, gradcam_label_map

GOLDEN = Path(__file__).parents[1] / 'golden' / 'weak_panoptic'
MERGES = sorted(GOLDEN.glob('gradcam_merge_*.npz'))


def test_golden_map_of_a_linear_classifier():
    data = {
        key: torch.from_numpy(value)
        for key, value in np.load(GOLDEN / 'gradcam_linear_s.npz').items()
    }
    features = data['features'].requires_grad_()
    logits = F.linear(features.mean((1, 2)), data['weight'], data['bias'])
    np.testing.assert_allclose(logits.detach(), data['logits'], rtol=0, atol=1e-6)
    gradients = [
        torch.autograd.grad(logit, features, retain_graph=True)[0] for logit in logits
    ]
    cam = grad_cam(features.detach(), torch.stack(gradients))
    np.testing.assert_allclose(cam, data['cam'], rtol=0, atol=1e-6)


@pytest.mark.parametrize('path', MERGES, ids=lambda path: path.stem)
def test_golden_label_maps(path):
    data = np.load(path)
    heat, tags, labels = (
        torch.from_numpy(data[key]) for key in ('heat', 'tags', 'class_ids')
    )
    # The classes that the image does not have are left out.
    found = gradcam_label_map(heat[tags], labels[tags], float(data['threshold']))
    np.testing.assert_array_equal(found, data['label'])


def test_all_golden_label_maps_are_there():
    assert len(MERGES) == 4


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 9999),
    classes=st.integers(0, 4),
    threshold=st.sampled_from([0.0, 0.15, 0.5, 1.0]),
)
def test_the_smallest_class_wins(seed, classes, threshold):
    rng = np.random.default_rng(seed)
    # Few values: equal areas and equal heat.
    heat = rng.choice([-1, 0, 0.5, 1], (classes, 3, 4)).astype(np.float32)
    expected = np.full((3, 4), 255)
    masks = []
    for values in np.maximum(heat, 0):
        masks.append((values >= threshold * values.max()) & (values.max() > 0))
    for row, column in np.ndindex(3, 4):
        over = [(m.sum(), c) for c, m in enumerate(masks) if m[row, column]]
        if over:
            expected[row, column] = min(over)[1]
    found = gradcam_label_map(torch.from_numpy(heat), torch.arange(classes), threshold)
    np.testing.assert_array_equal(found, expected)
