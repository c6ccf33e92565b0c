"""Displacement fields as colours: the angle is the hue, the length the saturation."""

import cv2
import numpy as np

from .canvas import Canvas


def displacement_colors(
    displacement: np.ndarray, longest: float | None = None
) -> np.ndarray:
    """Colour every displacement by its direction and length.

    Args:
        displacement: ``(2, h, w)``, (dy, dx).
        longest: Length of full saturation; by default the 99th percentile. What is not
            displaced is white.

    Returns:
        RGB ``(h, w, 3)``, uint8.

    Raises:
        ValueError: ``displacement`` is no such field.
    """
    displacement = np.asarray(displacement, dtype=np.float32)
    if displacement.ndim != 3 or len(displacement) != 2 or not displacement.size:
        raise ValueError(
            f'Expected a field (2, h, w) of (dy, dx), got shape {displacement.shape}.'
        )
    dy, dx = displacement
    length = np.hypot(dy, dx)
    if longest is None:
        longest = float(np.percentile(length, 99))
    angle = np.degrees(np.arctan2(dy, dx)) % 360
    saturation = np.clip(length / max(longest, 1e-6), 0, 1)
    hsv = np.stack([angle, saturation, np.ones_like(angle)], axis=-1)
    rgb = cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)
    return (255 * rgb).round().astype(np.uint8)


def draw_displacement(
    image: np.ndarray,
    displacement: np.ndarray,
    longest: float | None = None,
    wheel: bool = True,
    min_side: int = 256,
    max_side: int = 640,
) -> np.ndarray:
    """Image of a displacement field at the size of its image.

    Args:
        image: RGB ``(H, W, 3)``, uint8; only its size is used.
        displacement: ``(2, h, w)``, (dy, dx); any resolution.
        longest: See :func:`displacement_colors`.
        wheel: Put the colour wheel, the key to the colours, into the corner with the
            shortest displacements: the colour at a place of it is that of the arrow
            from its centre.
        min_side: See :class:`Canvas`.
        max_side: See :class:`Canvas`.

    Returns:
        RGB image, uint8.
    """
    canvas = Canvas(image, min_side, max_side).image
    height, width = canvas.shape[:2]
    colors = displacement_colors(displacement, longest)
    rgb = cv2.resize(colors, (width, height), interpolation=cv2.INTER_NEAREST)
    side = min(height, width) // 4
    if wheel and side >= 16:
        disc, inside = color_wheel(side)
        bottom, right = _emptiest_corner(displacement)
        top, left = bottom * (height - side), right * (width - side)
        rgb[top : top + side, left : left + side][inside] = disc[inside]
    return rgb


def _emptiest_corner(displacement: np.ndarray) -> tuple[bool, bool]:
    """The corner that is displaced least, lower right of equals: (bottom, right)."""
    length = np.hypot(*np.asarray(displacement, dtype=np.float32))
    rows, columns = (max(1, side // 4) for side in length.shape)
    corners = {
        (bottom, right): length[
            -rows if bottom else 0 : None if bottom else rows,
            -columns if right else 0 : None if right else columns,
        ].sum()
        for bottom in (True, False)
        for right in (True, False)
    }
    return min(corners, key=corners.get)


def color_wheel(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours of all directions, with a dark rim.

    Args:
        side: Of the square image, in pixels.

    Returns:
        RGB ``(side, side, 3)``, uint8, and the bool mask of the disc.
    """
    places = np.linspace(-1, 1, side, dtype=np.float32)
    field = np.stack(np.meshgrid(places, places, indexing='ij'))
    length = np.hypot(*field)
    disc = displacement_colors(field, 1.0)
    disc[length > 0.94] = 25
    return disc, length <= 1
