"""The point retrieval of EXITS as in Fig. 6 of the paper, with its maps."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .canvas import Canvas
from .palette import (
    EXTREME_POINT_COLORS,
    INITIAL_BG_COLOR,
    INITIAL_FG_COLOR,
    PSEUDO_BG_COLOR,
    PSEUDO_FG_COLOR,
    Color,
    heatmap,
)
from .sheet import Tile, contact_sheet

RETRIEVAL_LEGEND: list[tuple[str, Color]] = [
    ('initial foreground', INITIAL_FG_COLOR),
    ('initial background', INITIAL_BG_COLOR),
    ('pseudo foreground', PSEUDO_FG_COLOR),
    ('pseudo background', PSEUDO_BG_COLOR),
]


@dataclass(frozen=True)
class RetrievalFigure:
    """All that the figure of one crop shows.

    Attributes:
        crop: RGB ``(S, S, 3)``, uint8: what the similarity extractor saw.
        box_mask: ``(S, S)``, non-zero inside the box.
        extreme_points: ``(4, 2)`` as ``(u, v)`` on the crop; top, left, bottom, right.
        init_fg, init_bg, pseudo_fg, pseudo_bg: bool ``(N, N)``.
        score_fg, score_bg: ``(N, N)``; propagation scores (EXITS, Eq. 3, 4).
        similarity: ``(N*N, N*N)``; row ``i`` is how cell ``i`` sees all cells.
        name: Caption of the first tile, such as the annotation's id.
    """

    crop: np.ndarray
    box_mask: np.ndarray
    extreme_points: np.ndarray
    init_fg: np.ndarray
    init_bg: np.ndarray
    pseudo_fg: np.ndarray
    pseudo_bg: np.ndarray
    score_fg: np.ndarray
    score_bg: np.ndarray
    similarity: np.ndarray
    name: str = ''


def points_on_crop(
    points: np.ndarray, crop_box: Sequence[float], flip: bool, crop_size: int
) -> np.ndarray:
    """Move points of the original image onto a crop, without EXITS' push into the grid.

    Args:
        points: ``(K, 2)``, continuous ``(x, y)`` in the original image.
        crop_box: ``(X0, Y0, X1, Y1)``.
        flip: Whether the crop is mirrored.
        crop_size: Side of the crop in pixels.

    Returns:
        ``(K, 2)``, continuous ``(u, v)`` on the crop.
    """
    left, top, right, bottom = (float(value) for value in crop_box)
    moved = np.empty((len(points), 2))
    moved[:, 0] = (points[:, 0] - left) * crop_size / (right - left)
    moved[:, 1] = (points[:, 1] - top) * crop_size / (bottom - top)
    if flip:
        moved[:, 0] = crop_size - moved[:, 0]
    return moved


def chosen_cell(figure: RetrievalFigure) -> int:
    """Pick the cell whose similarity is shown: the initial point of highest score.

    Args:
        figure: The figure; without initial foreground its middle cell is taken.

    Returns:
        Index ``row * N + col``.
    """
    size = figure.init_fg.shape[0]
    if not figure.init_fg.any():
        return (size // 2) * size + size // 2
    score = np.where(figure.init_fg, figure.score_fg, -np.inf)
    return int(score.argmax())


def retrieval_tiles(figure: RetrievalFigure, side: int = 256) -> list[Tile]:
    """Draw the seven tiles of one crop.

    Args:
        figure: What to draw.
        side: Side of a tile in pixels.

    Returns:
        Crop with labels; initial cells; pseudo points; the two score maps; their
        difference; similarity of one cell.
    """
    cell = chosen_cell(figure)
    difference = figure.score_fg - figure.score_bg
    reach = float(np.abs(difference).max())
    counts = (
        f'{int(figure.pseudo_fg.sum())} pseudo foreground, '
        f'{int(figure.pseudo_bg.sum())} pseudo background cells'
    )
    initial = f'{int(figure.init_fg.sum())} initial foreground, '
    initial += f'{int(figure.init_bg.sum())} initial background cells'
    difference_tile = Tile(
        _map_on_crop(figure, difference, (-reach, reach), 'RdBu_r', side),
        f'score difference, ±{reach:.2g}',
    )
    return [
        Tile(_crop_with_labels(figure, side), figure.name),
        Tile(_initial_cells(figure, side), initial),
        Tile(_pseudo_points(figure, side), counts),
        _score_tile(figure, figure.score_fg, 'foreground score', side),
        _score_tile(figure, figure.score_bg, 'background score', side),
        difference_tile,
        _similarity_tile(figure, cell, side),
    ]


def retrieval_sheet(
    figures: Sequence[RetrievalFigure], title: str = 'EXITS point retrieval'
) -> np.ndarray:
    """One row per crop.

    Args:
        figures: The crops; at least one.
        title: Heading.

    Returns:
        RGB image, uint8.
    """
    tiles = [tile for figure in figures for tile in retrieval_tiles(figure)]
    points = [(f'{name} point', color) for name, color in EXTREME_POINT_COLORS.items()]
    return contact_sheet(tiles, 7, title, [*RETRIEVAL_LEGEND, *points])


def _canvas(image: np.ndarray, side: int) -> Canvas:
    return Canvas(image, min_side=side, max_side=side)


def _crop_with_labels(figure: RetrievalFigure, side: int) -> np.ndarray:
    canvas = _canvas(figure.crop, side)
    canvas.mask(figure.box_mask, (255, 255, 255), alpha=0.0)
    return canvas.extreme_points(figure.extreme_points).image


def _initial_cells(figure: RetrievalFigure, side: int) -> np.ndarray:
    """Tint the initial cells over the crop."""
    canvas = _canvas(figure.crop, side)
    canvas.mask(_cells_to_pixels(figure.init_bg, figure), INITIAL_BG_COLOR, 0.35)
    canvas.mask(_cells_to_pixels(figure.init_fg, figure), INITIAL_FG_COLOR, 0.75)
    return canvas.image


def _pseudo_points(figure: RetrievalFigure, side: int) -> np.ndarray:
    """Fig. 6: one dot per cell, initial white, pseudo red and green."""
    dimmed = (figure.crop * 0.75).astype(np.uint8)
    canvas = _canvas(dimmed, side)
    step = figure.crop.shape[0] / figure.init_fg.shape[0]
    radius = max(1.5, 0.28 * side / figure.init_fg.shape[0])
    layers = (
        (figure.pseudo_bg, PSEUDO_BG_COLOR, radius),
        (figure.pseudo_fg, PSEUDO_FG_COLOR, radius),
        (figure.init_fg, INITIAL_FG_COLOR, radius * 1.5),
    )
    for cells, color, size in layers:
        for row, column in np.argwhere(cells):
            u, v = (column + 0.5) * step, (row + 0.5) * step
            canvas.point(u, v, color, radius=size, pixel=False)
    return canvas.image


def _score_tile(
    figure: RetrievalFigure, score: np.ndarray, title: str, side: int
) -> Tile:
    low, high = float(score.min()), float(score.max())
    drawn = _map_on_crop(figure, score, (low, high), 'viridis', side)
    return Tile(drawn, f'{title}, {low:.4g} to {high:.4g}')


def _similarity_tile(figure: RetrievalFigure, cell: int, side: int) -> Tile:
    """How the chosen cell sees the crop; itself left out, it would outshine all."""
    size = figure.init_fg.shape[0]
    values = figure.similarity[cell].reshape(size, size).astype(np.float64).copy()
    row, column = divmod(cell, size)
    others = np.ones_like(values, dtype=bool)
    others[row, column] = False
    high = float(np.percentile(values[others], 99.5)) if size > 1 else 1.0
    low = float(values[others].min()) if size > 1 else 0.0
    canvas = _canvas(_map_on_crop(figure, values, (low, high), 'magma', side), side)
    step = side / size
    canvas.cross((column + 0.5) * step, (row + 0.5) * step, (255, 255, 255))
    caption = (
        f'similarity of cell (row {row}, column {column}), {low:.2g} to {high:.2g}'
    )
    return Tile(canvas.image, caption)


def _map_on_crop(
    figure: RetrievalFigure,
    values: np.ndarray,
    span: tuple[float, float],
    name: str,
    side: int,
) -> np.ndarray:
    """Colour a map of cells, with the box and a hint of the crop below it."""
    colors = heatmap(values, *span, name)
    large = cv2.resize(colors, (side, side), interpolation=cv2.INTER_NEAREST)
    gray = cv2.cvtColor(_canvas(figure.crop, side).image, cv2.COLOR_RGB2GRAY)
    mixed = (0.75 * large + 0.25 * gray[..., None]).round().astype(np.uint8)
    box = cv2.resize(
        (figure.box_mask != 0).astype(np.uint8),
        (side, side),
        interpolation=cv2.INTER_NEAREST,
    )
    return _canvas(mixed, side).mask(box, (255, 255, 255), alpha=0.0).image


def _cells_to_pixels(cells: np.ndarray, figure: RetrievalFigure) -> np.ndarray:
    """Blow a map of cells up to the size of the crop."""
    size = figure.crop.shape[1], figure.crop.shape[0]
    return cv2.resize(cells.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
