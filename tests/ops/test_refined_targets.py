import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import settings as runs
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from bestie_scenes import golden, plain, scene, settings

from mmwsis.ops import point_targets, refined_targets

SEEDS = st.integers(0, 99_999)
SIZES = st.tuples(st.integers(1, 14), st.integers(1, 16))


@pytest.mark.parametrize('name', ['refine_0', 'refine_1', 'refine_edges_0'])
def test_golden_refined_targets(name):
    data = golden(name)
    found = refined_targets(
        data['wsss'],
        data['seg_logits'],
        data['center'],
        data['offset'],
        data['label'].bool(),
        threshold=data['refine_thresh'].item(),
        sigma=data['sigma'].item(),
        kernel_size=data['kernel'].item(),
        beta=data['beta'].item(),
    )
    torch.testing.assert_close(found.centers, data['r_center'], atol=1e-6, rtol=0)
    assert torch.equal(found.offsets, data['r_offset'])
    torch.testing.assert_close(found.weights, data['r_weight'], atol=1e-5, rtol=0)


@pytest.mark.parametrize('name', ['refine_point_21', 'refine_point_22'])
def test_golden_targets_of_points(name):
    data = golden(name)
    rows = [rows[rows[:, 0] >= 0] for rows in data['points_xyc']]
    offsets, weights = point_targets(
        data['wsss'],
        data['offset'],
        [own[:, :2] for own in rows],
        [own[:, 2] for own in rows],
        data['label'].bool(),
    )
    assert torch.equal(offsets, data['r_offset'])
    assert torch.equal(weights, data['r_weight'])


@runs(deadline=None, max_examples=100)
@given(
    seed=SEEDS,
    batch=st.integers(0, 3),
    classes=st.integers(1, 3),
    size=SIZES,
    most=st.integers(1, 5),
)
def test_targets_are_those_of_the_full_image_form(seed, batch, classes, size, most):
    maps, how = scene(seed, batch, classes, size), settings(seed)
    found = refined_targets(**maps, **how, max_instances=most, sigma=1.0)
    expected = plain.refined_targets(
        **maps, settings=plain.Settings(**how), max_instances=most, sigma=1.0
    )
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
    assert torch.equal(found.offsets, expected[1])


@runs(deadline=None, max_examples=100)
@given(
    seed=SEEDS,
    batch=st.integers(0, 3),
    classes=st.integers(1, 3),
    size=SIZES,
    most=st.integers(0, 6),
)
def test_targets_of_points_are_those_of_the_full_image_form(
    seed, batch, classes, size, most
):
    maps = scene(seed, batch, classes, size)
    generator = torch.Generator().manual_seed(seed)
    points = [
        torch.randint(-2, 16, (count, 2), generator=generator)
        for count in torch.randint(most + 1, (batch,), generator=generator)
    ]
    labels = [torch.randint(classes, (len(p),), generator=generator) for p in points]
    call = maps['semantic_map'], maps['offsets'], points, labels, maps['tags']
    for one, other in zip(point_targets(*call), plain.point_targets(*call)):
        assert torch.equal(one, other)


def square(value):
    """A component of 9 x 9 pixels around (6, 6), of probability 0.8."""
    semantic_map = torch.zeros(1, 14, 14, dtype=torch.int64)
    semantic_map[0, 2:11, 2:11] = 1
    logits = torch.zeros(1, 2, 14, 14)
    logits[:, 1] = torch.tensor(0.8).logit()
    centers = torch.zeros(1, 1, 14, 14)
    centers[0, 0, 3, 4] = value
    return semantic_map, logits, centers, torch.full((1, 2, 14, 14), 5.0)


@pytest.mark.parametrize('value, weight', [(0.9, 0.72), (0.31, 0.248), (1.3, 1.0)])
def test_an_instance_has_the_weight_of_its_center_and_class(value, weight):
    found = refined_targets(*square(value))
    inside = square(value)[0] > 0
    expected = torch.full((81,), weight)
    torch.testing.assert_close(found.weights[:, 0][inside], expected, atol=1e-6, rtol=0)
    assert (found.weights > 0).sum() == 81
    assert found.centers[0, 0, 3, 4] == 1
    assert found.offsets[0, :, 2, 9].tolist() == [1, -5]
    assert not refined_targets(*square(0.3)).weights.any()  # the bound itself is none


def test_an_instance_without_a_strong_center_gets_the_middle_of_its_component():
    semantic_map, logits, centers, offsets = square(0.9)
    centers[0, 0, 9, 9] = 0.9
    centers[0, 0, 6, 7] = 0.2
    rows, columns = torch.meshgrid(*[torch.arange(14.0)] * 2, indexing='ij')
    offsets[0] = torch.stack([9 - rows, 9 - columns])
    for y, x in ((3, 4), (9, 9)):  # both centres go to the first one
        offsets[0, :, y, x] = torch.tensor([3 - y, 4 - x])
    found = refined_targets(semantic_map, logits, centers, offsets, kernel_size=3)
    weights = found.weights[0, 0]
    for y, x, weight in ((3, 4, 0.72), (9, 9, 0.72), (2, 2, 0.8), (10, 10, 0.8)):
        assert weights[y, x].item() == pytest.approx(weight, abs=1e-6)
    assert found.centers[0, 0, 3, 4] == found.centers[0, 0, 6, 6] == 1
    assert found.offsets[0, :, 2, 2].tolist() == [4, 4]


@pytest.mark.parametrize('num, kept', [(5, True), (6, False)])
def test_components_of_many_instances_are_left_out(num, kept):
    semantic_map = torch.ones(1, 5, 60, dtype=torch.int64)
    centers, offsets = torch.zeros(1, 1, 5, 60), torch.zeros(1, 2, 5, 60)
    centers[0, 0, 2, 4 : 10 * num : 10] = 0.9
    call = semantic_map, torch.zeros(1, 2, 5, 60), centers, offsets
    found = refined_targets(*call, kernel_size=5)
    assert found.weights.any() == found.centers.any() == kept
    # A sixth centre without pixels does not count.
    offsets[0, 1, :, 45:] = -10
    assert refined_targets(*call, kernel_size=5).weights.all()


def test_nothing_to_refine_gives_zeros():
    semantic_map, logits, centers, offsets = square(0.9)
    for labels, tags in (
        (torch.full_like(semantic_map, 255), None),
        (torch.zeros_like(semantic_map), None),
        (semantic_map, torch.tensor([[False]])),
    ):
        found = refined_targets(labels, logits, centers, offsets, tags)
        assert [tuple(entry.shape) for entry in found] == [
            (1, channels, 14, 14) for channels in (1, 2, 1)
        ]
        assert not any(entry.any() for entry in found)


def test_points_of_a_class():
    """One-pixel objects, points on one pixel, in row 0 and outside count alike."""
    semantic_map = torch.tensor([[[1, 0, 1, 255, 2, 2]]])
    points = torch.tensor([[5, 0], [5, 0], [0, 0], [7, 0]])
    labels = torch.tensor([1, 1, 0, 1])
    tags = torch.ones(1, 3, dtype=torch.bool)
    offsets, weights = point_targets(
        semantic_map, torch.zeros(1, 2, 1, 6), [points], [labels], tags
    )
    assert weights.tolist() == [[[[1, 0, 1, 0, 1, 1]]]]
    assert offsets[0, 1].tolist() == [[0, 0, -2, 0, 1, 0]]
    tags[0, 1] = False
    _, weights = point_targets(
        semantic_map, torch.zeros(1, 2, 1, 6), [points], [labels], tags
    )
    assert weights.tolist() == [[[[1, 0, 1, 0, 0, 0]]]]


def test_300_points_in_a_class():
    generator = torch.Generator().manual_seed(0)
    maps = scene(0, 1, 1, (60, 70))
    points = torch.randint(60, (300, 2), generator=generator)
    tags = torch.ones(1, 1, dtype=torch.bool)
    call = maps['semantic_map'], maps['offsets'], [points], [points[:, 0] * 0], tags
    for one, other in zip(point_targets(*call), plain.point_targets(*call)):
        assert torch.equal(one, other)


def test_bad_points_are_named():
    semantic_map, _, _, offsets = square(0.9)
    point, label = torch.tensor([[3, 3]]), torch.tensor([0])
    tags = torch.ones(1, 1, dtype=torch.bool)
    with pytest.raises(
        ValueError, match=r'labels: expected integers in \[0, 0\], got 1'
    ):
        point_targets(semantic_map, offsets, [point], [label + 1], tags)
    with pytest.raises(
        ValueError, match='expected one entry per image, 1, got 1 and 2'
    ):
        point_targets(semantic_map, offsets, [point], [label, label], tags)
    with pytest.raises(ValueError, match=r'labels: expected shape \(1\), got \(0,\)'):
        point_targets(semantic_map, offsets, [point], [label[:0]], tags)


def test_autocast_and_half_precision():
    maps = {
        name: entry.bfloat16() if entry.is_floating_point() else entry
        for name, entry in scene(3, 2, 2, (12, 14)).items()
    }
    how = dict(kernel_size=5, min_area=4)
    expected = refined_targets(
        **{k: v.float() if v.is_floating_point() else v for k, v in maps.items()}, **how
    )
    assert expected.weights.any()
    with torch.autocast('cpu', torch.bfloat16):
        found = refined_targets(**maps, **how)
    for one, other in zip(found, expected):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
