"""Tiny arguments, and what turns classes and tuples into functions of keywords."""

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from mmwsis.models import heads
from mmwsis.ops import (
    BilateralKernel,
    DenseCRF,
    GaussianKernel,
    PermutohedralLattice,
    PointRetrieval,
    generate_proposals,
)
from mmwsis.ops.interior_points import interior_point
from mmwsis.ops.path_affinity import path_maxima


class Case(NamedTuple):
    """A valid call, and a call without elements with the shapes that it gives.

    Attributes:
        op: What is called, with keywords only.
        call: Makes the arguments.
        empty: Arguments that change for a call without elements; None for none.
        shapes: Shapes of its result, in order; None for those of no tensor.
        mute: Tensors whose wrong values the result hides by design; why stands there.
    """

    op: Callable
    call: Callable[[], dict[str, Any]]
    empty: Callable[[], dict[str, Any]] | None = None
    shapes: list[tuple[int, ...]] | None = None
    mute: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Every parameter with its value: the default, or that of the call."""
        given = {
            name: parameter.default
            for name, parameter in inspect.signature(self.op).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        return given | self.call()


def rand(*shape, seed=0):
    return (
        torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 0.98 + 0.01
    )


def ints(*shape, high=2, seed=0):
    return (rand(*shape, seed=seed) * high).long()


def zeros(*shape):
    return torch.zeros(shape)


def no_labels(*shape):
    return torch.zeros(shape, dtype=torch.int64)


def retrieval(batch=2):
    cells = rand(4, batch, 4, 4) > 0.5
    return PointRetrieval(*cells, *rand(2, batch, 4, 4))


def first_device(tree):
    """Device of the first tensor of a tree; the CPU if there is none."""
    tensors = (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))
    return next((tensor.device for tensor in tensors), 'cpu')


def module(cls, method='__call__'):
    """Build ``cls`` and call it; settings are its constructor's parameters."""
    settings = inspect.signature(cls.__init__).parameters

    def call(**arguments):
        own = {name: arguments.pop(name) for name in settings if name in arguments}
        torch.manual_seed(0)
        built = cls(**own)
        if isinstance(built, torch.nn.Module):
            built.to(first_device(arguments))
        return getattr(built, method)(**arguments)

    forward = inspect.signature(
        cls.forward if method == '__call__' else cls.__dict__[method]
    )
    merged = {**settings, **forward.parameters}
    merged.pop('self')
    merged.pop('init_cfg', None)
    call.__signature__ = inspect.Signature(
        [p.replace(kind=p.KEYWORD_ONLY) for p in merged.values()]
    )
    return call


def fields(cls, function, *names):
    """Call ``function`` on a tuple whose fields are arguments of their own."""

    def call(**arguments):
        own = {name: arguments.pop(name) for name in names}
        return function(cls(**own), **arguments)

    return call


def crf(sxy=3.0, srgb=20.0, weight=2.0, num_iters=2, *, unary, image):
    kernels = [GaussianKernel(sxy, weight), BilateralKernel(sxy, srgb, weight)]
    return DenseCRF(image, kernels).labels(unary, num_iters)


@functools.wraps(generate_proposals)
def generated(**arguments):
    found = generate_proposals(**arguments)
    return found.rles, found.scores


def lattice(lattice_features, values):
    return PermutohedralLattice(lattice_features).filter(values)


def points_case(function, not_read=(), **more):
    names = PointRetrieval._fields
    return Case(
        fields(PointRetrieval, function, *names),
        lambda: dict(retrieval()._asdict(), **more),
        lambda: dict(retrieval(0)._asdict()),
        mute=('score_fg', 'score_bg', *not_read),
    )


def point_loss_call():
    return dict(
        prob=rand(2, 8, 8),
        box_target=rand(2, 8, 8, seed=1),
        retrieval_before_dropout=retrieval(),
        retrieval_after_dropout=retrieval(),
    )


def point_loss_empty():
    return dict(
        prob=zeros(0, 8, 8),
        box_target=zeros(0, 8, 8),
        retrieval_before_dropout=retrieval(0),
        retrieval_after_dropout=retrieval(0),
    )


def relation_call():
    return dict(
        edge_logit=rand(2, 1, 4, 6),
        displacement=rand(2, 2, 4, 6),
        labels=ints(2, 4, 6),
        radius=2,
        num_classes=2,
    )


def levels(batch):
    sides = [(8, 6), (8, 6), (4, 3)]
    return [rand(batch, 4, *side, seed=i) for i, side in enumerate(sides)]


def level_head(cls, channels):
    """The head of three levels, each an argument of its own."""
    build = module(cls)

    def call(first, second, third, feat_channels=channels, num_groups=2, **more):
        if cls is heads.DisplacementHead:
            feat_channels, num_groups = (feat_channels,) * 3, (num_groups,) * 3
        return build(
            in_channels=(4, 4, 4),
            strides=(4, 4, 8),
            feat_channels=feat_channels,
            num_groups=num_groups,
            levels=[first, second, third],
        )

    names = ('first', 'second', 'third')
    return Case(
        call,
        lambda: dict(zip(names, levels(2))),
        lambda: dict(zip(names, levels(0))),
        [(0, 1 if cls is heads.BoundaryHead else 2, 8, 6)],
    )


def fcn8_head():
    """The head of one level, the only one of the features."""
    build = module(heads.FCN8Head)

    def call(features, out_channels, size):
        return build(
            in_channels=(4,), out_channels=out_channels, features=[features], size=size
        )

    return Case(
        call,
        lambda: dict(features=rand(2, 4, 3, 2), out_channels=3, size=(6, 5)),
        lambda: dict(features=zeros(0, 4, 3, 2)),
        [(0, 3, 6, 5)],
    )


def pixel_head():
    """The head of one level, the first of the features."""
    build = module(heads.PixelHead)

    def call(features, out_channels, feat_channels, kernel_size):
        return build(
            in_channels=4,
            out_channels=out_channels,
            feat_channels=feat_channels,
            kernel_size=kernel_size,
            features=[features],
        )

    return Case(
        call,
        lambda: dict(
            features=rand(2, 4, 3, 2), out_channels=3, feat_channels=5, kernel_size=3
        ),
        lambda: dict(features=zeros(0, 4, 3, 2)),
        [(0, 3, 3, 2)],
    )


def grid(batch=1):
    return dict(
        points=rand(batch, 4, 2) * 8,
        crop_boxes=torch.tensor([[0, 0, 10, 12]] * batch).view(batch, 4),
        flips=torch.zeros(batch, dtype=torch.bool),
        crop_size=16,
        patch_size=4,
        delta=1.0,
    )


def patches(batch=2):
    return dict(
        logits=rand(batch, 4, 4) - 0.5,
        box_masks=torch.ones(batch, 8, 8),
        crop_boxes=torch.tensor([[0, 0, 6, 7]] * batch).view(batch, 4),
        image_sizes=[(6, 8)] * batch,
        areas=torch.full((batch,), 42.0),
    )


def synthesis(classes=2):
    return dict(
        cams=rand(classes, 3, 4),
        labels=torch.arange(classes),
        edge=rand(1, 3, 4, seed=1),
        image_size=(10, 15),
    )


def mask():
    array = np.zeros((6, 7))
    array[1:4, 2:5] = array[5, 0] = 1
    return array


def uniform_point(mask, mode='uniform', offset=(0, 0)):
    return interior_point(mask, mode, np.random.default_rng(0), offset)


def all_maxima(values, radius):
    """The maxima of all directions; each overwrites the one before."""
    return [found.clone() for _, found in path_maxima(values, radius)]


def op(path):
    """Function of a module of ``mmwsis.ops``, as 'module.name'."""
    name, function = path.split('.')
    return getattr(importlib.import_module(f'mmwsis.ops.{name}'), function)


LOSS_TAIL = dict(loss_weight=2.0, reduction='mean', avg_factor=3.0)
MEAN_FIELD = dict(num_iters=5, zeta=0.3, low=0.1, high=0.9, kernel_size=3)
