"""What the proposal generator sees of an image: colours, edges, orientations."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from skimage import color

ORIENTATIONS = 8


def lab_channels(image: np.ndarray) -> np.ndarray:
    """CIELAB of an image as numbers in [0, 1]: L / 100, a / 255 + 0.5, b / 255 + 0.5.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        (H, W, 3) float64.
    """
    return color.rgb2lab(image) / (100, 255, 255) + (0, 0.5, 0.5)


# Channels in [0, 1] of an RGB image, by the name of the colour space.
COLOR_SPACES: dict[str, Callable[[np.ndarray], np.ndarray]] = dict(
    lab=lab_channels, hsv=color.rgb2hsv
)


def color_edges(channels: np.ndarray) -> np.ndarray:
    """Strength of the edges: the gradients of all channels together.

    Sobel gradients, as a share of the image's 95th percentile.

    Args:
        channels: (H, W, C) in [0, 1].

    Returns:
        (H, W) float64 in [0, 1].

    Example:
        >>> step = np.repeat([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], 2).reshape(1, 12, 1)
        >>> color_edges(step)[0].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    squares = np.zeros(channels.shape[:2])
    for channel in np.moveaxis(channels, 2, 0):
        for axis in (0, 1):
            squares += ndimage.sobel(channel, axis) ** 2
    edges = np.sqrt(squares)
    # Where fewer than one pixel in twenty has an edge, all of them are strong.
    strong = np.percentile(edges, 95) or edges.max() or 1
    return np.minimum(edges / strong, 1)


def gradient_orientations(channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction of the gradient to the nearest eighth of a turn, and its length.

    Args:
        channel: (H, W).

    Returns:
        (H, W) integers, 0 to the right, 2 down, 4 to the left, 6 up, and (H, W)
        float64.

    Example:
        >>> ramp = np.tile([0.0, 0.1, 0.2], (3, 1))
        >>> gradient_orientations(ramp)[0].tolist()
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]]
    """
    down, right = (ndimage.sobel(channel, axis) for axis in (0, 1))
    turns = np.arctan2(down, right) / (2 * np.pi)
    bins = np.round(turns * ORIENTATIONS).astype(int) % ORIENTATIONS
    return bins, np.hypot(down, right)
