"""Clicks that miss: extreme points and boxes as people draw them, simulated."""

from collections.abc import Sequence

import numpy as np

# Hundredths of a pixel, as COCO's own polygons and boxes.
_DECIMALS = 2


def move_clicks(
    points: Sequence[Sequence[float]],
    size: tuple[int, int],
    share: float,
    generator: np.random.Generator,
) -> list[list[float]]:
    """Move four extreme points at random.

    Both coordinates of each click get a Gaussian error, whose standard deviation is a
    share of the object's width (x) or height (y). A click that comes to lie outside the
    box of the others is moved onto its edge, so that each stays the outermost on its
    side; of sides that change places the order is restored.

    Args:
        points: Top, left, bottom, right, each ``[x, y]``, continuous.
        size: (H, W) of the image in pixels, which no click leaves.
        share: Standard deviation as a share of the object's sides, at least 0.
        generator: Of the object alone, so that no other object changes its errors.

    Returns:
        Top, left, bottom, right, which span at least a pixel each way.
    """
    clicks = np.asarray(points, dtype=np.float64)
    edges = clicks[[1, 0, 3, 2], [0, 1, 0, 1]]
    errors = _errors(edges, share, generator)
    clicks = clicks + errors
    x0, y0, x1, y1 = _edges(edges, errors, size)
    (x_top, _), (_, y_left), (x_bottom, _), (_, y_right) = clicks
    x_top, x_bottom = np.clip((x_top, x_bottom), x0, x1)
    y_left, y_right = np.clip((y_left, y_right), y0, y1)
    moved = [(x_top, y0), (x0, y_left), (x_bottom, y1), (x1, y_right)]
    return np.round(moved, _DECIMALS).tolist()


def move_edges(
    box: Sequence[float],
    size: tuple[int, int],
    share: float,
    generator: np.random.Generator,
) -> list[float]:
    """Move the edges of a box as :func:`move_clicks` moves those of its four clicks.

    Args:
        box: ``[x, y, width, height]``.
        size: As for :func:`move_clicks`.
        share: As for :func:`move_clicks`.
        generator: In the same state it gives the same edges.

    Returns:
        ``[x, y, width, height]``.
    """
    x, y, width, height = box
    edges = np.array([x, y, x + width, y + height], dtype=np.float64)
    errors = _errors(edges, share, generator)
    x0, y0, x1, y1 = np.round(_edges(edges, errors, size), _DECIMALS)
    return np.round([x0, y0, x1 - x0, y1 - y0], _DECIMALS).tolist()


def _errors(
    edges: np.ndarray, share: float, generator: np.random.Generator
) -> np.ndarray:
    """Errors (4, 2) of the clicks top, left, bottom, right."""
    return generator.standard_normal((4, 2)) * share * (edges[2:] - edges[:2])


def _edges(edges: np.ndarray, errors: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Left, top, right, bottom, in order, in the image, a pixel apart."""
    moved = edges + errors[[1, 0, 3, 2], [0, 1, 0, 1]]
    limits = np.array(size[::-1], dtype=np.float64)
    low = np.minimum(moved[:2], moved[2:]).clip(0, limits - 1)
    high = np.maximum(moved[:2], moved[2:]).clip(low + 1, limits)
    return np.concatenate([low, high])
