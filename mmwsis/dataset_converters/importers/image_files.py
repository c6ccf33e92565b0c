"""The size of an image that a label file speaks of."""

from pathlib import Path

from mmwsis.formats.image_file import read_header


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
