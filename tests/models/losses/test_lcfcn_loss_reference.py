"""LCFCN's loss and its gradients against a plain form, blob by blob."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import find_boundaries, watershed

from mmwsis.models.losses import lcfcn_loss

BACKGROUND = 'loss_false_positive', 'loss_split', 'loss_global_split'
SIGMOID = (
    'loss_image_background',
    'loss_image_foreground',
    'loss_absent',
    'loss_point',
    *BACKGROUND,
)


def split(probability, points):
    """(H, W) boundaries between points, by the libraries alone."""
    if len(points) < 2:
        return np.zeros(probability.shape, dtype=bool)
    markers = np.zeros(probability.shape, dtype=np.int32)
    for number, (x, y) in enumerate(sorted(points, key=lambda p: p[::-1]), start=1):
        markers[y, x] = number
    surface = ndimage.black_tophat(probability, size=7)
    return find_boundaries(watershed(surface, markers))


def mean(cost, mask):
    return cost[torch.from_numpy(mask)].mean() if mask.any() else 0 * cost.sum()


def background_terms(cost, probability, mask, points, local, everywhere):
    """The three terms of one class, blob by blob; ``local`` is a function of n."""
    blobs, count = ndimage.label(mask, np.ones((3, 3)))
    terms = dict.fromkeys(('fp', 'split', 'global'), 0 * cost.sum())
    for number in range(1, count + 1):
        blob = blobs == number
        inside = [(x, y) for x, y in points if blob[y, x]]
        if not inside:
            terms['fp'] = terms['fp'] + mean(cost, blob)
        elif len(inside) > 1:
            boundary = split(probability, inside) & blob
            terms['split'] = terms['split'] + local(len(inside)) * mean(cost, boundary)
    terms['global'] = everywhere * mean(cost, split(probability, points))
    return terms['fp'], terms['split'], terms['global']


def plain_softmax(logits, points, labels):
    log_probabilities = logits.log_softmax(0)
    probabilities = log_probabilities.exp()
    best = probabilities.argmax(0).numpy()
    classes = [
        [tuple(p) for p, own in zip(points.tolist(), labels.tolist()) if own == label]
        for label in range(len(logits) - 1)
    ]
    image = sum(
        F.binary_cross_entropy(
            channel.flatten()[channel.argmax()], channel.new_tensor(float(present))
        )
        for channel, present in zip(probabilities, [True, *map(bool, classes)])
    )
    point = 0 * logits.sum() - sum(
        log_probabilities[label + 1, y, x]
        for label, own in enumerate(classes)
        for x, y in own
    )
    parts = [
        background_terms(
            -log_probabilities[0],
            probabilities[label + 1].detach().numpy(),
            best == label + 1,
            own,
            lambda n: n + 1,
            len(points),
        )
        for label, own in enumerate(classes)
    ]
    return image, point, *map(sum, zip(*parts))


def plain_sigmoid(logits, points, labels):
    totals = dict.fromkeys(SIGMOID, 0 * logits.sum())
    for label, channel in enumerate(logits):
        own = [
            tuple(p) for p, at in zip(points.tolist(), labels.tolist()) if at == label
        ]
        p = channel.sigmoid()
        zero, one = torch.zeros_like(p), torch.ones_like(p)
        as_background = F.binary_cross_entropy(p, zero, reduction='none')
        as_object = F.binary_cross_entropy(p, one, reduction='none')
        highest, lowest = channel.argmax(), channel.argmin()
        if not own and len(logits) > 1:
            found = dict(
                loss_absent=as_background.flatten()[highest] / len(logits),
            )
        else:
            found = dict(
                zip(
                    BACKGROUND,
                    background_terms(
                        as_background,
                        p.detach().numpy(),
                        (p > 0.5).numpy(),
                        own,
                        lambda n: n - 1,
                        len(own) - 1,
                    ),
                )
            )
            if len(own) < p.numel():
                found['loss_image_background'] = as_background.flatten()[lowest]
            if own:
                found['loss_image_foreground'] = as_object.flatten()[highest]
                found['loss_point'] = sum(as_object[y, x] for x, y in own)
        totals = {key: totals[key] + found.get(key, 0) for key in totals}
    return tuple(totals.values())


@st.composite
def scenes(draw):
    classes, height, width = draw(
        st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 14))
    )
    rng = np.random.default_rng(draw(st.integers(0, 9999)))
    shape = classes + 1, height, width
    # Integers: ties of classes, of extremes, and on the surfaces.
    ties = draw(st.booleans())
    logits = rng.integers(-2, 3, shape) if ties else rng.normal(0, 3, shape)
    if draw(st.booleans()):
        logits = ndimage.uniform_filter(logits.astype(float), (0, 5, 5))
    count = min(draw(st.integers(0, 9)), height * width)
    pixels = rng.choice(height * width, count, replace=False)
    points = np.stack([pixels % width, pixels // width], 1)
    labels = rng.integers(0, classes, count)
    return (
        torch.from_numpy(logits).double().requires_grad_(),
        torch.from_numpy(points),
        torch.from_numpy(labels),
    )


@settings(deadline=None, max_examples=60)
@given(scene=scenes(), form=st.sampled_from(['softmax', 'sigmoid']))
def test_values_and_gradients_are_those_of_the_blob_by_blob_form(scene, form):
    logits, points, labels = scene
    if form == 'sigmoid':
        logits = logits[1:].detach().requires_grad_()
    plain = plain_softmax if form == 'softmax' else plain_sigmoid
    expected = plain(logits, points, labels)
    terms = lcfcn_loss(logits, points, labels, form)
    close = dict(rtol=0, atol=1e-9)
    for found, other in zip(terms.values(), expected, strict=True):
        torch.testing.assert_close(found, other, **close)
        gradients = [
            torch.autograd.grad(one, logits, retain_graph=True)[0]
            for one in (found, other)
        ]
        torch.testing.assert_close(*gradients, **close)


@pytest.mark.parametrize('form', ['softmax', 'sigmoid'])
def test_gradients_are_the_differences_of_values(form):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(3, 4, 5, generator=generator, dtype=torch.float64)
    points = torch.tensor([[1, 1], [4, 2], [0, 3], [2, 3]])
    labels = torch.tensor([0, 0, 0, 1])

    def total(values):
        return sum(lcfcn_loss(values, points, labels, form).values())

    assert torch.autograd.gradcheck(total, logits.requires_grad_())
