"""Layout of the stuff regions: sky over grass and sand, and strips."""

import numpy as np

from .random_draws import between, chance
from .shapes import Placement, local_coordinates
from .textures import value_noise

FRAME = 128  # side for which lengths in pixels are stated
SKY, GRASS, SAND = 0, 1, 2


def draw_regions(rng: np.random.Generator, size: int) -> np.ndarray:
    """Divide a scene into sky, grass and sand.

    Args:
        rng: Random generator of the scene.
        size: Side of the square scene in pixels.

    Returns:
        Region index (size, size) uint8: 0 sky, 1 grass, 2 sand.
    """
    axis = np.arange(size, dtype=np.float64) + 0.5 - size / 2
    x, y = axis[None, :], axis[:, None]
    wobble = 5 * value_noise(rng, (size, size), 28.0 * size / FRAME) * size / FRAME
    horizon = between(rng, -0.3, 0.12) * size
    tilt = between(rng, -0.2, 0.2)
    ground = y + tilt * x + wobble > horizon
    # The ground is split by a slanted line; either side may be the grass.
    lean = between(rng, -1.0, 1.0)
    shift = between(rng, -0.35, 0.35) * size
    first = x + lean * y - 1.5 * wobble > shift
    if chance(rng, 0.5):
        first = ~first
    regions = np.where(ground, np.where(first, GRASS, SAND), SKY)
    return regions.astype(np.uint8)


def strip_mask(
    centre: tuple[float, float], angle: float, width: float, size: int
) -> np.ndarray:
    """Straight band through a point and across the whole scene.

    Args:
        centre: (x, y) in pixels that the middle of the band passes.
        angle: Direction in degrees.
        width: Width in pixels, > 0.
        size: Side of the square scene in pixels.

    Returns:
        Boolean mask (size, size).
    """
    _, across = local_coordinates(Placement(*centre, 1, 1, angle), size)
    return np.abs(across) <= width / 2
