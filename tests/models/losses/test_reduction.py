"""One convention of weighting and reduction for all losses of samples."""

import pytest
import torch

from mmwsis.models.losses.reduction import SampleLoss
from mmwsis.ops import PointRetrieval
from mmwsis.registry import MODELS

TYPES = ['ProjectionMILLoss', 'MeanFieldCRFLoss', 'ExtremePointLoss']


def inputs(kind, batch=3):
    generator = torch.Generator().manual_seed(0)
    prob, other, box = torch.rand(3, batch, 8, 8, generator=generator)
    if kind == 'ProjectionMILLoss':
        return prob, box
    if kind == 'MeanFieldCRFLoss':
        return torch.rand(batch, 3, 8, 8, generator=generator), prob, other, box
    cells = torch.rand(4, batch, 4, 4, generator=generator) > 0.5
    points = PointRetrieval(*cells, None, None)
    return prob, box, points, points


@pytest.mark.parametrize('kind', TYPES)
def test_every_registered_loss_follows_it(kind):
    config = dict(type=f'mmwsis.{kind}', loss_weight=2.0)
    given = inputs(kind)
    single = MODELS.build(dict(config, loss_weight=1.0, reduction='none'))(*given)
    assert single.shape == (3,)
    loss = MODELS.build(config)
    divisor = 3 + (1e-4 if kind == 'ProjectionMILLoss' else 0)
    assert torch.equal(loss(*given), 2.0 * single.sum() / divisor)
    assert torch.equal(loss(*given, avg_factor=7), 2.0 * single.sum() / 7)
    assert torch.equal(loss(*given, reduction_override='sum'), 2.0 * single.sum())
    assert torch.equal(loss(*given, reduction_override='none'), 2.0 * single)


@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
def test_empty_batch_keeps_the_graph(reduction):
    losses = torch.zeros(0, requires_grad=True)
    reduced = SampleLoss(reduction=reduction).reduce(losses)
    assert reduced.requires_grad and reduced.sum().item() == 0


def test_unknown_and_contradictory_arguments():
    with pytest.raises(ValueError, match=r"must be one of .*; got 'average'"):
        SampleLoss(reduction='average')
    with pytest.raises(ValueError, match='avg_factor cannot be used'):
        SampleLoss(reduction='sum').reduce(torch.ones(2), avg_factor=2)
