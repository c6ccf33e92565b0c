"""LCFCN's loss: golden cases, examples by hand, corner cases."""

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage.segmentation import watershed

from mmwsis.models.losses import LCFCNLoss, lcfcn_loss
from mmwsis.ops import background_weights
from mmwsis.registry import MODELS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'wise'
SOFTMAX = dict(
    loss_image='image',
    loss_point='point',
    loss_false_positive='fp',
    loss_split='split',
    loss_global_split='global_split',
)
SIGMOID = dict(
    loss_image_background='image_bg',
    loss_image_foreground='image_fg',
    loss_absent='absent',
    loss_point='point',
    loss_false_positive='fp',
    loss_split='split_local',
    loss_global_split='split_global',
)


def load(name):
    """Logits, points, labels and the rest of a golden file."""
    golden = dict(np.load(GOLDEN / f'lcfcn_{name}.npz'))
    clicked = torch.from_numpy(golden['points'])
    pixels = clicked.nonzero()
    logits = torch.from_numpy(golden['logits'])
    logits = logits if logits.ndim == 3 else logits[None]
    labels = clicked[tuple(pixels.T)] - 1
    return logits.requires_grad_(), pixels.flip(1), labels, golden


def assert_loss(value, expected):
    assert abs(value.item() - float(expected)) <= 1e-4 * abs(float(expected))


def assert_gradient(loss, logits, expected):
    (found,) = torch.autograd.grad(loss, logits, retain_graph=True)
    expected = torch.from_numpy(expected).view_as(found)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    'name', ['a', 'b', 'c_20cls', 'd_empty', 'e_onepoint', 'f_manyperblob']
)
def test_golden_softmax_form(name):
    *scene, golden = load(f'softmax_{name}')
    terms = lcfcn_loss(*scene)
    assert list(terms) == list(SOFTMAX)
    for key, other in SOFTMAX.items():
        assert_loss(terms[key], golden[f'loss_{other}'])
        if f'grad_{other}' in golden:
            assert_gradient(terms[key], scene[0], golden[f'grad_{other}'])
    total = sum(terms.values())
    assert_loss(total, golden['loss_total'])
    assert_gradient(total, scene[0], golden['grad_total'])


@pytest.mark.parametrize('name', ['a', 'b_empty', 'c_merged'])
def test_golden_sigmoid_form(name):
    *scene, golden = load(f'sigmoid_{name}')
    terms = lcfcn_loss(*scene, form='sigmoid')
    assert list(terms) == list(SIGMOID)
    assert terms['loss_absent'] == 0
    for key, other in SIGMOID.items():
        assert_loss(terms[key], golden.get(f'loss_{other}', 0))
    total = sum(terms.values())
    assert_loss(total, golden['loss_total'])
    assert_gradient(total, scene[0], golden['grad_total'])


def test_golden_sigmoid_form_of_several_classes():
    logits, points, labels, golden = load('sigmoid_multiclass_a')
    terms = lcfcn_loss(logits, points, labels, form='sigmoid')
    for key, other in SIGMOID.items():
        assert_loss(terms[key], golden[f'loss_{other}'].sum())
    total = sum(terms.values())
    assert_loss(total, golden['loss_total'])
    assert_gradient(total, logits, golden['grad_total'])
    present = labels.unique().tolist()
    assert 1 < len(present) < len(logits)
    for label in present:
        own = labels == label
        alone = logits[label, None], points[own], torch.zeros_like(labels[own])
        for key, value in lcfcn_loss(*alone, form='sigmoid').items():
            assert_loss(value, golden[f'loss_{SIGMOID[key]}'][label])


def example():
    """One point on one of two blobs, as probabilities of the class."""
    probability = torch.full((3, 4), 0.2, dtype=torch.float64)
    probability[1, 1], probability[1, 3] = 0.8, 0.7
    return probability, torch.tensor([[1, 1]]), torch.tensor([0])


def two_channels(probability):
    return torch.stack([1 - probability, probability]).log()


def test_one_point_by_hand():
    probability, *point = example()
    terms = lcfcn_loss(two_channels(probability), *point)
    assert terms['loss_image'].item() == pytest.approx(-2 * np.log(0.8))
    assert terms['loss_point'].item() == pytest.approx(-np.log(0.8))
    assert terms['loss_false_positive'].item() == pytest.approx(-np.log(0.3))
    assert terms['loss_split'] == terms['loss_global_split'] == 0
    assert sum(terms.values()).item() == pytest.approx(1.873403, abs=1e-6)
    terms = lcfcn_loss(probability.logit()[None], *point, form='sigmoid')
    assert sum(terms.values()).item() == pytest.approx(1.873403, abs=1e-6)


def test_two_points_by_hand():
    """A row of nine pixels: the boundary is pixels 4 and 5, and only 5 is of a blob."""
    probability = torch.full((1, 9), 0.9, dtype=torch.float64)
    probability[0, 4] = 0.2
    points, labels = torch.tensor([[1, 0], [7, 0]]), torch.tensor([0, 0])
    terms = lcfcn_loss(two_channels(probability), points, labels)
    both = -(np.log(0.8) + np.log(0.1)) / 2
    assert terms['loss_global_split'].item() == pytest.approx(2 * both)
    assert terms['loss_split'] == 0  # two blobs of one point each
    points[1, 0] = 8
    points[0, 0] = 6  # now in one blob, the boundary between them at 7 and 8
    for offset in (None, 1, 0, -1):
        terms = lcfcn_loss(
            two_channels(probability), points, labels, local_split_offset=offset
        )
        factor = 3 if offset is None else 2 + offset
        assert terms['loss_split'].item() == pytest.approx(-factor * np.log(0.1))
        terms = lcfcn_loss(probability.logit()[None], points, labels, 'sigmoid', offset)
        factor = 1 if offset is None else 2 + offset
        assert terms['loss_split'].item() == pytest.approx(-factor * np.log(0.1))


@pytest.mark.parametrize('form', ['softmax', 'sigmoid'])
def test_an_image_without_points_has_no_objects_to_find(form):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 9, 8, generator=generator).requires_grad_()
    none = torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    terms = lcfcn_loss(logits, *none, form)
    zero = {'loss_point', 'loss_split', 'loss_global_split'}
    if form == 'sigmoid':
        zero = {*terms} - {'loss_absent'}
    assert {name for name, value in terms.items() if not value} == zero
    for value in terms.values():  # the graph is kept, so that ranks do not hang
        value.backward(retain_graph=True)
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize('size', [(3, 4), (1, 1), (1, 9)])
def test_a_blob_of_the_whole_image_without_a_point_is_one_false_positive(size):
    logits = torch.zeros(3, *size)
    logits[1] = 1 + torch.rand(size, generator=torch.Generator().manual_seed(0))
    none = torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)
    cost = -logits.log_softmax(0)[0]
    found = lcfcn_loss(logits, *none)['loss_false_positive']
    torch.testing.assert_close(found, cost.mean())
    # A point of another class does not make it right.
    point = torch.tensor([[0, 0]]), torch.tensor([1])
    assert lcfcn_loss(logits, *point)['loss_false_positive'] == found
    # In the form of maps of their own, the only class.
    found = lcfcn_loss(logits[1:2], *none, 'sigmoid')['loss_false_positive']
    torch.testing.assert_close(found, F.softplus(logits[1]).mean())


def test_a_blob_of_the_whole_image_is_split_like_any_other():
    logits = torch.zeros(2, 5, 7, dtype=torch.float64)
    logits[1] = np.log(9)
    points, labels = torch.tensor([[1, 2], [5, 2]]), torch.tensor([0, 0])
    terms = lcfcn_loss(logits, points, labels)
    assert terms['loss_false_positive'] == 0
    assert terms['loss_split'].item() == pytest.approx(3 * np.log(10))
    assert terms['loss_global_split'].item() == pytest.approx(2 * np.log(10))


def test_of_equal_pixels_and_channels_the_first_counts():
    logits = torch.zeros(3, 2, 3, requires_grad=True)
    point = torch.tensor([[2, 1]]), torch.tensor([1])
    terms = lcfcn_loss(logits, *point)
    # Background is as likely as the classes: no blob, so nothing to take back.
    assert terms['loss_false_positive'] == 0
    (gradient,) = torch.autograd.grad(terms['loss_image'], logits)
    assert gradient.abs().sum(0).nonzero().tolist() == [[0, 0]]
    # Of two equal classes the lower has the blob, and the point of the other.
    logits = torch.stack([logits[0] - 1, *logits[1:]])
    assert lcfcn_loss(logits, *point)['loss_false_positive'] > 0


def test_watersheds_run_for_classes_with_several_points_alone(monkeypatch):
    calls = []
    module = sys.modules['mmwsis.ops.watershed_boundaries']
    monkeypatch.setattr(
        module, 'watershed', lambda *args: calls.append(args) or watershed(*args)
    )
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(21, 30, 40, generator=generator)
    points = torch.tensor([[3 * i, 2 * i] for i in range(12)])
    lcfcn_loss(logits, points, torch.arange(12))
    assert not calls
    labels = torch.tensor([4, 4, 4, 7, 7, 1, 2, 3, 5, 6, 8, 9])
    lcfcn_loss(logits, points, labels)
    assert len(calls) == 2
    # A blob with all points of its class needs no watershed of its own.
    logits[5] += 50
    lcfcn_loss(logits, points, labels)
    assert len(calls) == 4


def test_twenty_classes_with_eighty_blobs():
    """Each blob without a point weighs as much as any other, whatever its size."""
    cells = torch.arange(80).view(8, 10)
    class_map = (cells % 20 + 1).repeat_interleave(4, 0).repeat_interleave(5, 1)
    class_map[3::4], class_map[:, 4::5] = 0, 0
    points, labels = torch.tensor([[1, 1], [6, 5]]), torch.tensor([0, 11])
    weights = background_weights(class_map, torch.rand(20, 32, 50), points, labels)
    assert weights[0].sum().item() == pytest.approx(78)
    assert weights[0][:3, :4].sum() == weights[0][4:7, 5:9].sum() == 0
    assert weights[1:].sum() == 0


def test_points_on_one_pixel_are_one_point_or_no_point_at_all():
    logits = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
    points = torch.tensor([[4, 1], [2, 3], [4, 1]])
    with pytest.warns(UserWarning, match='1 of 3 points left out'):
        merged = lcfcn_loss(logits, points, torch.tensor([1, 0, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        alone = lcfcn_loss(logits, points[:2], torch.tensor([1, 0]))
    assert merged == alone
    with pytest.raises(ValueError, match=r'got 0 and 2 of classes 1 and 0 on \(4, 1\)'):
        lcfcn_loss(logits, points, torch.tensor([1, 0, 0]))


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(points=[[6, 0]]), r'points, x: expected integers in \[0, 5\], got 6'),
        (dict(points=[[0, -1]]), r'points, y: expected integers in \[0, 4\], got -1'),
        (dict(labels=[2]), r'labels: expected integers in \[0, 1\], got 2 to 2'),
        (dict(labels=[0, 1]), r'labels: expected shape \(1\), got \(2,\)'),
        (dict(form='tanh'), "form: expected 'softmax' or 'sigmoid', got 'tanh'"),
        (dict(local_split_offset=-2), 'local_split_offset: expected an integer >= -1'),
        (dict(logits=[[[0.0]]]), r'logits: expected a class and a pixel, got \(1, 1'),
        (dict(logits=[[[]]] * 3), r'logits: expected a class and a pixel'),
    ],
)
def test_what_cannot_be_meant_is_refused(change, message):
    call = dict(logits=torch.zeros(3, 5, 6), points=[[0, 0]], labels=[0]) | change
    for name in ('logits', 'points', 'labels'):
        call[name] = torch.as_tensor(call[name])
    with pytest.raises(ValueError, match=message):
        lcfcn_loss(**call)


@pytest.mark.parametrize('bad', [torch.nan, torch.inf])
def test_a_diverged_network_is_refused_before_blobs_are_taken(bad):
    logits = torch.zeros(3, 5, 6)
    logits[1, 2, 3] = bad
    with pytest.raises(ValueError, match='finite numbers.* The network has diverged'):
        lcfcn_loss(logits, torch.tensor([[0, 0]]), torch.tensor([0]))


@pytest.mark.parametrize('scale', [1e4, 1e30])
@pytest.mark.parametrize('form', ['softmax', 'sigmoid'])
def test_certain_networks_have_finite_losses_and_gradients(form, scale):
    generator = torch.Generator().manual_seed(0)
    logits = scale * torch.randn(3, 6, 7, generator=generator)
    logits.requires_grad_()
    points, labels = torch.tensor([[1, 1], [4, 4]]), torch.tensor([0, 0])
    total = sum(lcfcn_loss(logits, points, labels, form).values())
    total.backward()
    assert total.isfinite() and logits.grad.isfinite().all()


def test_module_is_registered_and_computes_in_full_precision():
    loss = MODELS.build(dict(type='mmwsis.LCFCNLoss', local_split_offset=0))
    assert isinstance(loss, LCFCNLoss) and loss.local_split_offset == 0
    assert LCFCNLoss('sigmoid').local_split_offset == -1
    logits, points, labels, _ = load('softmax_a')
    half = logits.detach().half()
    with torch.autocast('cpu'):
        terms = loss(half, points, labels)
    expected = lcfcn_loss(half.float(), points, labels, local_split_offset=0)
    assert terms == expected
    assert all(term.dtype == torch.float32 for term in terms.values())
