from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mmwsis.ops import draw_centers
from mmwsis.ops.connected_components import connected_components, is_separated

GOLDEN = Path(__file__).parents[1] / 'golden' / 'wise'


def flood_fill(label_map, connectivity, classes, order, min_area):
    """Fill from each pixel in raster order; pixel lists of the components, in order."""
    height, width = label_map.shape
    steps = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    if connectivity == 8:
        steps += [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    seen, found = set(), []
    for start in np.ndindex(height, width):
        value = int(label_map[start])
        wanted = value > 0 if classes is None else value in classes
        if start in seen or not wanted:
            continue
        seen.add(start)
        pixels, waiting = [], [start]
        while waiting:
            y, x = waiting.pop()
            pixels.append((y, x))
            for dy, dx in steps:
                near = y + dy, x + dx
                if not (0 <= near[0] < height and 0 <= near[1] < width):
                    continue
                if near not in seen and label_map[near] == value:
                    seen.add(near)
                    waiting.append(near)
        if len(pixels) >= min_area:
            found.append((value, pixels))
    if order == 'class':
        found.sort(key=lambda entry: entry[0])  # stable
    return found


LABEL_MAPS = arrays(
    st.sampled_from([bool, np.uint8, np.int64]),
    st.tuples(st.integers(0, 7), st.integers(0, 9)),
    elements=st.integers(0, 1),
) | arrays(
    np.int32,
    st.tuples(st.integers(0, 7), st.integers(0, 9)),
    elements=st.sampled_from([-1, 0, 1, 2, 3, 255]),
)


@settings(deadline=None, max_examples=300)
@given(
    label_map=LABEL_MAPS,
    connectivity=st.sampled_from([4, 8]),
    classes=st.none() | st.sets(st.sampled_from([-1, 0, 1, 2, 255])),
    order=st.sampled_from(['class', 'raster']),
    min_area=st.integers(0, 4),
)
def test_components_are_those_of_flood_filling(
    label_map, connectivity, classes, order, min_area
):
    classes = None if classes is None else sorted(classes)
    found = connected_components(label_map, connectivity, classes, order, min_area)
    expected = flood_fill(label_map, connectivity, classes, order, min_area)
    labels = np.zeros(label_map.shape, dtype=np.int32)
    for number, (_, pixels) in enumerate(expected, start=1):
        labels[tuple(np.transpose(pixels))] = number
    np.testing.assert_array_equal(found.labels, labels)
    assert found.classes.tolist() == [value for value, _ in expected]
    assert found.areas.tolist() == [len(pixels) for _, pixels in expected]
    for (_, pixels), box, centroid in zip(expected, found.boxes, found.centroids):
        y, x = np.transpose(pixels)
        assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
        np.testing.assert_allclose(centroid, [x.mean(), y.mean()], rtol=1e-12)
    shapes = [(*label_map.shape,), *(((len(expected), *more)) for more in MORE)]
    assert [entry.shape for entry in found] == shapes
    assert [entry.dtype for entry in found] == [np.int32, *[np.int64] * 3, np.float64]


MORE = ((), (), (4,), (2,))


@pytest.mark.parametrize('name', ['a', 'b_20cls', 'c_ties'])
def test_golden_blobs(name):
    data = np.load(GOLDEN / f'blobs_peaks_{name}.npz')
    found = connected_components(data['pred_class'])
    np.testing.assert_array_equal(found.labels, data['blobs'])
    np.testing.assert_array_equal(found.areas, data['blob_area'])
    np.testing.assert_array_equal(found.classes, data['peaks_class_row_col'][:, 0])
    counts = np.bincount(found.classes, minlength=len(data['counts']) + 1)
    np.testing.assert_array_equal(counts[1:], data['counts'])


def test_different_values_never_join_where_two_diagonals_cross():
    crossing = np.array([[1, 2], [2, 1]])
    assert connected_components(crossing).labels.tolist() == [[1, 2], [2, 1]]
    found = connected_components(crossing, connectivity=4, order='raster')
    assert found.labels.tolist() == [[1, 2], [3, 4]]
    assert found.classes.tolist() == [1, 2, 2, 1]


def test_rows_do_not_join_around_the_border():
    ends = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]])
    assert connected_components(ends).areas.tolist() == [1, 1, 1]


def test_tensors_give_tensors():
    label_map = torch.tensor([[0, 3, 3], [5, 0, 3]])
    found = connected_components(label_map)
    for entry, expected in zip(found, connected_components(label_map.numpy())):
        assert isinstance(entry, torch.Tensor)
        np.testing.assert_array_equal(entry, expected)


def test_false_positives_are_weighted_by_two_histograms():
    """What a loss needs of the components of all classes: no loop over them."""
    data = np.load(GOLDEN / 'blobs_peaks_a.npz')
    found = connected_components(torch.from_numpy(data['pred_class']))
    points = torch.tensor([[3, 5], [20, 11]])  # (x, y)
    hits = found.labels[points[:, 1], points[:, 0]]
    num_points = hits.bincount(minlength=len(found.areas) + 1)[1:]
    weights = (1 / found.areas).where(num_points == 0, 0)
    weight = torch.cat([weights.new_zeros(1), weights])[found.labels]
    expected = torch.zeros_like(weight)
    for number in range(1, len(found.areas) + 1):
        component = found.labels == number
        if not any(component[y, x] for x, y in points.tolist()):
            expected[component] = 1 / component.sum()
    torch.testing.assert_close(weight, expected)


PSEUDO = sorted(path.stem for path in GOLDEN.with_name('bestie').glob('pseudo_*.npz'))


@pytest.mark.parametrize('name', PSEUDO)
def test_golden_pseudo_labels_follow_from_components(name):
    """Objects are the components of 50 pixels with exactly one cue of their class."""
    path = GOLDEN.with_name('bestie') / f'{name}.npz'
    data = {key: torch.from_numpy(value) for key, value in np.load(path).items()}
    label_map, (x, y, label) = data['seg_map'], data['points_xyc_conf'][:, :3].long().T
    tags = data['label'].nonzero()[:, 0]
    found = connected_components(label_map, classes=(tags + 1).tolist(), min_area=50)
    hits = found.labels[y, x][label_map[y, x] == label + 1]
    accepted = hits.bincount(minlength=len(found.areas) + 1)[1:] == 1
    weight = torch.cat([torch.zeros(1), accepted.float()])[found.labels]
    assert torch.equal(weight[None], data['weight_map'])
    centroids = torch.cat([torch.zeros(1, 2).long(), found.centroids.long()])
    grid = torch.stack(torch.meshgrid(*map(torch.arange, weight.shape), indexing='ij'))
    offsets = (centroids[found.labels].permute(2, 0, 1).flip(0) - grid) * weight
    assert torch.equal(offsets, data['offset_map'])
    points, classes = found.centroids.long()[accepted], found.classes[accepted] - 1
    if data['point_supervised']:
        present = (label[:, None] == tags).any(1)
        points, classes = torch.stack([x, y], dim=1)[present], label[present]
    centers = draw_centers(
        points, classes, len(data['label']), weight.shape, data['sigma'].item()
    )
    torch.testing.assert_close(centers, data['center_map'], atol=1e-6, rtol=0)


def test_settings_and_maps_that_cannot_be_meant():
    label_map = np.ones((2, 3), dtype=int)
    with pytest.raises(ValueError, match='connectivity: expected 4 or 8, got 6'):
        connected_components(label_map, connectivity=6)
    with pytest.raises(ValueError, match="'class' or 'raster', got 'size'"):
        connected_components(label_map, order='size')
    with pytest.raises(ValueError, match=r'label_map: expected shape \(H, W\)'):
        connected_components(label_map[None])
    with pytest.raises(TypeError, match='expected integers or booleans, got float64'):
        connected_components(label_map / 2)
    with pytest.raises(TypeError, match='expected integers or booleans'):
        connected_components(torch.zeros(2, 3))


def test_separated_counts_components_from_a_size_on():
    mask = np.zeros((10, 10), dtype=bool)
    assert not is_separated(mask)
    mask[0, 0] = mask[1, 1] = True  # joined at a corner
    mask[5:9, 5:9] = True
    assert is_separated(mask, min_area=2)
    assert not is_separated(mask, min_area=3)
    with pytest.raises(ValueError, match=r'\(H, W\)'):
        is_separated(mask[None])
