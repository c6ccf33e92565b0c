"""One tiny valid call of every public operation."""

import numpy as np
import torch
from case_tools import (
    MEAN_FIELD,
    Case,
    all_maxima,
    crf,
    fields,
    grid,
    ints,
    lattice,
    mask,
    no_labels,
    op,
    patches,
    points_case,
    rand,
    synthesis,
    uniform_point,
    zeros,
)

from mmwsis import ops
from mmwsis.ops import (
    BestChannels,
    BilateralKernel,
    GaussianKernel,
    InstanceMap,
)

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
    'peak_attention': Case(
        ops.peak_attention,
        lambda: dict(features=rand(2, 3, 4, 5) - 0.3, alpha=0.7),
        lambda: dict(features=zeros(0, 3, 4, 5)),
        [(0, 3, 4, 5)],
    ),
    'peak_stimulation': Case(
        ops.peak_stimulation,
        lambda: dict(maps=rand(2, 3, 4, 5)),
        lambda: dict(maps=zeros(0, 3, 4, 5)),
        [(0, 3)],
    ),
    'stimulation_peaks': Case(
        ops.stimulation_peaks,
        lambda: dict(maps=rand(2, 3, 4, 5)),
        lambda: dict(maps=zeros(0, 3, 4, 5)),
        [(0, 3, 4, 5)],
        mute=('maps',),  # maxima: what is not finite is seen in the logits
    ),
    'pixels_between': Case(
        lambda size, low=1.0, high=3.5: ops.pixels_between(low, high, size),
        lambda: dict(size=6),
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
}
