"""Image files: one size and one set of pixels, those of the image held upright.

Cameras store an image as the sensor lay and say in EXIF how to turn it. Labelling tools
and browsers turn it before anybody labels it, and so does everything here. Pixels are
decoded by OpenCV as MMDetection's loaders do, so that both see the same; sizes are read
from the header, without decoding.

Label maps hold numbers that belong to an upright image, and are never turned.
"""

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Literal, NamedTuple

import cv2
import numpy as np
from mmengine.fileio import get
from PIL import Image, UnidentifiedImageError

_ORIENTATION = 0x0112  # tag of EXIF and TIFF
_WIDTH, _HEIGHT, _BITS = 256, 257, 258  # tags of TIFF
# OpenCV's own limits.
MAX_PIXELS = 2**30
_MAX_SIDE = 2**20
# From stored to upright pixels.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.flip(cv2.transpose(pixels), -1),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


class ImageHeader(NamedTuple):
    """What an image file says about itself.

    Attributes:
        width: Of the upright image, in pixels.
        height: Of the upright image, in pixels.
        orientation: EXIF orientation, 1 to 8; 1 where the file says nothing valid.
        kind: Pillow's name of the format, such as 'JPEG'.
        bits: Bits per channel that PNG, TIFF and PPM store; else 8. More than 8 become
            8 when they are decoded.
    """

    width: int
    height: int
    orientation: int
    kind: str
    bits: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright image."""
        return self.width, self.height

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height of the pixels as they lie in the file."""
        return _turned(self.size, self.orientation)


def read_header(source: str | os.PathLike | bytes) -> ImageHeader:
    """Read the size of an upright image without decoding it.

    Args:
        source: The file, or its content.

    Returns:
        Its header.

    Raises:
        OSError: It is no image, or larger than OpenCV reads; says why, without a name.
    """
    if not isinstance(source, bytes):
        with open(source, 'rb') as file:
            return _header(file)
    return _header(io.BytesIO(source))


def _header(file: IO[bytes]) -> ImageHeader:
    with _pillow(file) as image:
        kind, size = image.format or '', image.size
        bits = {'I': 16, 'F': 32}.get(image.mode[0], 8)
        if kind == 'TIFF':  # Pillow turns its size, in some versions only.
            orientation = image.tag_v2.get(_ORIENTATION, 1)
            size = image.tag_v2[_WIDTH], image.tag_v2[_HEIGHT]
            bits = max(image.tag_v2.get(_BITS, (1,)))
        else:
            # Pillow's getexif() reads XMP and texts too, which browsers and OpenCV
            # do not.
            exif = (image.info.get('exif') or b'').removeprefix(b'Exif\0\0')
            if kind == 'PNG':
                exif, bits = _png_exif(file)
            orientation = _orientation_of(exif)
    if orientation not in range(1, 9):
        orientation = 1
    return ImageHeader(*_turned(size, orientation), orientation, kind, bits)


def decode_image(content: bytes) -> np.ndarray:
    """Decode an image upright: the pixels of MMDetection's ``LoadImageFromFile``.

    Grey, palette and CMYK images become colours, alpha is dropped, 16 bits become the
    upper 8; of several frames or pages the first is read.

    Args:
        content: The file's content.

    Returns:
        uint8 ``(H, W, 3)``, BGR.

    Raises:
        OSError: It cannot be decoded to its end; says why, without a name.
    """
    header = read_header(content)
    pixels = decode_stored_colours(content)
    if pixels is None:
        raise OSError(
            f'this {header.kind} file is truncated, damaged or of a kind that OpenCV, '
            'which decodes images for training, does not know; fetch it again, or save '
            'it as PNG or JPEG of 8 bits'
        )
    # OpenCV always turns TIFF and, up to now, never AVIF; and other files only where
    # all of their EXIF data are valid.
    if header.orientation in _TURNS and header.kind != 'TIFF':
        pixels = _TURNS[header.orientation](pixels)
    height, width = pixels.shape[:2]
    if header.size != (width, height):
        raise OSError(
            f'its header says {header.width} x {header.height} pixels, OpenCV decodes '
            f'{width} x {height}. Save it again'
        )
    return pixels


def check_image(content: bytes) -> tuple[ImageHeader, np.ndarray]:
    """Check that an image can be decoded, and looks the same to MMDetection's loader.

    Args:
        content: The file's content.

    Returns:
        Its header, and its pixels as :func:`decode_image` gives them.

    Raises:
        OSError: Says why, without a name.
    """
    header, pixels = read_header(content), decode_image(content)
    if header.orientation == 1:
        return header, pixels  # nothing to turn
    if not np.array_equal(_opencv(content, cv2.IMREAD_COLOR), pixels):
        raise OSError(
            f'its EXIF orientation {header.orientation} turns it, which '
            f'mmdet.LoadImageFromFile does not do for {header.kind} files or broken '
            'EXIF data. Store its pixels upright, without EXIF data'
        )
    return header, pixels


def read_upright(
    path: str, img_id: Any = None, backend_args: dict | None = None
) -> np.ndarray:
    """Read an image as :func:`decode_image` does, with errors that name it.

    Args:
        path: File or URL.
        img_id: Named in messages. Defaults to None, no id.
        backend_args: Arguments of MMEngine's file backend. Defaults to None.

    Returns:
        uint8 ``(H, W, 3)``, BGR.

    Raises:
        FileNotFoundError: There is no such image.
        OSError: It cannot be decoded to its end.
    """
    content = _content(path, img_id, backend_args)
    try:
        return decode_image(content)
    except OSError as error:
        raise OSError(
            f'{image_place(path, img_id)} cannot be decoded ({len(content)} bytes): '
            f'{error}.'
        ) from error


def read_rgb(
    path: str, img_id: Any = None, backend_args: dict | None = None
) -> np.ndarray:
    """Read an image upright as RGB.

    Args:
        path: File or URL.
        img_id: Named in messages. Defaults to None, no id.
        backend_args: Arguments of MMEngine's file backend. Defaults to None.

    Returns:
        uint8 ``(H, W, 3)``.

    Raises:
        FileNotFoundError: There is no such image.
        OSError: It cannot be decoded to its end.
    """
    image = read_upright(path, img_id, backend_args)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def size_difference(
    expected: tuple[float, float], header: ImageHeader, name: object = 'the image'
) -> str:
    """Say how the size of a label file differs from that of an image.

    Args:
        expected: Width and height in the label file.
        header: Of the image.
        name: What the image is called. Defaults to 'the image'.

    Returns:
        One sentence, or three, to stand behind the name of the label file.
    """
    turned = ' (the other way round)' if expected[::-1] == header.size else ''
    text = (
        f'says {expected[0]} x {expected[1]} pixels, {name} has '
        f'{header.width} x {header.height}{turned}.'
    )
    if header.orientation == 1 or expected != header.stored_size:
        return text
    return (
        f'{text} EXIF orientation {header.orientation} turns it; labelling tools and '
        'loaders show it upright, and this is the size before that. Swap width and '
        'height, or, if it was labelled lying, turn the labels.'
    )


def image_place(path: str | os.PathLike, img_id: Any = None) -> str:
    """Name of an image in messages."""
    return f'Image {path}' if img_id is None else f'Image {path} (image id {img_id!r})'


def read_stored(path: str | os.PathLike) -> tuple[str, np.ndarray]:
    """Read the numbers of a label map as they are stored, never turned.

    Args:
        path: Image with a palette or one channel; others come as they are, too.

    Returns:
        Pillow's mode, and the values: (H, W), palette indices instead of colours.

    Raises:
        OSError: It cannot be decoded; says why, without a name.
    """
    with open(path, 'rb') as file, _pillow(file) as image:
        return image.mode, np.array(image)


def read_palette(path: str | os.PathLike) -> np.ndarray:
    """Read the colours that a palette's indices stand for.

    Args:
        path: Image with a palette.

    Returns:
        uint8 ``(N, 3)``, red first.

    Raises:
        OSError: It cannot be decoded; says why, without a name.
    """
    with open(path, 'rb') as file, _pillow(file) as image:
        image.load()
        return np.array(image.getpalette('RGB'), dtype=np.uint8).reshape(-1, 3)


def decode_stored_colours(content: bytes) -> np.ndarray | None:
    """Decode a map whose colours are numbers, such as a panoptic PNG: never turned.

    Args:
        content: The file's content.

    Returns:
        uint8 ``(H, W, 3)``, BGR; None if it is no image.
    """
    return _opencv(content, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)


@contextmanager
def _pillow(file: IO[bytes]) -> Iterator[Image.Image]:
    """Open an image with one kind of error, and without Pillow's smaller size limit."""
    limit = Image.MAX_IMAGE_PIXELS
    try:
        Image.MAX_IMAGE_PIXELS = None
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of broken EXIF data, which are skipped
            with Image.open(file) as image:
                width, height = image.size
                if width * height > MAX_PIXELS or max(width, height) > _MAX_SIDE:
                    raise OSError(
                        f'it claims {width} x {height} pixels, more than OpenCV reads '
                        f'(2^30, and 2^20 a side)'
                    )
                yield image
    except UnidentifiedImageError:
        raise OSError('it is no image, or its beginning is lost') from None
    except Exception as error:  # Pillow's readers raise anything on a broken file.
        raise OSError(f'it is damaged or too large ({error})') from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _opencv(content: bytes, flag: int) -> np.ndarray | None:
    logging = cv2.utils.logging
    level = logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), flag)
    except cv2.error:  # nothing in it, or more memory than there is
        return None
    finally:
        logging.setLogLevel(level)


def _orientation_of(exif: bytes) -> int:
    """Orientation in EXIF data, which may be cut off; 1 if there is none."""
    order: Literal['little', 'big'] = 'little' if exif[:2] == b'II' else 'big'
    if int.from_bytes(exif[2:4], order) != 42:
        return 1
    start = int.from_bytes(exif[4:8], order)
    count = int.from_bytes(exif[start : start + 2], order)
    for offset in range(start + 2, start + 2 + 12 * count, 12):
        entry = exif[offset : offset + 10]
        if len(entry) < 10:
            break
        if int.from_bytes(entry[:2], order) == _ORIENTATION:
            return int.from_bytes(entry[8:10], order)
    return 1


def _png_exif(file: IO[bytes]) -> tuple[bytes, int]:
    """The chunk eXIf, which may stand behind the pixels, and the bits per channel."""
    file.seek(24)
    bits = file.read(1)[0]
    file.seek(8)
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], 'big')
        if head[4:] == b'eXIf':
            return file.read(length), bits
        file.seek(length + 4, os.SEEK_CUR)
    return b'', bits


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Exchange the sides where an orientation does."""
    return (size[1], size[0]) if orientation >= 5 else (size[0], size[1])


def _content(path: str, img_id: Any, backend_args: dict | None) -> bytes:
    try:
        return get(path, backend_args=backend_args)
    except (FileNotFoundError, NotADirectoryError):
        problem = 'does not exist'
    except IsADirectoryError:
        problem = 'is a folder'
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f'{image_place(path, img_id)} cannot be read: {reason}.'
        ) from error
    raise FileNotFoundError(
        f'{image_place(path, img_id)} {problem}. Check data_root and '
        "data_prefix['img'] in the config."
    )
