"""Semantic maps: single-channel PNG in MMSegmentation's convention."""

import os
from pathlib import Path

import cv2
import numpy as np

from .image_file import read_stored

IGNORE_INDEX = 255
BACKGROUND = 'background'


def encode_semantic_map(
    values: np.ndarray, classes: tuple[str, ...], where: str = 'semantic map'
) -> bytes:
    """Make a single-channel PNG of 8 bits.

    Args:
        values: ``(H, W)`` integers: an index into ``classes``, or 255.
        classes: Name of every value.
        where: Names the image in messages.

    Raises:
        ValueError: A value that is no class.
    """
    if values.ndim != 2 or values.dtype.kind not in 'iub':
        raise ValueError(
            f'{where}: a semantic map is (H, W) of integers, got {values.shape} '
            f'of {values.dtype}.'
        )
    wrong = (values < 0) | ((values >= len(classes)) & (values != IGNORE_INDEX))
    if wrong.any():
        raise ValueError(
            f'{where}: a semantic map must hold 0..{len(classes) - 1} or '
            f'{IGNORE_INDEX}, got {np.unique(values[wrong]).tolist()[:8]}.'
        )
    _, content = cv2.imencode('.png', values.astype(np.uint8))
    return content.tobytes()


def read_semantic_map(path: str | os.PathLike) -> np.ndarray:
    """Read a semantic map.

    Args:
        path: PNG with one channel; a palette, as VOC's own files have, is left out.

    Returns:
        ``(H, W)`` uint8.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is damaged, or a colour image.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'semantic map {path} does not exist.')
    try:
        # Not OpenCV, which turns palettes into colours.
        mode, values = read_stored(path)
    except OSError as error:
        raise ValueError(f'{path} is no readable image: {error}') from error
    if mode not in ('L', 'P'):
        raise ValueError(
            f'{path} is no semantic map: expected one channel of 8 bits, got mode '
            f'{mode}.'
        )
    return values
