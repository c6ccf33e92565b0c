"""One tiny valid call of every public operation, loss and head."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from mmwsis import ops
from mmwsis.models import heads, losses
from mmwsis.models.labelers import patch_grid
from mmwsis.ops import (
    BestChannels,
    BilateralKernel,
    DenseCRF,
    GaussianKernel,
    InstanceMap,
    PermutohedralLattice,
    PointRetrieval,
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


def module(cls, method='__call__'):
    """Build ``cls`` and call it; settings are its constructor's parameters."""
    settings = inspect.signature(cls.__init__).parameters

    def call(**arguments):
        own = {name: arguments.pop(name) for name in settings if name in arguments}
        torch.manual_seed(0)
        return getattr(cls(**own), method)(**arguments)

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

CASES = {
    'DenseCRF': Case(
        crf,
        lambda: dict(unary=rand(3, 4, 5), image=rand(4, 5, 3, seed=1) * 255),
        lambda: dict(unary=zeros(0, 3, 4, 5), image=zeros(0, 4, 5, 3)),
        [(0, 4, 5)],
    ),
    'GaussianKernel': Case(GaussianKernel, lambda: dict(sxy=1.5, weight=2.0)),
    'BilateralKernel': Case(
        BilateralKernel, lambda: dict(sxy=1.5, srgb=2.5, weight=2.0)
    ),
    'PermutohedralLattice': Case(
        lattice,
        lambda: dict(lattice_features=rand(2, 5, 2), values=rand(2, 5, 3, seed=1)),
        lambda: dict(lattice_features=zeros(0, 5, 2), values=zeros(0, 5, 3)),
        [(0, 5, 3)],
    ),
    'affinity_walk': Case(
        ops.affinity_walk,
        lambda: dict(x=rand(2, 4, 5), edge=rand(1, 4, 5), num_steps=7),
        lambda: dict(x=zeros(0, 4, 5)),
        [(0, 4, 5)],
    ),
    'best_channels': Case(
        ops.best_channels,
        lambda: dict(maps=rand(2, 3, 4), image_size=(10, 15)),
        lambda: dict(maps=zeros(0, 3, 4)),
        [(10, 15), (10, 15)],
    ),
    'box_cells': Case(
        ops.box_cells,
        lambda: dict(box_mask=rand(2, 8, 8).round(), patch_size=4),
        lambda: dict(box_mask=zeros(0, 8, 8)),
        [(0, 2, 2)],
    ),
    'cells_to_grid': Case(
        ops.cells_to_grid,
        lambda: dict(rows=ints(2, 4, high=5), cols=ints(2, 4, high=5), grid_size=5),
        lambda: dict(rows=no_labels(2, 0), cols=no_labels(2, 0)),
        [(2, 5, 5)],
    ),
    'centroid_instance_map': Case(
        ops.centroid_instance_map,
        lambda: dict(displacement=rand(2, 4, 5) * 4 - 2, num_updates=9),
        lambda: dict(displacement=zeros(2, 0, 5)),
        [(0, 5), None],
    ),
    'combine_logits': Case(
        ops.combine_logits,
        lambda: dict(
            student=rand(2, 3, 4),
            teacher=rand(2, 3, 4, seed=1),
            student_flipped=rand(2, 3, 4, seed=2),
            teacher_flipped=rand(2, 3, 4, seed=3),
            weights='mixed',
            flip=True,
        ),
        lambda: dict.fromkeys(
            ('student', 'teacher', 'student_flipped', 'teacher_flipped'),
            zeros(0, 3, 4),
        ),
        [(0, 3, 4)],
    ),
    'crf_refine_labels': Case(
        ops.crf_refine_labels,
        lambda: dict(
            image=rand(4, 5, 3) * 255, labels=ints(4, 5), num_labels=2, num_iters=2
        ),
        lambda: dict(labels=no_labels(0, 4, 5)),
        [(0, 4, 5)],
    ),
    'crop_mask_patches': Case(ops.crop_mask_patches, patches, lambda: patches(0), []),
    'dense_crf': Case(
        ops.dense_crf,
        lambda: dict(
            unary=rand(3, 4, 5), image=rand(4, 5, 3) * 255, kernels='irnet', num_iters=2
        ),
        lambda: dict(unary=zeros(0, 3, 4, 5)),
        [(0, 3, 4, 5)],
    ),
    'drop_points': points_case(
        lambda points, rate: ops.drop_points(
            points, rate, torch.Generator().manual_seed(0)
        ),
        ('init_fg', 'init_bg'),
        rate=0.5,
    ),
    'encode_filled_box': Case(
        lambda image_size, x=1.0, y=1.5, w=3.0, h=0.5: ops.encode_filled_box(
            [x, y, w, h], image_size
        ),
        lambda: dict(image_size=(6, 9)),
    ),
    'filled_box_span': Case(
        lambda image_size, x=1.0, y=1.5, w=3.0, h=0.5: ops.filled_box_span(
            [x, y, w, h], image_size
        ),
        lambda: dict(image_size=(6, 9)),
    ),
    'encode_patch': Case(
        ops.encode_patch,
        lambda: dict(mask=mask(), x=1, y=2, image_size=(20, 21)),
        lambda: dict(mask=np.zeros((0, 4))),
        [None] * 3,
    ),
    'extreme_points_to_cells': Case(
        ops.extreme_points_to_cells,
        grid,
        lambda: grid(0),
        [(0, 4, 2), (0, 4), (0, 4)],
    ),
    'instance_channels': Case(
        fields(
            InstanceMap,
            lambda instances, cams: ops.instance_channels(cams, instances),
            'ids',
            'count',
        ),
        lambda: dict(cams=rand(2, 3, 4), ids=ints(3, 4), count=2),
        lambda: dict(cams=zeros(0, 3, 4)),
        [(0, 3, 4)],
    ),
    'lacks_pseudo_points': points_case(ops.lacks_pseudo_points, ('init_fg', 'init_bg')),
    'mean_field_refine': Case(
        ops.mean_field_refine,
        lambda: dict(
            image=rand(2, 3, 4, 5),
            prob=rand(2, 4, 5, seed=1),
            target=rand(2, 4, 5, seed=2),
            num_iters=5,
            zeta=0.3,
        ),
        lambda: dict(
            image=zeros(0, 3, 4, 5), prob=zeros(0, 4, 5), target=zeros(0, 4, 5)
        ),
        [(0, 4, 5), (0, 4, 5)],
    ),
    'merge_aug_cams': Case(
        lambda small, large, image_size, cell=4: ops.merge_aug_cams(
            [small, large], image_size, cell
        ),
        lambda: dict(
            small=rand(2, 2, 2, 3), large=rand(2, 2, 4, 6, seed=1), image_size=(7, 10)
        ),
        lambda: dict(small=zeros(2, 0, 2, 3), large=zeros(2, 0, 4, 6)),
        [(0, 2, 3), (0, 7, 10)],
    ),
    'merge_aug_relations': Case(
        ops.merge_aug_relations,
        lambda: dict(
            edge_logit=rand(2, 1, 4, 5),
            displacement=rand(1, 2, 4, 5),
            grid_size=(3, 4),
        ),
        lambda: dict(grid_size=(0, 4)),
        [(1, 0, 4), (2, 0, 4)],
    ),
    'path_affinity': Case(
        ops.path_affinity,
        lambda: dict(edge=rand(2, 1, 4, 6), radius=2),
        lambda: dict(edge=zeros(0, 1, 4, 6)),
        [(0, 4, 12)],
    ),
    'pixel_directions': Case(ops.pixel_directions, lambda: dict(radius=3)),
    'pixel_paths': Case(ops.pixel_paths, lambda: dict(radius=3)),
    'propagation_scores': Case(
        ops.propagation_scores,
        lambda: dict(
            similarity=rand(2, 4, 4),
            seeds=rand(2, 3, 4),
            row_scale=rand(2, 4),
            col_scale=rand(2, 4),
        ),
        lambda: dict(
            similarity=zeros(0, 4, 4),
            seeds=zeros(0, 3, 4),
            row_scale=zeros(0, 4),
            col_scale=zeros(0, 4),
        ),
        [(0, 3, 4)],
    ),
    'refine_centroids': Case(
        ops.refine_centroids,
        lambda: dict(displacement=rand(2, 4, 5) * 4 - 2, num_updates=9),
        lambda: dict(displacement=zeros(2, 4, 0)),
        [(2, 4, 0)],
    ),
    'retrieve_points': Case(
        ops.retrieve_points,
        lambda: dict(
            similarity=rand(2, 9, 9),
            init_fg=rand(2, 3, 3) > 0.8,
            in_box=rand(2, 3, 3) > 0.3,
        ),
        lambda: dict(
            similarity=zeros(0, 9, 9),
            init_fg=zeros(0, 3, 3).bool(),
            in_box=zeros(0, 3, 3).bool(),
        ),
        [(0, 3, 3)] * 6,
    ),
    'sinkhorn_scaling': Case(
        ops.sinkhorn_scaling,
        lambda: dict(similarity=rand(2, 4, 4)),
        lambda: dict(similarity=zeros(2, 0, 0)),
        [(2, 0), (2, 0)],
    ),
    'source_window': Case(
        ops.source_window, lambda: dict(radius=3, height=9, width=11)
    ),
    'split_components': Case(
        fields(
            BestChannels,
            lambda best, labels, min_area: ops.split_components(
                best, labels, None, min_area
            ),
            'index',
            'score',
        ),
        lambda: dict(
            index=ints(4, 5, high=3), score=rand(4, 5), labels=ints(2), min_area=0.1
        ),
        lambda: dict(index=no_labels(4, 5), labels=no_labels(0)),
        [(0,), (0, 4, 5), (0,), None],
    ),
    'stride4_labels': Case(
        ops.stride4_labels,
        lambda: dict(labels=rand(2, 8, 9)),
        lambda: dict(labels=zeros(0, 8, 9)),
        [(0, 2, 2)],
        mute=('labels',),  # most pixels are not read
    ),
    'stride4_size': Case(ops.stride4_size, lambda: dict(image_size=(5, 6))),
    'synthesize_instances': Case(
        ops.synthesize_instances,
        lambda: dict(synthesis(), displacement=rand(2, 3, 4), num_steps=5),
        lambda: synthesis(0),
        [(0,), (0, 10, 15), (0,), None],
    ),
    'synthesize_semantics': Case(
        ops.synthesize_semantics,
        lambda: dict(synthesis(), num_steps=5),
        lambda: synthesis(0),
        [(10, 15)],
    ),
    'unary_from_labels': Case(
        ops.unary_from_labels,
        lambda: dict(labels=ints(4, 5), num_labels=2, ignore_index=-3),
        lambda: dict(labels=no_labels(0, 4, 5)),
        [(0, 2, 4, 5)],
    ),
    'unary_from_probabilities': Case(
        ops.unary_from_probabilities,
        lambda: dict(prob=rand(2, 4, 5)),
        lambda: dict(prob=zeros(0, 4, 5)),
        [(0, 4, 5)],
    ),
    'threshold_argmax': Case(
        op('relation_labels.threshold_argmax'),
        lambda: dict(maps=rand(2, 4, 5), threshold=0.4),
        lambda: dict(maps=zeros(0, 4, 5)),
        [(4, 5)],
    ),
    'relation_labels': Case(
        op('relation_labels.relation_labels'),
        lambda: dict(
            image=rand(4, 5, 3) * 255, maps=rand(2, 4, 5), labels=torch.tensor([3, 9])
        ),
        lambda: dict(maps=zeros(0, 4, 5), labels=no_labels(0)),
        [(4, 5)],
    ),
    'combine_confident_labels': Case(
        op('relation_labels.combine_confident_labels'),
        lambda: dict(foreground=ints(4, 5), background=ints(4, 5, seed=1)),
        lambda: dict(foreground=no_labels(0, 5), background=no_labels(0, 5)),
        [(0, 5)],
    ),
    'label_components': Case(
        op('connected_components.label_components'),
        lambda: dict(mask=mask()),
        lambda: dict(mask=np.zeros((0, 4))),
        [(0, 4), None],
    ),
    'count_components': Case(
        op('connected_components.count_components'),
        lambda: dict(mask=mask(), min_area=2),
        lambda: dict(mask=np.zeros((0, 4))),
        [None],
    ),
    'is_separated': Case(
        op('connected_components.is_separated'),
        lambda: dict(gt=mask(), min_area=1),
        lambda: dict(gt=np.zeros((0, 4))),
        [None],
    ),
    'extreme_points_from_mask': Case(
        op('extreme_points.extreme_points_from_mask'), lambda: dict(mask=mask())
    ),
    'extreme_points_from_polygons': Case(
        lambda corners, cyclic=False: op('extreme_points.extreme_points_from_polygons')(
            [corners], cyclic
        ),
        lambda: dict(corners=np.array([[3.0, 1.0], [7.0, 4.0], [2.0, 9.0]])),
    ),
    'interior_point': Case(uniform_point, lambda: dict(mask=mask())),
    'flat_pairs': Case(
        lambda radius: op('path_affinity.flat_pairs')((1, 5, 6), radius),
        lambda: dict(radius=2),
    ),
    'path_maxima': Case(
        all_maxima,
        lambda: dict(values=rand(1, 4, 6), radius=2),
    ),
    'rank_pixels': Case(
        op('path_affinity.rank_pixels'),
        lambda: dict(edge=rand(2, 4, 6), leftward=False),
        lambda: dict(edge=zeros(0, 4, 6)),
        [(0, 4, 6)],
        mute=('edge',),  # of the loss, whose logarithms show it
    ),
    'directions_by_side': Case(
        op('pixel_paths.directions_by_side'), lambda: dict(radius=3)
    ),
    'path_runs': Case(op('pixel_paths.path_runs'), lambda: dict(radius=3)),
    'mean_field_marginal': Case(
        op('mean_field.mean_field_marginal'),
        lambda: dict(
            image=rand(2, 3, 4, 5),
            prob=rand(2, 4, 5, seed=1),
            target=rand(2, 4, 5, seed=2),
            **MEAN_FIELD,
        ),
        lambda: dict(
            image=zeros(0, 3, 4, 5), prob=zeros(0, 4, 5), target=zeros(0, 4, 5)
        ),
        [(0, 4, 5)],
    ),
    'dice_loss': Case(
        losses.dice_loss,
        lambda: dict(pred=rand(2, 4, 5), target=rand(2, 4, 5, seed=1)),
        lambda: dict(pred=zeros(0, 4, 5), target=zeros(0, 4, 5)),
        [(0,)],
    ),
    'projection_mil_loss': Case(
        losses.projection_mil_loss,
        lambda: dict(prob=rand(2, 4, 5), box_target=rand(2, 4, 5, seed=1)),
        lambda: dict(prob=zeros(0, 4, 5), box_target=zeros(0, 4, 5)),
        [(0,)],
    ),
    'downsample_box_mask': Case(
        losses.downsample_box_mask,
        lambda: dict(box_mask=rand(2, 8, 8), size=(4, 5)),
        lambda: dict(box_mask=zeros(0, 8, 8)),
        [(0, 4, 5)],
    ),
    'point_labels': points_case(losses.point_labels),
    'point_loss': Case(losses.point_loss, point_loss_call, point_loss_empty, [(0,)]),
    'inter_pixel_relation_loss': Case(
        losses.inter_pixel_relation_loss,
        relation_call,
        lambda: dict(
            edge_logit=zeros(0, 1, 4, 6),
            displacement=zeros(0, 2, 4, 6),
            labels=no_labels(0, 4, 6),
        ),
        [()] * 5,
    ),
    'ExtremePointLoss': Case(
        module(losses.ExtremePointLoss),
        lambda: dict(point_loss_call(), **LOSS_TAIL),
        point_loss_empty,
        [()],
    ),
    'InterPixelRelationLoss': Case(
        module(losses.InterPixelRelationLoss),
        lambda: dict(relation_call(), grid_size=(4, 6)),
        lambda: dict(
            edge_logit=zeros(0, 1, 4, 6),
            displacement=zeros(0, 2, 4, 6),
            labels=no_labels(0, 4, 6),
        ),
        [()] * 5,
    ),
    'MeanFieldCRFLoss': Case(
        module(losses.MeanFieldCRFLoss),
        lambda: dict(
            image=rand(2, 3, 4, 5),
            student_prob=rand(2, 4, 5, seed=1),
            teacher_prob=rand(2, 4, 5, seed=2),
            box_target=rand(2, 4, 5, seed=3),
            num_iters=5,
            zeta=0.3,
            **LOSS_TAIL,
        ),
        lambda: dict(
            image=zeros(0, 3, 4, 5),
            student_prob=zeros(0, 4, 5),
            teacher_prob=zeros(0, 4, 5),
            box_target=zeros(0, 4, 5),
        ),
        [()],
    ),
    'ProjectionMILLoss': Case(
        module(losses.ProjectionMILLoss),
        lambda: dict(prob=rand(2, 4, 5), box_target=rand(2, 4, 5, seed=1), **LOSS_TAIL),
        lambda: dict(prob=zeros(0, 4, 5), box_target=zeros(0, 4, 5)),
        [()],
    ),
    'SampleLoss': Case(
        module(losses.SampleLoss, 'reduce'),
        lambda: dict(losses=rand(3), **LOSS_TAIL),
        lambda: dict(losses=zeros(0)),
        [()],
    ),
    'ScaleAwareMaskHead': Case(
        module(heads.ScaleAwareMaskHead),
        lambda: dict(
            features=rand(3, 4, 3, 2),
            areas=torch.tensor([50.0, 5e3, 5e4]),
            in_channels=4,
            feat_channels=2,
            vector_bias=0.5,
        ),
        lambda: dict(features=zeros(0, 4, 3, 2), areas=zeros(0)),
        [(0, 12, 8)],
    ),
    'ClassMapHead': Case(
        module(heads.ClassMapHead),
        lambda: dict(features=rand(2, 4, 3, 2), num_classes=3, in_channels=4),
        lambda: dict(features=zeros(0, 4, 3, 2)),
        [(0, 3)],
    ),
    'ClassMapHead.loss': Case(
        module(heads.ClassMapHead, 'loss'),
        lambda: dict(logits=rand(2, 3), tags=ints(2, 3), num_classes=3, in_channels=4),
        lambda: dict(logits=zeros(0, 3), tags=no_labels(0, 3)),
        [()],
    ),
    'BoundaryHead': level_head(heads.BoundaryHead, 4),
    'DisplacementHead': level_head(heads.DisplacementHead, 4),
    'patchify': Case(
        patch_grid.patchify,
        lambda: dict(images=rand(2, 3, 4, 6), patch_size=2),
        lambda: dict(images=zeros(0, 3, 4, 6)),
        [(0, 6, 12)],
    ),
    'unpatchify': Case(
        patch_grid.unpatchify,
        lambda: dict(patches=rand(2, 6, 12), grid=(2, 3), patch_size=2),
        lambda: dict(patches=zeros(0, 6, 12)),
        [(0, 3, 4, 6)],
    ),
    'sincos_positions': Case(
        patch_grid.sincos_positions, lambda: dict(grid=(2, 3), dims=8)
    ),
}
