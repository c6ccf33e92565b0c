"""The size of an image that a label file speaks of."""

from pathlib import Path

from PIL import Image, UnidentifiedImageError

_ORIENTATION = 274  # EXIF tag
_TURNED = (5, 6, 7, 8)  # values that swap the sides


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
