"""One tiny valid call of what finds instances: components, peaks, centres, crops."""

import torch
from case_tools import Case, ints, no_labels, rand, zeros

from mmwsis import ops


def centers():
    return dict(
        points=ints(4, 2, high=7),
        labels=ints(4, high=3, seed=1),
        num_classes=3,
        image_size=(6, 7),
        sigma=1.5,
        amplitudes=rand(4),
    )


def target_maps():
    return dict(
        semantic_map=ints(6, 7, high=3),
        points=ints(4, 2, high=7),
        labels=ints(4, high=2, seed=1),
        tags=torch.tensor([True, True, False]),
        sigma=1.5,
        min_area=2,
    )


def tiled(values, num=4):
    """Crops of 3 x 4 pixels of an image of 5 x 6, or what else there is of each."""
    return dict(values, boxes=ops.crop_grid((5, 6), (3, 4))[:num])


def inside(height, width):
    return rand(height, width, seed=2) > 0.3


CASES = {
    'connected_components': Case(
        ops.connected_components,
        lambda: dict(label_map=ints(5, 6, high=4), min_area=2),
        lambda: dict(label_map=no_labels(0, 6)),
        [(0, 6), (0,), (0,), (0, 4), (0, 2)],
    ),
    'find_peaks': Case(
        ops.find_peaks,
        lambda: dict(
            maps=rand(2, 5, 6),
            kernel_size=3,
            min_score=0.2,
            max_per_class=3,
            mask=inside(5, 6),
            min_distance=1.5,
        ),
        lambda: dict(maps=zeros(0, 5, 6)),
        [(0,), (0, 2), (0,)],
    ),
    'region_peaks': Case(
        ops.region_peaks,
        lambda: dict(regions=ints(5, 6, high=4), scores=rand(5, 6)),
        lambda: dict(regions=no_labels(0, 6), scores=zeros(0, 6)),
        [(0,), (0, 2), (0,)],
    ),
    'draw_centers': Case(
        ops.draw_centers,
        centers,
        lambda: dict(points=no_labels(0, 2), labels=no_labels(0), amplitudes=zeros(0)),
        [(3, 6, 7)],
    ),
    'center_targets': Case(
        ops.center_targets,
        target_maps,
        lambda: dict(
            semantic_map=no_labels(0, 7), points=no_labels(0, 2), labels=no_labels(0)
        ),
        [(3, 0, 7), (2, 0, 7), (1, 0, 7)],
    ),
    'group_pixels': Case(
        ops.group_pixels,
        lambda: dict(
            offsets=rand(2, 5, 6) * 4 - 2, centers=rand(3, 2) * 5, mask=inside(5, 6)
        ),
        lambda: dict(offsets=zeros(2, 0, 6), mask=torch.zeros(0, 6).bool()),
        [(0, 6)],
    ),
    'cluster_centers': Case(
        ops.cluster_centers,
        lambda: dict(
            offsets=rand(2, 5, 6) * 2, mask=inside(5, 6), radius=1.5, tolerance=8.0
        ),
        lambda: dict(offsets=zeros(2, 0, 6), mask=torch.zeros(0, 6).bool()),
        [(0, 2)],
    ),
    'crop_grid': Case(ops.crop_grid, lambda: dict(image_size=(5, 6), crop_size=(3, 4))),
    'merge_crop_labels': Case(
        ops.merge_crop_labels,
        lambda: tiled(dict(crops=ints(4, 3, 4, high=3), image_size=(5, 6))),
        lambda: tiled(dict(crops=no_labels(0, 3, 4)), 0),
        [(5, 6)],
    ),
    'keep_allowed_labels': Case(
        ops.keep_allowed_labels,
        lambda: tiled(dict(labels=ints(5, 6, high=3), allowed=ints(4, 3).bool())),
        lambda: tiled(
            dict(labels=no_labels(0, 6), allowed=torch.zeros(0, 3).bool()), 0
        ),
        [(0, 6)],
    ),
    'merge_flipped_cams': Case(
        ops.merge_flipped_cams,
        lambda: dict(logits=rand(2, 3, 2, 3) - 0.3, image_size=(7, 10)),
        lambda: dict(logits=zeros(2, 0, 2, 3)),
        [(0, 7, 10)],
    ),
}
