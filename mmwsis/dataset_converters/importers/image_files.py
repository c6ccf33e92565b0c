"""Finding the image that a label file speaks of, and its size."""

import os
from collections.abc import Sequence
from pathlib import Path

from mmwsis.formats.image_file import read_header


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
    """Size of an image as viewers, labelling tools and all loaders here show it.

    Args:
        path: The image; only its header is read.

    Returns:
        Width and height in pixels, with the EXIF orientation applied.

    Raises:
        ValueError: It is no image.
    """
    try:
        return read_header(path).size
    except OSError as error:
        raise ValueError(f'{path} is no readable image: {error}') from None
