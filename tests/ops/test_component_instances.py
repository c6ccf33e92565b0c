import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(Path(__file__).parent))
from bestie_scenes import golden, plain, scene, settings

from mmwsis.ops import component_instances, refined_targets
from mmwsis.ops.component_centers import batch_components, peak_centers
from mmwsis.ops.window_maximum import grouped_window_maximum

SEEDS = st.integers(0, 99_999)
SIZES = st.tuples(st.integers(1, 14), st.integers(1, 16))
COMPONENTS = (
    'two_0',
    'cluster_only_1',
    'cluster_weak_2',
    'far_cluster_3',
    'near_cluster_4',
)


def parted(mask, center_map, offsets, **more):
    """Instances of one mask as a whole image of one class."""
    return component_instances(
        mask.long()[None], center_map[None, None], offsets[None], **more
    )


@pytest.mark.parametrize('keep', [False, True])
@pytest.mark.parametrize('name', COMPONENTS)
def test_golden_components(name, keep):
    data = golden(f'instseg_{name}')
    found = parted(
        data['fg'],
        data['center_map'],
        data['offset'],
        threshold=data['threshold'].item(),
        kernel_size=data['nms_kernel'].item(),
        beta=data['beta'].item(),
        keep_centerless=keep,
    )
    expected = data['ids_ignore0' if keep else 'ids_ignore1'].long()
    pairs = torch.stack([found.ids[0], expected]).flatten(1).unique(dim=1)
    # The same parts, numbered in any order.
    assert all(len(row.unique()) == pairs.shape[1] for row in pairs)
    assert torch.equal(found.ids[0] > 0, expected > 0)
    assert torch.equal(found.center_values[0], data['center_roi_after'])


@pytest.mark.parametrize('name', COMPONENTS)
def test_golden_centers(name):
    data = golden(f'instseg_{name}')
    maps = data['fg'].long()[None], data['center_map'][None, None], data['offset'][None]
    parts = batch_components(*maps, tags=None, min_area=50)
    found = peak_centers(parts, data['threshold'].item(), data['nms_kernel'].item())
    assert torch.equal(found.points.flip(1), data['centers_yx'].long())


@runs(deadline=None, max_examples=100)
@given(seed=SEEDS, batch=st.integers(0, 3), classes=st.integers(1, 3), size=SIZES)
def test_instances_are_those_of_the_full_image_form(seed, batch, classes, size):
    maps, how = scene(seed, batch, classes, size), settings(seed)
    logits = maps.pop('seg_logits')
    found = component_instances(**maps, **how)
    number = component = 0
    expected = torch.zeros_like(found.ids)
    values = torch.zeros_like(found.center_values)
    parts = []
    for image, label in maps['tags'].nonzero().tolist():
        masks = plain.component_masks(
            maps['semantic_map'][image], label, how['min_area']
        )
        for mask in masks:
            ids, roi = plain.component_ids(
                mask,
                maps['centers'][image, label],
                maps['offsets'][image],
                plain.Settings(**how),
            )
            values[image] += roi
            parts += [
                (image, label, rank, ids == rank, roi, mask)
                for rank in ids.unique().tolist()
                if rank
            ]
            component += 1
    assert torch.equal(found.center_values, values)
    # In the order of the components' first pixels.
    parts.sort(key=lambda part: (part[0], part[5].flatten().int().argmax(), part[2]))
    for number, (image, label, rank, own, roi, mask) in enumerate(parts, start=1):
        expected[image][own] = number
        row = [entry[number - 1] for entry in found[1:-1]]
        inside = roi.where(own, -torch.inf)
        y, x = divmod(inside.argmax().item(), size[1])
        middle = mask.nonzero().double().mean(0).long().flip(0)
        wanted = (image, label, row[2], rank, own.sum(), roi[y, x], [x, y], middle)
        for one, other in zip(row, wanted, strict=True):
            assert torch.equal(one, torch.as_tensor(other, dtype=one.dtype))
    assert torch.equal(found.ids, expected)
    assert len(found.labels) == len(parts)
    _, counts = found.components.unique_consecutive(return_counts=True)
    assert counts.sum() == len(parts) and len(counts) <= component
    assert logits.shape[0] == batch


@runs(deadline=None, max_examples=100)
@given(seed=SEEDS, num=st.integers(0, 30), kernel=st.sampled_from([3, 5, 9, 10_001]))
def test_windows_of_groups_see_their_own_points(seed, num, kernel):
    generator = torch.Generator().manual_seed(seed)
    places = torch.randperm(4 * 5 * 7, generator=generator)[:num]
    groups, rows, columns = places // 35, places % 35 // 7, places % 7
    groups = groups * 3  # numbers may be missing
    values = torch.randint(-3, 4, (num,), generator=generator).float()
    near = (
        (groups[:, None] == groups)
        & ((rows[:, None] - rows).abs() <= kernel // 2)
        & ((columns[:, None] - columns).abs() <= kernel // 2)
    )
    expected = values.expand(num, num).where(near, -torch.inf)
    found = grouped_window_maximum(values, groups, rows, columns, kernel)
    assert torch.equal(found, expected.amax(1) if num else values)


class Counter(TorchDispatchMode):
    """Number of operations on tensors."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        return func(*args, **(kwargs or {}))


def many_squares(rows, columns):
    """Squares of 8 x 8 of three classes, each with two centres and a cluster."""
    tile = torch.zeros(10, 24, dtype=torch.int64)
    tile[1:9, 1:23] = 1
    semantic_map = tile.repeat(rows, columns)
    labels = (torch.arange(rows)[:, None] + torch.arange(columns)) % 3
    labels = labels.repeat_interleave(10, 0).repeat_interleave(24, 1)
    centers = torch.zeros(10, 24)
    centers[4, 4] = centers[4, 12] = 0.9
    row, column = torch.meshgrid(torch.arange(10.0), torch.arange(24.0), indexing='ij')
    offsets = torch.stack([4 - row, torch.where(column < 8, 4, 18) - column])
    return (
        (semantic_map * (labels + 1))[None],
        torch.zeros(1, 4, 10 * rows, 24 * columns),
        centers.repeat(rows, columns).expand(1, 3, -1, -1),
        offsets.repeat(1, rows, columns)[None],
    )


def test_the_number_of_operations_does_not_grow_with_that_of_components():
    counts = []
    for grid in ((1, 2), (2, 3), (9, 5)):
        maps = many_squares(*grid)
        with Counter() as counter:
            targets = refined_targets(*maps, kernel_size=5, cluster_min_distance=4.0)
        counts.append(counter.count)
        assert (targets.weights > 0).sum() == 8 * 22 * grid[0] * grid[1]
        assert len(targets.offsets.unique()) > 10
    # Each wait for a GPU is one of them.
    assert counts[0] == counts[1] == counts[2]


def disc_scene(size, y, x):
    """A component of the whole image, whose offsets lead to one place."""
    rows, columns = torch.meshgrid(*map(torch.arange, size), indexing='ij')
    offsets = torch.stack([y - rows, x - columns]).float()
    return torch.ones(size, dtype=torch.bool), offsets


@pytest.mark.parametrize('x, added', [(130, False), (131, True)])
def test_a_clustered_center_lies_farther_than_100_pixels(x, added):
    mask, offsets = disc_scene((30, 200), 15, x)
    heat = torch.zeros(30, 200)
    heat[15, 30], heat[15, x] = 0.8, 0.06
    found = parted(mask, heat, offsets)
    assert found.center_values[0, 15, x] == (1 if added else heat[15, x])
    # All offsets lead to the cluster.
    assert found.ranks.tolist() == [2 if added else 1]
    assert found.scores.tolist() == pytest.approx([1 if added else 0.8])


@pytest.mark.parametrize('value', [0.05, 0.0501])
def test_a_clustered_center_needs_some_centre_value(value):
    mask, offsets = disc_scene((20, 20), 10, 10)
    heat = torch.zeros(20, 20)
    heat[10, 10] = value
    found = parted(mask, heat, offsets)
    assert len(found.labels) == (value > 0.05)
    assert len(parted(mask, heat, offsets, beta=0).labels) == 0
    whole = parted(mask, heat, offsets, beta=0, keep_centerless=True)
    assert whole.areas.tolist() == [400]
    assert whole.centroids.tolist() == [[9, 9]]


def test_clusters_are_of_one_component():
    """A disc on the border of two classes is a part of a disc in each."""
    mask, offsets = disc_scene((20, 20), 10, 10)
    semantic_map = mask.long()[None]
    heat = torch.full((1, 2, 20, 20), 0.2)
    for border, count in ((11, 0), (13, 1)):
        semantic_map[:, :, border:] = 2
        found = component_instances(semantic_map, heat, offsets[None], beta=3.0)
        assert len(found.labels) == count
        semantic_map[:] = 1


def test_components_join_at_corners_and_within_a_class():
    semantic_map = torch.zeros(1, 14, 14, dtype=torch.uint8)
    semantic_map[0, :6, :6] = semantic_map[0, 6:12, 6:12] = 1
    centers = torch.full((1, 2, 14, 14), 0.5)
    offsets = torch.zeros(1, 2, 14, 14)
    found = component_instances(
        semantic_map, centers * 0, offsets, keep_centerless=True, beta=0
    )
    assert found.areas.tolist() == [72]
    semantic_map[0, 6:12, 6:12] = 2
    found = component_instances(semantic_map, centers, offsets, min_area=36)
    assert found.labels.unique().tolist() == [0, 1]
    assert component_instances(semantic_map, centers, offsets).ids.max() == 0
    tags = torch.tensor([[False, True]])
    found = component_instances(semantic_map, centers, offsets, tags, min_area=36)
    assert found.labels.unique().tolist() == [1]


@pytest.mark.parametrize('area, used', [(49, False), (50, True)])
def test_small_components_have_no_instances(area, used):
    semantic_map = torch.zeros(1, 10, 10, dtype=torch.int64)
    semantic_map.view(-1)[:area] = 1
    heat = torch.zeros(1, 1, 10, 10)
    heat[0, 0, 2, 3] = 0.9
    found = component_instances(semantic_map, heat, torch.zeros(1, 2, 10, 10))
    assert found.areas.tolist() == [area] * used


def test_every_pixel_may_be_a_center():
    """A constant centre map: as many centres as pixels, and no memory of pairs."""
    offsets = torch.zeros(1, 2, 40, 50)
    semantic_map = torch.ones(1, 40, 50, dtype=torch.int64)
    found = component_instances(semantic_map, offsets[:, :1] + 0.5, offsets)
    assert torch.equal(found.ids.flatten(), torch.arange(1, 2001))
    assert not refined_targets(
        semantic_map, offsets, offsets[:, :1] + 0.5, offsets
    ).weights.any()


def test_diverged_networks_are_refused():
    maps = scene(0, 1, 2, (5, 6))
    for name in ('seg_logits', 'centers', 'offsets'):
        broken = dict(maps, **{name: maps[name] / 0})
        with pytest.raises(ValueError, match=f'{name}: .* The network has diverged'):
            refined_targets(**broken)
