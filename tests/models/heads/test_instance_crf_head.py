"""The instance sub-network: golden labels, learned weights, memory of its gradients."""

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.models.heads import InstanceCRFHead
from mmwsis.ops import BilateralKernel, GaussianKernel, dense_crf, instance_unary
from mmwsis.ops.crf_kernels import kernel_filter

dense_crf_module = importlib.import_module('mmwsis.ops.dense_crf')

GOLDEN = Path(__file__).parents[2] / 'golden' / 'weak_panoptic'
NAMES = ('box', 'global_', 'position', 'colour')


def scene(dtype=torch.float64, detections=3):
    """Probabilities of 2 things and 2 stuff classes, detections and an image."""
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(4, 9, 12, generator=generator, dtype=dtype).softmax(0)
    boxes = torch.tensor([[0.0, 0, 6, 9], [5, 2, 11, 8], [1, 1, 4, 4]], dtype=dtype)
    image = torch.randint(256, (9, 12, 3), generator=generator, dtype=torch.uint8)
    return dict(
        probs=probs,
        labels=torch.tensor([0, 1, 0])[:detections],
        scores=torch.tensor([0.9, 0.6, 0.7], dtype=dtype)[:detections],
        boxes=boxes[:detections],
        image=image,
    )


@pytest.mark.parametrize('number', range(3))
def test_golden_without_pairwise_terms(number):
    data = np.load(GOLDEN / f'instance_unary_s{number}.npz')
    stuff, classes = int(data['n_dummy']), len(data['Q'])
    # There the classes of stuff are the first, here they are the last.
    order = [*range(stuff, classes), *range(stuff)]
    head = InstanceCRFHead(
        classes - stuff,
        stuff,
        *map(float, (data['w1'], data['w2'])),
        eps=float(data['eps']),
    )
    height, width = data['label'].shape
    found = head(
        torch.from_numpy(data['Q'][order]),
        torch.from_numpy(data['det_classes'][stuff:] - stuff),
        torch.from_numpy(data['det_scores'][stuff:]),
        torch.from_numpy(data['det_boxes'][stuff:]),
        torch.zeros(height, width, 3, dtype=torch.uint8),
        num_iters=0,
    )
    # The weights are float32.
    np.testing.assert_allclose(
        found.probs.detach(), data['prob_no_pairwise'], rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(found.probs.argmax(0), data['label'])
    expected = [order.index(label) for label in data['det_classes']]
    assert found.labels.tolist() == expected
    np.testing.assert_allclose(found.scores, data['det_scores'])


def test_it_is_the_crf_on_the_unaries():
    head = InstanceCRFHead(2, 2, 0.5, 2.0, dict(weight=2), dict(srgb=20), num_iters=3)
    assert {k: round(v.item(), 5) for k, v in head.weights.items()} == dict(
        zip(NAMES, (0.5, 2, 2, 5))
    )
    given = scene()
    found = head(**given)
    assert found.labels.tolist() == [2, 3, 0, 1, 0]
    assert found.scores.tolist() == [1, 1, 0.9, 0.6, 0.7]
    whole = given['boxes'].new_tensor([[0, 0, 12, 9]]).expand(2, 4)
    unary = instance_unary(
        *(given['probs'], found.labels, found.scores),
        torch.cat([whole, given['boxes']]),
        box_weight=0.5,
        global_weight=2.0,
    )
    kernels = [GaussianKernel(3, 2), BilateralKernel(60, 20, 5)]
    expected = dense_crf(unary, given['image'], kernels, 3)
    torch.testing.assert_close(found.probs, expected, rtol=0, atol=1e-6)


def test_without_detections_there_is_stuff():
    found = InstanceCRFHead(2, 2)(**scene(detections=0))
    assert found.labels.tolist() == [2, 3]
    torch.testing.assert_close(found.probs.sum(0), torch.ones_like(found.probs[0]))


@pytest.mark.parametrize('recompute', [False, True])
def test_gradients(recompute):
    head = InstanceCRFHead(2, 2, num_iters=2, recompute=recompute)
    head.double()
    given = scene()
    factors = torch.rand(5, 9, 12, dtype=torch.float64)

    def run(probs, *raw):
        for name, value in zip(NAMES, raw):
            delattr(head, name := f'raw_{name.strip("_")}_weight')
            setattr(head, name, value)
        return (head(**{**given, 'probs': probs}).probs * factors).sum()

    raw = [
        torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for value in (0.3, 0.5, 1.0, -0.5)
    ]
    assert torch.autograd.gradcheck(run, (given['probs'].requires_grad_(), *raw))


def kept(recompute):
    """Bytes that are kept for gradients of five updates."""
    head = InstanceCRFHead(2, 2, num_iters=5, recompute=recompute)
    given = scene(torch.float32)
    given['probs'].requires_grad_()
    storages = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        probs = head(**given).probs
    loss = probs[0].sum()
    loss.backward()
    return sum(storages.values()), given['probs'].grad


def test_recomputed_updates_give_the_same_with_less_memory():
    (more, expected), (less, found) = kept(False), kept(True)
    torch.testing.assert_close(found, expected)
    assert less < 0.6 * more


def test_gradients_reach_all_weights_under_autocast():
    head = InstanceCRFHead(2, 2)
    given = scene(torch.float32)
    with torch.autocast('cpu', torch.bfloat16):
        found = head(**{**given, 'probs': given['probs'].bfloat16()})
    assert found.probs.dtype == torch.float32
    found.probs[3].sum().backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad.isfinite() and parameter.grad != 0, name


@pytest.mark.parametrize('recompute', [False, True])
def test_the_lattices_of_an_image_are_built_once(monkeypatch, recompute):
    """One for each kernel, whatever the number of updates, and none in backward."""
    built = []

    def count(kernel, *given):
        built.append(type(kernel).__name__)
        return kernel_filter(kernel, *given)

    monkeypatch.setattr(dense_crf_module, 'kernel_filter', count)
    head = InstanceCRFHead(2, 2, num_iters=5, recompute=recompute)
    given = scene(torch.float32)
    given['probs'].requires_grad_()
    head(**given).probs[3].sum().backward()
    assert given['probs'].grad.any()
    assert built == ['GaussianKernel', 'BilateralKernel']
    with torch.no_grad():
        head(**given, num_iters=10)
    assert built == ['GaussianKernel', 'BilateralKernel'] * 2


@pytest.mark.parametrize(
    'settings, message',
    [
        (
            dict(num_stuff_classes=0),
            'num_stuff_classes: expected an integer >= 1, got 0',
        ),
        (dict(box_weight=0), r'box_weight: expected a number in \(0, inf\), got 0'),
        (dict(position=dict(weight=-1)), r'position.weight: expected a number'),
        (dict(colour=dict(sxy=0)), 'sxy: expected a number'),
        (dict(colour=dict(size=3)), 'size'),
        (dict(backend='fast'), "backend: expected one of 'lattice', 'exact'"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises((ValueError, TypeError), match=message):
        InstanceCRFHead(
            **{**dict(num_things_classes=2, num_stuff_classes=1), **settings}
        )
