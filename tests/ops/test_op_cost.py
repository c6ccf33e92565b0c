"""Thin maps, long walks and far crops cost what they hold, not what a square would."""

import resource
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from mmwsis import ops
from mmwsis.models.losses import inter_pixel_relation_loss
from mmwsis.ops.extreme_points import extreme_points_from_mask
from mmwsis.ops.interior_points import interior_point
from mmwsis.ops.relation_labels import relation_labels

THIN = [(1, 40000), (2, 40000), (40000, 1)]
# Generous: the machine may be busy. What was wrong took a hundred times as much.
SECONDS, MEBIBYTES = 30, 2000


def rand(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def mask(height, width):
    return rand(height, width).numpy() > 0.3


def synthesis(height, width):
    grid = ops.stride4_size((height, width))
    # A strong displacement in every fiftieth cell: some hundred instances at most.
    displacement = torch.zeros(2, *grid)
    displacement.flatten(1)[:, ::50] = 3
    return rand(1, *grid), torch.tensor([3]), rand(1, *grid), displacement


def synthesize(height, width):
    return ops.synthesize_instances(*synthesis(height, width), (height, width))


def wide_enough(height, width):
    """The loss needs sources: the least height and width for radius 5."""
    height, width = max(height, 5), max(width, 9)
    labels = (rand(1, height, width) * 3).long()
    return inter_pixel_relation_loss(
        rand(1, 1, height, width), rand(1, 2, height, width), labels, 5, 2
    )


def crop(height, width):
    size = [(height, width)]
    logits, box = rand(1, 16, 16), torch.ones(1, 64, 64)
    return ops.crop_mask_patches(
        logits, box, [(0, 0, width, height)], size, [float(height * width)]
    )


def maps(height, width):
    """Semantic map, logits, centres and offsets of an image of two classes."""
    semantic_map = (rand(1, height, width) * 3).long()
    return (
        semantic_map,
        rand(1, 3, height, width),
        rand(1, 2, height, width),
        rand(1, 2, height, width) * 9 - 4,
    )


def eighth(height, width):
    """Embeddings at stride 8."""
    return rand(8, -(-height // 8), -(-width // 8))


WORK: dict[str, Callable] = {
    'affinity_walk': lambda h, w: ops.affinity_walk(rand(1, h, w), rand(1, h, w)),
    'centroid_instance_map': lambda h, w: ops.centroid_instance_map(
        rand(2, h, w) * 6 - 3
    ),
    'mean_field_refine': lambda h, w: ops.mean_field_refine(
        rand(1, 3, h, w), rand(1, h, w), None
    ),
    'crf_refine_labels': lambda h, w: ops.crf_refine_labels(
        rand(h, w, 3) * 255, (rand(h, w) * 2).long(), 2
    ),
    'relation_labels': lambda h, w: relation_labels(
        (rand(h, w, 3) * 255).byte(), rand(1, h, w), torch.tensor([3])
    ),
    'synthesize_instances': synthesize,
    'inter_pixel_relation_loss': wide_enough,
    'merge_aug_cams': lambda h, w: ops.merge_aug_cams(
        [rand(2, 3, *(-(-side // 16) for side in (h, w)))], (h, w)
    ),
    'crop_mask_patches': crop,
    'encode_patch': lambda h, w: ops.encode_patch(mask(h, w), 0, 0, (h, w)),
    'encode_filled_box': lambda h, w: ops.encode_filled_box([0, 0, w, h], (h, w)),
    'connected_components': lambda h, w: ops.connected_components(
        (rand(h, w) * 9).long()
    ),
    'find_peaks': lambda h, w: ops.find_peaks(
        rand(2, h, w), 41, merge_plateaus=True, min_distance=16
    ),
    'region_peaks': lambda h, w: ops.region_peaks((rand(h, w) * 9).long(), rand(h, w)),
    'class_blobs': lambda h, w: ops.class_blobs(rand(9, h, w)),
    'watershed_boundaries': lambda h, w: ops.watershed_boundaries(
        rand(h, w), torch.tensor([[0, 0], [w - 1, h - 1]])
    ),
    'assign_pixels': lambda h, w: ops.assign_pixels(
        eighth(h, w), (h, w), rand(9, 8), rand(9, 8)
    ),
    'background_pixels': lambda h, w: ops.background_pixels(
        eighth(h, w), rand(h, w) > 0.3, 9
    ),
    'draw_centers': lambda h, w: ops.draw_centers(
        torch.tensor([[w // 2, 0]] * 100), torch.zeros(100).long(), 1, (h, w), 2000
    ),
    'group_pixels': lambda h, w: ops.group_pixels(rand(2, h, w), rand(500, 2) * w),
    'refined_targets': lambda h, w: ops.refined_targets(*maps(h, w), min_area=1),
    'refined_targets, one component': lambda h, w: ops.refined_targets(
        torch.ones(1, h, w).long(), *maps(h, w)[1:], kernel_size=1001
    ),
    'scored_instances': lambda h, w: ops.scored_instances(
        rand(3, h, w), *(entry[0] for entry in maps(h, w)[2:])
    ),
    'merge_flipped_cams': lambda h, w: ops.merge_flipped_cams(rand(2, 3, 1, 1), (h, w)),
    'extreme_points_from_mask': lambda h, w: extreme_points_from_mask(mask(h, w)),
    'interior_point': lambda h, w: interior_point(mask(h, w)),
}


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture
def bounded():
    before, start = peak_mib(), time.process_time()
    yield
    assert time.process_time() - start < SECONDS
    assert peak_mib() - before < MEBIBYTES


@pytest.mark.parametrize('size', THIN)
@pytest.mark.parametrize('name', WORK)
def test_thin_maps(name, size, bounded):
    WORK[name](*size)


def test_a_box_of_a_huge_image_costs_its_columns(bounded):
    rle = ops.encode_filled_box([1, 1, 59_998, 59_998], (60_000, 60_000))
    assert rle['size'] == [60_000, 60_000]


def test_crops_far_from_the_image_cost_nothing(bounded):
    logits, box = rand(1, 4, 4), torch.ones(1, 8, 8)
    (patch,) = ops.crop_mask_patches(
        logits, box, [(-30_000, 0, 0, 30_000)], [(5, 5)], [9e8]
    )
    assert patch.mask.size == 0
    with pytest.raises(ValueError, match='at most 2\\^30 pixels'):
        ops.crop_mask_patches(logits, box, [(0, 0, 50_000, 50_000)], [(5, 5)], [9e8])


def test_long_walks_are_right_and_quick(bounded):
    """2^14 steps: the reference squares the dense transition matrix in float64."""
    x, edge = rand(3, 12, 14), rand(1, 12, 14) ** 4
    seeds = torch.eye(168, dtype=torch.float64).view(168, 12, 14)
    start = x.double() * (1 - edge.double())
    # One step of every pixel, without the factor of the start.
    step = ops.affinity_walk(seeds, edge.double(), num_steps=1).view(168, 168)
    step /= (1 - edge.double()).view(168, 1)
    for _ in range(14):
        step @= step.clone()
        step /= step.sum(0)  # each pixel is a mean again
    expected = start.flatten(1) @ step
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 1e-6)):
        walked = ops.affinity_walk(x.to(dtype), edge.to(dtype), num_steps=2**14)
        error = (walked.double().flatten(1) - expected).abs().max() / expected.max()
        assert error < tolerance


@pytest.mark.parametrize('steps', [2**20, 2**24 + 1])
def test_coefficients_of_very_long_walks(steps, bounded):
    from mmwsis.ops.affinity_walk import chebyshev_coefficients

    coefficients = chebyshev_coefficients(steps, 1e-18)
    assert sum(coefficients) == pytest.approx(1, abs=1e-12)
    assert len(coefficients) < 10 * steps**0.5


def test_links_and_windows_beyond_the_map_cost_nothing(bounded):
    x, edge = rand(1, 3, 4), rand(1, 3, 4)
    expected = ops.affinity_walk(x, edge, radius=5)
    assert torch.equal(ops.affinity_walk(x, edge, radius=5000), expected)
    image, prob = rand(1, 3, 4, 5), rand(1, 4, 5)
    _, wide = ops.mean_field_refine(image, prob, None, kernel_size=9)
    _, wider = ops.mean_field_refine(image, prob, None, kernel_size=100_001)
    assert torch.equal(wide, wider)


def test_a_flat_map_is_one_plateau(bounded):
    peaks = ops.find_peaks(torch.ones(1, 500, 600), 100_001, merge_plateaus=True)
    assert peaks.points.tolist() == [[299, 249]]
    peaks = ops.find_peaks(torch.ones(1, 500, 600), min_distance=50)
    assert torch.pdist(peaks.points.double()).min() >= 50


def test_nothing_to_do_costs_nothing(bounded):
    edge = rand(1, 2000, 2000)
    walked = ops.affinity_walk(torch.zeros(1, 2000, 2000), edge)
    assert not walked.any()
    assert interior_point(np.pad([[True]], 2000)) == (2000, 2000)
