"""Similarity of patches from the features of a backbone."""

import copy
import math

import pytest
import torch

from mmwsis.models.labelers import FeatureSimilarity, feature_similarity
from mmwsis.ops import lacks_pseudo_points, retrieve_points
from mmwsis.registry import MODELS

BACKBONE = dict(
    type='mmdet.ResNet',
    depth=18,
    base_channels=8,
    stem_channels=8,
    out_indices=(0, 1, 2),
)


class Levels(torch.nn.Module):
    """A backbone that returns what it is given."""

    init_cfg = None

    def __init__(self, *levels):
        super().__init__()
        self.levels = levels

    def forward(self, images):
        return self.levels


@pytest.fixture
def similarity():
    torch.manual_seed(0)
    module = MODELS.build(
        dict(type='mmwsis.FeatureSimilarity', backbone=copy.deepcopy(BACKBONE))
    )
    module.init_weights()
    return module


def slow_similarity(levels, temperature):
    """One pair of patches after the other."""
    batch, _, rows, columns = levels[0].shape
    count = rows * columns
    result = torch.zeros(batch, count, count)
    for b in range(batch):
        for i in range(count):
            for j in range(count):
                cosines = []
                for level in levels:
                    flat = level[b].flatten(1).double()
                    flat = flat - flat.mean(1, keepdim=True)
                    dot = float(flat[:, i] @ flat[:, j])
                    cosines.append(dot / float(flat[:, i].norm() * flat[:, j].norm()))
                mean = sum(cosines) / len(cosines)
                result[b, i, j] = math.exp((mean - 1) / temperature)
    return result


def test_equals_the_slow_reference(similarity):
    torch.manual_seed(0)
    levels = [torch.rand(2, 5, 3, 4), torch.rand(2, 7, 3, 4)]
    similarity.backbone = Levels(*levels)
    similarity.temperature = 0.2
    result = similarity(torch.rand(2, 3, 24, 32))
    torch.testing.assert_close(result, slow_similarity(levels, 0.2))


def test_positive_symmetric_and_one_on_the_diagonal(similarity):
    result = similarity(torch.rand(2, 3, 64, 64))
    assert result.shape == (2, 64, 64)
    assert result.dtype == torch.float32
    assert (result > 0).all() and (result <= 1 + 1e-5).all()
    torch.testing.assert_close(result, result.transpose(1, 2))
    diagonal = result.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(diagonal, torch.ones_like(diagonal))


@pytest.mark.parametrize('thresholds', ['absolute', 'relative'])
def test_equal_patches_retrieve_no_point(similarity, thresholds):
    similarity.backbone = Levels(torch.ones(1, 5, 8, 8))
    result = similarity(torch.zeros(1, 3, 64, 64))
    assert result.unique().numel() == 1
    cells = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    cells[0, :, 2:6, 2:6] = True
    cells[1, :, 3, 3] = True
    points = retrieve_points(
        result, cells[1], cells[0], tau_fg=0.6, tau_bg=-0.2, thresholds=thresholds
    )
    assert lacks_pseudo_points(points).all()


def test_autocast_keeps_float32(similarity):
    images = torch.rand(1, 3, 64, 64)
    with torch.autocast('cpu', torch.bfloat16):
        result = similarity(images)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, similarity(images), atol=0.1, rtol=0.1)


def test_stays_frozen_whatever_is_asked_for(similarity):
    similarity.train()
    assert not any(module.training for module in similarity.modules())
    assert not any(p.requires_grad for p in similarity.parameters())
    before = copy.deepcopy(similarity.state_dict())
    similarity(torch.rand(2, 3, 64, 64))
    for name, value in similarity.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize(
    ('init_cfg', 'warned'),
    [(None, True), (dict(type='Pretrained', checkpoint='weights.pth'), False)],
)
def test_a_random_backbone_is_warned_of(monkeypatch, init_cfg, warned):
    messages = []
    monkeypatch.setattr(
        feature_similarity, 'print_log', lambda text, **kwargs: messages.append(text)
    )
    module = FeatureSimilarity(copy.deepcopy(BACKBONE))
    module.backbone = Levels()
    module.backbone.init_cfg = init_cfg
    module.init_weights()
    assert ['no pretrained weights' in text for text in messages] == [True] * warned


@pytest.mark.parametrize(
    ('settings', 'message'),
    [(dict(temperature=0), 'temperature'), (dict(patch_size=0), 'patch_size')],
)
def test_refuses_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        FeatureSimilarity(copy.deepcopy(BACKBONE), **settings)


def test_refuses_crops_that_the_grid_does_not_divide(similarity):
    with pytest.raises(ValueError, match='multiples of patch_size=8; got 60x60'):
        similarity(torch.rand(1, 3, 60, 60))
