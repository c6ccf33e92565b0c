import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import box_cells, cells_to_grid, extreme_points_to_cells

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def slow_cells(points, crop_box, flip, crop_size, patch_size, delta):
    """Spec, section 6.2, one point at a time on Python numbers."""
    x0, y0, x1, y1 = crop_box
    uv = [
        [
            (x - x0) * crop_size / (x1 - x0),
            (y - y0) * crop_size / (y1 - y0),
        ]
        for x, y in points
    ]
    (_, top), (left, _), (_, bottom), (right, _) = uv
    uv[0][1] = min(top + delta, (top + bottom) / 2)
    uv[1][0] = min(left + delta, (left + right) / 2)
    uv[2][1] = max(bottom - delta, (top + bottom) / 2)
    uv[3][0] = max(right - delta, (left + right) / 2)
    if flip:
        uv = [[crop_size - u, v] for u, v in uv]
    last = crop_size // patch_size - 1
    cells = [
        [min(max(math.floor(value / patch_size), 0), last) for value in pair]
        for pair in uv
    ]
    return uv, [row for _, row in cells], [col for col, _ in cells]


def test_golden_points():
    data = np.load(GOLDEN / 'points_101.npz')
    size, grid = int(data['S']), int(data['N'])
    cells = extreme_points_to_cells(
        torch.from_numpy(data['extreme_xy_tlbr']) + 0.5,  # of pixels, their middles
        torch.from_numpy(data['ext_box']),
        torch.from_numpy(data['flip']),
        crop_size=size,
        patch_size=size // grid,
        delta=torch.from_numpy(data['delta']),
    )
    np.testing.assert_allclose(cells.uv.numpy(), data['pushed_uv'], rtol=0, atol=1e-9)
    assert np.array_equal(cells.rows.numpy(), data['row'])
    assert np.array_equal(cells.cols.numpy(), data['col'])
    counts = cells_to_grid(cells.rows, cells.cols, grid).flatten(1).sum(1)
    assert np.array_equal(counts.numpy(), data['n_unique'])


def test_golden_box_cells():
    data = np.load(GOLDEN / 'boxcells_103.npz')
    masks = np.unpackbits(data['boxmask_packed'], axis=1).reshape(-1, 512, 512)
    cells = box_cells(torch.from_numpy(masks), 16)
    assert cells.dtype == torch.bool
    assert np.array_equal(cells.numpy(), data['in_box_cells'])


def test_points_by_hand():
    points = torch.tensor([[100, 50], [60, 90], [110, 149], [139, 80]]).expand(2, 4, 2)
    crop_boxes = torch.tensor([[40, 30, 160, 170]] * 2)
    cells = extreme_points_to_cells(
        points + 0.5, crop_boxes, torch.tensor([False, True]), 512, 16, 24
    )
    expected = [(258.13, 98.97), (111.47, 221.26), (300.80, 413.03), (400.53, 184.69)]
    np.testing.assert_allclose(cells.uv[0].numpy(), expected, rtol=0, atol=0.01)
    assert cells.rows.tolist() == [[6, 13, 25, 11]] * 2
    assert cells.cols.tolist() == [[16, 6, 18, 25], [15, 25, 13, 6]]


@settings(max_examples=50, deadline=None)
@given(
    left=st.integers(0, 90),
    top=st.integers(0, 90),
    width=st.integers(0, 120),
    height=st.integers(0, 120),
    along=st.floats(0, 1),
    margin=st.integers(0, 60),
    flip=st.booleans(),
    delta=st.sampled_from([0, 12, 24, 600]),
)
def test_equals_one_point_at_a_time(
    left, top, width, height, along, margin, flip, delta
):
    x, y = left + along * width, top + along * height
    points = [[x, top], [left, y], [x, top + height], [left + width, y]]
    crop_box = [
        left - margin,
        top - margin,
        left + width + 1 + margin,
        top + height + 1 + margin,
    ]
    cells = extreme_points_to_cells(
        torch.tensor([points], dtype=torch.float64),
        torch.tensor([crop_box]),
        torch.tensor([flip]),
        512,
        16,
        delta,
    )
    uv, rows, cols = slow_cells(points, crop_box, flip, 512, 16, delta)
    np.testing.assert_allclose(cells.uv[0].numpy(), uv, rtol=0, atol=1e-9)
    near = np.abs(np.array(uv) / 16 - np.round(np.array(uv) / 16)).min() < 1e-9
    if not near:
        assert cells.rows[0].tolist() == rows
        assert cells.cols[0].tolist() == cols


def test_flip_mirrors_the_cells_of_a_symmetric_object():
    points = torch.tensor([[[50, 10], [10, 50], [50, 90], [90, 50]]])
    box = torch.tensor([[0, 0, 100, 100]])
    plain, flipped = (
        extreme_points_to_cells(points, box, torch.tensor([flip]), 512, 16, 24)
        for flip in (False, True)
    )
    assert plain.rows.tolist() == flipped.rows.tolist()
    assert plain.cols[0, 1] == flipped.cols[0, 3]


def test_box_cells_equals_loops():
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(3, 24, 24, generator=generator) > 0.97
    cells = box_cells(masks.to(torch.uint8), 4)
    for sample, row, col in np.ndindex(3, 6, 6):
        block = masks[sample, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4]
        assert cells[sample, row, col] == bool(block.any())


def test_cells_named_twice_count_once():
    grid = cells_to_grid(torch.tensor([[1, 1, 0]]), torch.tensor([[2, 2, 0]]), 3)
    assert grid.nonzero().tolist() == [[0, 0, 0], [0, 1, 2]]


def test_empty_batch():
    cells = extreme_points_to_cells(
        torch.zeros(0, 4, 2), torch.zeros(0, 4), torch.zeros(0), 512, 16, 24
    )
    assert cells.uv.shape == (0, 4, 2)
    assert cells_to_grid(cells.rows, cells.cols, 32).shape == (0, 32, 32)
    assert box_cells(torch.zeros(0, 512, 512), 16).shape == (0, 32, 32)


def test_wrong_arguments():
    points, boxes, flips = torch.zeros(1, 4, 2), torch.ones(1, 4), torch.zeros(1)
    with pytest.raises(ValueError, match=r'points: expected shape \(B, 4, 2\), got'):
        extreme_points_to_cells(points[:, :3], boxes, flips, 512, 16, 24)
    with pytest.raises(ValueError, match='expected X1 > X0 and Y1 > Y0, got extents'):
        extreme_points_to_cells(points, boxes, flips, 512, 16, 24)
    with pytest.raises(ValueError, match='expected a multiple of patch_size 16, got 5'):
        box_cells(torch.zeros(1, 500, 500), 16)
    with pytest.raises(ValueError, match=r'box_mask: expected shape \(B, S, S\)'):
        box_cells(torch.zeros(1, 32, 64), 16)
