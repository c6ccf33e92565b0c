"""Extreme points and boxes on the patch grid of an object crop."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_integers,
    check_shape,
    check_within,
)


class PointCells(NamedTuple):
    """Extreme points on the crop, pushed inwards, and the grid cells they lie in.

    Attributes:
        uv: (B, 4, 2) float64 crop pixels, order top, left, bottom, right.
        rows: (B, 4) int64 grid rows.
        cols: (B, 4) int64 grid columns.
    """

    uv: Tensor
    rows: Tensor
    cols: Tensor


def extreme_points_to_cells(
    points: Tensor,
    crop_boxes: Tensor,
    flips: Tensor,
    crop_size: int,
    patch_size: int,
    delta: float | Tensor,
) -> PointCells:
    r"""Move extreme points to the crop, push them inwards and find their grid cells.

    The initial foreground points of `EXITS <https://arxiv.org/abs/2405.20729>`__
    (section 3.2),

    .. math::
        \mathcal{P}_{FG} = \{(x^t, y^t + \delta), (x^l + \delta, y^l),
            (x^b, y^b - \delta), (x^r - \delta, y^r)\}.

    The push goes towards the centre of the box by ``delta`` and stops there; the flip
    comes last. The paper prints the push with a
    y axis that points upwards; here top moves down.

    Args:
        points: (B, 4, 2) ``(x, y)`` in the original image, order top, left, bottom,
            right; continuous: the middle of pixel (column, row) is
            (column + 0.5, row + 0.5).
        crop_boxes: (B, 4) half-open crop boxes ``(X0, Y0, X1, Y1)`` in the same
            pixels; may reach beyond the image.
        flips: (B,) whether the crop is mirrored left to right.
        crop_size: Side of the resized crop in pixels.
        patch_size: Side of a grid cell in pixels; divides ``crop_size``.
        delta: Push in pixels of the resized crop, at least 0; a number or (B,).

    Returns:
        :class:`PointCells`; cells outside the grid are moved to its border.

    Raises:
        ValueError: Wrong shapes, sizes or push, coordinates that are not finite, or a
            crop box without extent.

    Example:
        >>> points = torch.tensor([[[50, 20], [20, 60], [40, 99], [99, 70]]])
        >>> boxes, flips = torch.tensor([[0, 0, 128, 128]]), torch.tensor([False])
        >>> cells = extreme_points_to_cells(points, boxes, flips, 512, 16, delta=24)
        >>> cells.rows, cells.cols
        (tensor([[ 6, 15, 23, 17]]), tensor([[12,  6, 10, 23]]))
    """
    check_shape('points', points, ('B', 4, 2))
    batch = points.shape[0]
    check_shape('crop_boxes', crop_boxes, (batch, 4))
    check_shape('flips', flips, (batch,))
    check_finite('flips', flips)
    grid_size = _grid_size(crop_size, patch_size)
    crop_size = as_integer('crop_size', crop_size)
    patch_size = as_integer('patch_size', patch_size)
    if not (isinstance(delta, Tensor) and delta.ndim):
        delta = torch.tensor([as_number('delta', delta, '[0, inf)')])
    elif len(delta) != 1:
        check_shape('delta', delta, (batch,))
    # float64: a float32 coordinate may cross the border of a cell by rounding.
    points, boxes = points.double(), crop_boxes.to(points.device, torch.float64)
    delta = delta.to(points.device, torch.float64)
    extent = boxes[:, 2:] - boxes[:, :2]
    # One question for all, as the host may have to wait for the answer. NaN fails it,
    # and so does the difference of infinite numbers.
    valid = (extent > 0).all() & (delta >= 0).all() & (points - points == 0).all()
    if not valid:
        check_finite('points', points)
        check_finite('crop_boxes', boxes)
        check_within('delta', delta, 0, math.inf)
        raise ValueError(
            'crop_boxes: expected X1 > X0 and Y1 > Y0, got extents '
            f'{extent[(extent <= 0).any(1)].tolist()}.'
        )
    origin = boxes[:, None, :2]
    # Image -> pixels of the resized crop, (B, 4, 2).
    uv = (points - origin) * (crop_size / extent)[:, None]
    uv = _push_inwards(uv, delta)
    u = uv[..., 0]
    mirrored = flips.to(uv.device, torch.bool)[:, None]
    uv[..., 0] = torch.where(mirrored, crop_size - u, u)
    cells = (uv / patch_size).floor().clamp(0, grid_size - 1).long()
    return PointCells(uv, rows=cells[..., 1], cols=cells[..., 0])


def _push_inwards(uv: Tensor, delta: Tensor) -> Tensor:
    """Push each side of (B, 4, 2) points inwards, at most to the box centre."""
    top, left, bottom, right = uv[:, 0, 1], uv[:, 1, 0], uv[:, 2, 1], uv[:, 3, 0]
    centre_v, centre_u = (top + bottom) / 2, (left + right) / 2
    pushed = uv.clone()
    pushed[:, 0, 1] = torch.minimum(top + delta, centre_v)
    pushed[:, 1, 0] = torch.minimum(left + delta, centre_u)
    pushed[:, 2, 1] = torch.maximum(bottom - delta, centre_v)
    pushed[:, 3, 0] = torch.maximum(right - delta, centre_u)
    return pushed


def cells_to_grid(rows: Tensor, cols: Tensor, grid_size: int) -> Tensor:
    """Mark grid cells; cells named more than once count once.

    Args:
        rows: (B, k) integer grid rows in [0, grid_size).
        cols: (B, k) integer grid columns in [0, grid_size).
        grid_size: Side N of the grid in cells.

    Returns:
        (B, N, N) bool.

    Raises:
        TypeError: Rows or columns are no integers.
        ValueError: Shapes differ, or a cell lies outside the grid.

    Example:
        >>> cells_to_grid(torch.tensor([[0, 2]]), torch.tensor([[1, 2]]), 3).int()
        tensor([[[0, 1, 0],
                 [0, 0, 0],
                 [0, 0, 1]]], dtype=torch.int32)
    """
    check_shape('rows', rows, ('B', 'k'))
    check_shape('cols', cols, tuple(rows.shape), like=rows)
    check_integers('rows', rows)
    check_integers('cols', cols)
    grid_size = as_integer('grid_size', grid_size, 1)
    # One question for both, as the host may have to wait for the answer.
    rows, cols = cells = torch.stack([rows.long(), cols.long()])
    if cells.numel() and not ((cells >= 0) & (cells < grid_size)).all():
        check_within('rows', rows, 0, grid_size - 1)
        check_within('cols', cols, 0, grid_size - 1)
    grid = torch.zeros(
        rows.shape[0], grid_size * grid_size, dtype=torch.bool, device=rows.device
    )
    grid.scatter_(1, rows * grid_size + cols, True)
    return grid.view(len(rows), grid_size, grid_size)


def box_cells(box_mask: Tensor, patch_size: int) -> Tensor:
    """Mark the grid cells that hold any pixel of the box.

    Args:
        box_mask: (B, S, S) box masks, non-zero inside the box.
        patch_size: Side of a grid cell in pixels; divides S.

    Returns:
        (B, N, N) bool with ``N = S / patch_size``.

    Raises:
        ValueError: Not square, not a multiple of the patch size, or NaN or infinity.

    Example:
        >>> box_mask = torch.zeros(1, 4, 4)
        >>> box_mask[0, 1:2, 1:3] = 1  # touches both upper cells
        >>> box_cells(box_mask, patch_size=2).int()
        tensor([[[1, 1],
                 [0, 0]]], dtype=torch.int32)
    """
    check_shape('box_mask', box_mask, ('B', 'S', 'S'))
    check_finite('box_mask', box_mask)
    patch_size = as_integer('patch_size', patch_size, 1)
    batch, size = box_mask.shape[:2]
    grid_size = _grid_size(size, patch_size)
    # (B, N, patch, N, patch): the pixels of a cell are dimensions 2 and 4.
    blocks = box_mask.reshape(batch, grid_size, patch_size, grid_size, patch_size)
    return blocks.ne(0).any(2).any(3)


def _grid_size(crop_size: int, patch_size: int) -> int:
    """Return the number of patches per side."""
    crop_size = as_integer('crop_size', crop_size, 1)
    patch_size = as_integer('patch_size', patch_size, 1)
    if crop_size % patch_size:
        raise ValueError(
            f'crop_size: expected a multiple of patch_size {patch_size}, got '
            f'{crop_size}.'
        )
    return crop_size // patch_size
