"""One tiny valid call of what finds instances: components, peaks, centres, crops."""

import functools

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


def boxed(**values):
    """Labels of 5 x 6 pixels, of two things and two classes of stuff, with boxes."""
    common = dict(
        labels=ints(5, 6, high=4),
        boxes=torch.tensor([[0, 0, 4, 3], [-1, 2, 5, 5], [2, 1, 9, 4]]),
        box_labels=torch.tensor([0, 1, 0]),
    )
    return common | values


def no_boxes():
    boxes = no_labels(0, 4), no_labels(0), torch.zeros(0).bool()
    return dict(zip(('boxes', 'box_labels', 'is_crowd'), boxes))


THINGS = torch.tensor([True, True, False, False])
CROWDS = torch.tensor([False, False, True])


def inside(height, width):
    return rand(height, width, seed=2) > 0.3


def network_maps(batch=2, size=(6, 7), num_classes=2):
    """Maps of a batch, with small components and centres in them."""
    return dict(
        semantic_map=ints(batch, *size, high=num_classes + 1),
        centers=rand(batch, num_classes, *size, seed=1),
        offsets=rand(batch, 2, *size, seed=2) * 4 - 2,
        tags=torch.tensor([True, False]).expand(batch, num_classes),
        threshold=0.5,
        kernel_size=3,
        beta=2.0,
        min_area=3,
        cluster_radius=1.2,
        cluster_min_distance=2.5,
    )


def clicks(count=3):
    return dict(
        points=torch.tensor([[1, 1], [4, 2], [5, 4]])[:count],
        labels=no_labels(count),
    )


def refinement(batch=2):
    logits = rand(batch, 3, 6, 7, seed=3)
    return dict(network_maps(batch), seg_logits=logits, max_instances=3, sigma=1.5)


def one_image(rows=6):
    """Maps of one image, and points."""
    return dict(
        probabilities=rand(3, rows, 7).softmax(0),
        centers=rand(2, rows, 7, seed=1),
        offsets=rand(2, rows, 7, seed=2) * 4 - 2,
        points=ints(4, 2, high=6),
        labels=ints(4, high=2, seed=1),
    )


def some(arguments, *names):
    return {name: arguments[name] for name in names}


@functools.wraps(ops.point_targets)
def targets_of_points(points, labels, **maps):
    """Of one image alone, so that its points are one tensor."""
    return ops.point_targets(points=[points], labels=[labels], **maps)


def point_refinement(rows=6):
    maps = dict(
        semantic_map=ints(1, rows, 7, high=3),
        offsets=rand(1, 2, rows, 7, seed=2) * 4 - 2,
        tags=torch.tensor([[True, False]]),
    )
    return dict(some(one_image(), 'points', 'labels'), **maps)


INSTANCES = [(0, 6, 7), *[(0,)] * 6, (0, 2), (0, 2), (0, 6, 7)]
SETTINGS = dict(threshold=0.5, kernel_size=3, beta=2.0, min_area=3)
SCORED = [(0,), (0,), (0, 0, 7)]

CASES = {
    'background_weights': Case(
        ops.background_weights,
        lambda: dict(
            clicks(),
            class_map=ints(6, 7, high=3, seed=4),
            probabilities=rand(2, 6, 7),
        ),
        lambda: clicks(0),
        [(3, 6, 7)],
    ),
    'class_blobs': Case(
        ops.class_blobs,
        lambda: dict(probabilities=rand(3, 6, 7)),
        lambda: dict(probabilities=zeros(3, 0, 7)),
        [(0, 7), (0,), (0, 2), (0,), (0,)],
    ),
    'distinct_points': Case(ops.distinct_points, clicks, lambda: clicks(0), [(0,)]),
    'watershed_boundaries': Case(
        ops.watershed_boundaries,
        lambda: dict(probability=rand(6, 7), points=clicks()['points']),
        lambda: dict(points=clicks(0)['points']),
        [(6, 7)],
    ),
    'component_instances': Case(
        ops.component_instances,
        network_maps,
        lambda: some(network_maps(0), 'semantic_map', 'centers', 'offsets', 'tags'),
        INSTANCES,
    ),
    'refined_targets': Case(
        ops.refined_targets,
        refinement,
        lambda: some(
            refinement(0), 'semantic_map', 'seg_logits', 'centers', 'offsets', 'tags'
        ),
        [(0, 2, 6, 7), (0, 2, 6, 7), (0, 1, 6, 7)],
    ),
    'point_targets': Case(
        targets_of_points,
        point_refinement,
        lambda: some(point_refinement(0), 'semantic_map', 'offsets'),
        [(1, 2, 0, 7), (1, 1, 0, 7)],
    ),
    'scored_instances': Case(
        ops.scored_instances,
        lambda: some(one_image(), 'probabilities', 'centers', 'offsets') | SETTINGS,
        lambda: some(one_image(0), 'probabilities', 'centers', 'offsets'),
        SCORED,
    ),
    'point_instances': Case(
        ops.point_instances,
        lambda: some(one_image(), 'probabilities', 'offsets', 'points', 'labels'),
        lambda: some(one_image(0), 'probabilities', 'offsets'),
        [(0,), *SCORED],
    ),
    'average_flipped': Case(
        ops.average_flipped,
        lambda: dict(maps=rand(2, 3, 4, 5)),
        lambda: dict(maps=zeros(2, 0, 4, 5)),
        [(0, 4, 5)],
    ),
    'keep_tagged': Case(
        ops.keep_tagged,
        lambda: dict(probabilities=rand(3, 4, 5), tags=torch.tensor([True, False])),
        lambda: dict(probabilities=zeros(3, 0, 5)),
        [(3, 0, 5)],
    ),
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
    'grad_cam': Case(
        ops.grad_cam,
        lambda: dict(features=rand(3, 4, 5), gradients=rand(2, 3, 4, 5) - 0.5),
        lambda: dict(gradients=zeros(0, 3, 4, 5)),
        [(0, 4, 5)],
    ),
    'gradcam_label_map': Case(
        ops.gradcam_label_map,
        lambda: dict(heat=rand(3, 5, 6) - 0.3, labels=ints(3, high=9)),
        lambda: dict(heat=zeros(0, 5, 6), labels=no_labels(0)),
        [(5, 6)],
    ),
    'keep_sure_labels': Case(
        ops.keep_sure_labels,
        lambda: dict(labels=ints(5, 6, high=3), scores=rand(5, 6), min_score=0.6),
        lambda: dict(labels=no_labels(0, 6), scores=zeros(0, 6)),
        [(0, 6)],
    ),
    'merge_box_map': Case(
        ops.merge_box_map,
        lambda: dict(
            labels=ints(5, 6, high=4), box_map=ints(5, 6, high=3) - 1, is_thing=THINGS
        ),
        lambda: dict(labels=no_labels(0, 6), box_map=no_labels(0, 6)),
        [(0, 6)],
    ),
    'keep_boxed_labels': Case(
        ops.keep_boxed_labels,
        lambda: boxed(is_thing=THINGS),
        lambda: {k: v for k, v in no_boxes().items() if k != 'is_crowd'},
        [(5, 6)],
    ),
    'fill_sparse_boxes': Case(
        ops.fill_sparse_boxes,
        lambda: boxed(is_crowd=CROWDS, is_thing=THINGS),
        no_boxes,
        [(5, 6)],
    ),
    'box_instances': Case(
        ops.box_instances,
        lambda: boxed(is_crowd=CROWDS),
        no_boxes,
        [(5, 6), (0,)],
    ),
    'merge_flipped_cams': Case(
        ops.merge_flipped_cams,
        lambda: dict(logits=rand(2, 3, 2, 3) - 0.3, image_size=(7, 10)),
        lambda: dict(logits=zeros(2, 0, 2, 3)),
        [(0, 7, 10)],
    ),
}
