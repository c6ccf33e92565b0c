"""Outlines of the six thing classes, evaluated at pixel centres.

A shape is a test on coordinates ``(u, v)`` that are centred on the object, turned
with it, and measured in half-extents: the shape fills about [-1, 1] x [-1, 1].
Only IEEE-exact operations are used per pixel, so that masks are equal everywhere.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

STAR_POINTS = 5


@dataclass(frozen=True)
class Placement:
    """Where and how large an object is.

    Attributes:
        x: Centre column in pixels.
        y: Centre row in pixels.
        half_length: Half the extent along the object's own u axis, in pixels.
        half_width: Half the extent along its v axis, in pixels.
        angle: Turn of the u axis against the x axis in degrees.
        hole: Inner radius of a ring as a fraction of its outer one.
    """

    x: float
    y: float
    half_length: float
    half_width: float
    angle: float
    hole: float = 0.0


def local_coordinates(placement: Placement, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixel centres in the object's turned frame.

    Args:
        placement: Position and angle of the object.
        size: Side of the square scene in pixels.

    Returns:
        ``u`` and ``v``, float64 arrays (size, size) in pixels.
    """
    radians = math.radians(placement.angle)
    # Rounded, because the last bit of a sine differs between C libraries.
    cosine = round(math.cos(radians) * 4096) / 4096
    sine = round(math.sin(radians) * 4096) / 4096
    x = np.arange(size, dtype=np.float64)[None, :] + 0.5 - placement.x
    y = np.arange(size, dtype=np.float64)[:, None] + 0.5 - placement.y
    return x * cosine + y * sine, y * cosine - x * sine


def shape_mask(name: str, placement: Placement, size: int) -> np.ndarray:
    """Full (unoccluded) mask of an object.

    Args:
        name: One of :data:`SHAPES`.
        placement: Where it is.
        size: Side of the square scene in pixels.

    Returns:
        Boolean mask (size, size).

    Raises:
        ValueError: An unknown shape.
    """
    if name not in SHAPES:
        raise ValueError(f'shape {name!r} is unknown; expected one of {sorted(SHAPES)}')
    u, v = local_coordinates(placement, size)
    return SHAPES[name](
        u / placement.half_length, v / placement.half_width, placement.hole
    )


def _disc(u: np.ndarray, v: np.ndarray, hole: float) -> np.ndarray:
    return u * u + v * v <= 1


def _ring(u: np.ndarray, v: np.ndarray, hole: float) -> np.ndarray:
    radius = u * u + v * v
    return (radius <= 1) & (radius >= hole * hole)


def _rectangle(u: np.ndarray, v: np.ndarray, hole: float) -> np.ndarray:
    return (np.abs(u) <= 1) & (np.abs(v) <= 1)


def _triangle(u: np.ndarray, v: np.ndarray, hole: float) -> np.ndarray:
    return (v <= 1) & (2 * np.abs(u) <= v + 1)


def _star(u: np.ndarray, v: np.ndarray, hole: float) -> np.ndarray:
    return points_in_polygon(u, v, _star_corners())


def _star_corners(inner: float = 0.46) -> list[tuple[float, float]]:
    corners = []
    for k in range(2 * STAR_POINTS):
        radius = 1.0 if k % 2 == 0 else inner
        turn = math.pi * k / STAR_POINTS
        corners.append(
            (round(radius * math.sin(turn), 4), round(-radius * math.cos(turn), 4))
        )
    return corners


def points_in_polygon(
    u: np.ndarray, v: np.ndarray, corners: list[tuple[float, float]]
) -> np.ndarray:
    """Even-odd test of many points against one polygon.

    Args:
        u: Horizontal coordinates, any shape.
        v: Vertical coordinates, same shape.
        corners: At least three (u, v) corners in order.

    Returns:
        Boolean array of the same shape.
    """
    inside = np.zeros(np.shape(u), dtype=bool)
    for (u0, v0), (u1, v1) in zip(corners, corners[1:] + corners[:1]):
        if v0 == v1:
            continue
        crosses = (v0 > v) != (v1 > v)
        inside ^= crosses & (u < (u1 - u0) * ((v - v0) / (v1 - v0)) + u0)
    return inside


SHAPES: dict[str, Callable[[np.ndarray, np.ndarray, float], np.ndarray]] = {
    'disc': _disc,
    'ring': _ring,
    'square': _rectangle,
    'triangle': _triangle,
    'star': _star,
    'bar': _rectangle,
}
