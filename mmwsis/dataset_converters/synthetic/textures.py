"""Colours and textures of the synthetic scenes.

A texture is a zero-centred pattern in about [-1, 1] that is added to a base colour
with a moderate amplitude: enough to tell classes apart, little enough that an
object's interior stays closer to itself than to what surrounds it. Triangle waves
stand in for sines, so that the same bytes come out on every platform.
"""

import colorsys
from collections.abc import Sequence

import numpy as np

from .random_draws import between

RGB = tuple[float, float, float]

# The ends of each hue range belong to the next class too, so that colour helps, as it
# does in photographs, but does not name the class.
THING_HUES = {
    'disc': (-33, 33),
    'ring': (27, 93),
    'square': (87, 153),
    'triangle': (147, 213),
    'star': (207, 273),
    'bar': (267, 333),
}
# Hue, saturation and value ranges of the stuff classes.
STUFF_COLOURS = {
    'sky': ((195, 225), (0.25, 0.55), (0.75, 0.95)),
    'grass': ((85, 125), (0.35, 0.60), (0.35, 0.60)),
    'sand': ((30, 48), (0.25, 0.50), (0.65, 0.85)),
}
CANDIDATES = 32
MIN_COLOUR_DISTANCE = 85.0


def stuff_colour(rng: np.random.Generator, name: str) -> RGB:
    """Base colour of a stuff region, RGB in 0..255."""
    return _from_hsv(*(between(rng, *limits) for limits in STUFF_COLOURS[name]))


def thing_colour(rng: np.random.Generator, name: str, avoid: Sequence[RGB]) -> RGB:
    """Base colour of an object that differs from what it may lie next to.

    Args:
        rng: Random generator of the scene.
        name: Thing class, a key of :data:`THING_HUES`.
        avoid: Colours of the scene's stuff and earlier objects.

    Returns:
        RGB in 0..255: the first candidate that is far enough from all of ``avoid``,
        or else the farthest one.
    """
    best, best_distance = (0.0, 0.0, 0.0), -1.0
    for _ in range(CANDIDATES):
        colour = _from_hsv(
            between(rng, *THING_HUES[name]),
            between(rng, 0.60, 0.95),
            between(rng, 0.50, 0.95),
        )
        distance = min((_squared_distance(colour, c) for c in avoid), default=1e9)
        if distance > best_distance:
            best, best_distance = colour, distance
        if distance >= MIN_COLOUR_DISTANCE**2:
            break
    return best


def thing_texture(
    rng: np.random.Generator, name: str, u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Pattern of a thing class in the object's own frame.

    Args:
        rng: Random generator of the scene.
        name: Thing class.
        u: Pixel centres along the object's u axis, (H, W) in pixels.
        v: Same along its v axis.

    Returns:
        Pattern (H, W) in [-1, 1].
    """
    period = between(rng, 5.0, 8.0)
    if name == 'disc':  # dots on a lattice
        return np.where(_wave(u, period) + _wave(v, period) > 0.35, 1.0, -0.4)
    if name == 'ring':  # circles around the centre
        return _wave(np.sqrt(u * u + v * v), period)
    if name == 'square':  # chequers
        return np.where((u // period + v // period) % 2 == 0, 1.0, -1.0)
    if name == 'triangle':  # stripes
        return np.where(_wave(v, period) > 0, 1.0, -1.0)
    if name == 'star':  # blotches
        return value_noise(rng, u.shape, between(rng, 4.0, 7.0))
    return np.maximum(_wave(u, period), _wave(v, period))  # bar: a grid


def stuff_texture(
    rng: np.random.Generator, name: str, shape: tuple[int, int]
) -> np.ndarray:
    """Pattern of a stuff class.

    Args:
        rng: Random generator of the scene.
        name: Stuff class.
        shape: Height and width in pixels.

    Returns:
        Pattern (H, W) in about [-1.5, 1.5].
    """
    height, width = shape
    if name == 'sky':  # a gradient and soft clouds
        ramp = np.linspace(-1, 1, height)[:, None] * np.ones((1, width))
        return 0.7 * ramp + 0.6 * value_noise(rng, shape, 24.0)
    if name == 'grass':  # upright blades
        return 0.9 * value_noise(rng, shape, 2.5, stretch=3.0)
    return 0.6 * value_noise(rng, shape, 2.0) + 0.6 * value_noise(rng, shape, 12.0)


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], cell: float, stretch: float = 1.0
) -> np.ndarray:
    """Smooth noise: random values on a lattice, linearly interpolated.

    Args:
        rng: Random generator of the scene.
        shape: Height and width in pixels.
        cell: Lattice spacing in pixels along x, > 0.
        stretch: Spacing along y as a multiple of ``cell``.

    Returns:
        Noise (H, W) in [-1, 1].
    """
    rows, row_share = _lattice(shape[0], cell * stretch)
    columns, column_share = _lattice(shape[1], cell)
    lattice = 2 * rng.random((rows[-1] + 2, columns[-1] + 2)) - 1
    upper, lower = lattice[rows], lattice[rows + 1]
    band = upper + (lower - upper) * row_share[:, None]
    left, right = band[:, columns], band[:, columns + 1]
    return left + (right - left) * column_share[None, :]


def _lattice(length: int, cell: float) -> tuple[np.ndarray, np.ndarray]:
    position = np.arange(length) / cell
    index = np.floor(position).astype(np.int64)
    return index, position - index


def _wave(x: np.ndarray, period: float) -> np.ndarray:
    """Triangle wave in [-1, 1]."""
    phase = x / period
    return 4 * np.abs(phase - np.floor(phase + 0.5)) - 1


def _from_hsv(hue: float, saturation: float, value: float) -> RGB:
    red, green, blue = colorsys.hsv_to_rgb((hue % 360) / 360, saturation, value)
    return 255 * red, 255 * green, 255 * blue


def _squared_distance(a: RGB, b: RGB) -> float:
    return sum((x - y) ** 2 for x, y in zip(a, b))
