"""Finding the image that a label file speaks of, and its size."""

import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, UnidentifiedImageError

_ORIENTATION = 274  # EXIF tag
_TURNED = (5, 6, 7, 8)  # values that swap the sides


def find_image(paths: Sequence[str], img_dir: Path) -> tuple[str, Path | None]:
    """Choose among the places where an image may be.

    Args:
        paths: Relative to ``img_dir`` or absolute, the likeliest first; not empty.
        img_dir: The image folder.

    Returns:
        ``file_name`` relative to the folder, and the file; if there is none at any of
        the places, the name at the likeliest and None.
    """
    places = [os.path.normpath(os.path.join(img_dir, path)) for path in paths]
    found = next(filter(os.path.isfile, places), None)
    name = Path(os.path.relpath(found or places[0], img_dir)).as_posix()
    return name, Path(found) if found else None


def displayed_size(path: Path) -> tuple[int, int]:
    """Size of an image as viewers, labelling tools and OpenCV show it.

    Args:
        path: The image; only its header is read.

    Returns:
        Width and height in pixels, with the EXIF orientation applied.

    Raises:
        ValueError: It is no image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION) in _TURNED
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f'{path} is no readable image: {error}') from None
    return (height, width) if turned else (width, height)
