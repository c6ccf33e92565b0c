"""PNG files whose bytes follow from the pixels.

Image libraries choose filters, chunk order and their own copy of zlib; this writer
fixes all of it but Python's zlib itself, so that a dataset keeps its check sums.
"""

import struct
import zlib

import numpy as np

_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_PALETTE, _RGB = 3, 2
_LEVEL = 6


def encode_rgb(image: np.ndarray) -> bytes:
    """PNG of a colour image.

    Args:
        image: RGB, uint8 (H, W, 3).

    Returns:
        The file's content.

    Raises:
        ValueError: Another shape or type.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f'image must be uint8 (H, W, 3), given {image.dtype} {image.shape}'
        )
    # Difference to the left pixel: what PNG calls filter 1.
    filtered = image.copy()
    filtered[:, 1:] -= image[:, :-1]
    return _assemble(filtered.reshape(len(image), -1), 1, _RGB, image.shape[1])


def encode_palette(labels: np.ndarray, palette: np.ndarray) -> bytes:
    """PNG with a palette, as PASCAL VOC stores labels.

    Args:
        labels: uint8 (H, W), indices into the palette.
        palette: RGB, uint8 (256, 3).

    Returns:
        The file's content.

    Raises:
        ValueError: Another shape or type.
    """
    if labels.dtype != np.uint8 or labels.ndim != 2 or palette.shape != (256, 3):
        raise ValueError(
            'labels must be uint8 (H, W) and palette (256, 3), given '
            f'{labels.dtype} {labels.shape} and {palette.shape}'
        )
    colours = palette.astype(np.uint8).tobytes()
    return _assemble(labels, 0, _PALETTE, labels.shape[1], colours)


def _assemble(
    rows: np.ndarray,
    filter_type: int,
    colour_type: int,
    width: int,
    palette: bytes = b'',
) -> bytes:
    marked = np.pad(rows, ((0, 0), (1, 0)), constant_values=filter_type)
    header = struct.pack('>IIBBBBB', width, len(rows), 8, colour_type, 0, 0, 0)
    chunks = [(b'IHDR', header)]
    if palette:
        chunks.append((b'PLTE', palette))
    chunks.append((b'IDAT', zlib.compress(marked.tobytes(), _LEVEL)))
    chunks.append((b'IEND', b''))
    return _SIGNATURE + b''.join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(name + data)
    return struct.pack('>I', len(data)) + name + data + struct.pack('>I', checksum)


def voc_palette() -> np.ndarray:
    """Colours of PASCAL VOC's label images, RGB uint8 (256, 3)."""
    index = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.uint8)
    # The bits of the index are dealt out to red, green and blue, highest bit first.
    for place in range(8):
        for channel in range(3):
            bit = (index >> (3 * place + channel)) & 1
            palette[:, channel] |= (bit << (7 - place)).astype(np.uint8)
    return palette
