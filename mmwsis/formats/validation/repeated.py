"""Annotations that say something twice: exact copies, two points on one pixel."""

import numpy as np

from .columns import Annotations


def signatures(chunk: Annotations, checksum: np.ndarray) -> np.ndarray:
    """Hashes that equal annotations share, class and image aside.

    By chance two of a million differing ones share theirs once in 10^7 files.

    Args:
        chunk: Annotations.
        checksum: (n,) of their masks, 0 without one.

    Returns:
        uint64 (n,); 0 for an annotation without any label.
    """
    columns = [
        chunk.box.values,
        chunk.point.values,
        chunk.extreme.values.reshape(len(chunk), -1),
        np.where(checksum == 0, np.nan, checksum)[:, None],
    ]
    labels = np.concatenate(columns, axis=1)
    empty = np.isnan(labels).all(axis=1)
    values = np.column_stack([labels, chunk.score.values])
    values[np.isnan(values)] = np.nan  # One bit pattern for all.
    hashes = _mix((values + 0.0).view(np.uint64))
    hashes[empty] = 0
    return hashes


def point_pixels(chunk: Annotations) -> np.ndarray:
    """The pixel that each point is on; a pixel's centre has integer coordinates.

    Args:
        chunk: Annotations.

    Returns:
        int64 (n, 2), column and row; -1 without a point in the image.
    """
    inside = (chunk.point.values >= 0) & (chunk.point.values <= chunk.sizes)
    pixels = np.where(inside, np.minimum(chunk.point.values, chunk.sizes - 1), -1.0)
    return np.floor(pixels + 0.5).astype(np.int64)


def copies_of(
    hashes: np.ndarray, rows: np.ndarray, labels: np.ndarray
) -> dict[int, int]:
    """Find annotations that are equal in all but the id.

    Args:
        hashes: (n,) of :func:`signatures`.
        rows: (n,), row of the image, -1 if unknown.
        labels: (n,), index of the category.

    Returns:
        Index of each copy -> index of an annotation that it equals.
    """
    columns = [hashes, rows.astype(np.uint64), labels.astype(np.uint64)]
    keys = _mix(np.stack(columns, axis=1))
    order = np.argsort(keys, kind='stable')
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    copies, firsts = order[same + 1], order[same]
    real = (rows[copies] >= 0) & (hashes[copies] > 0)
    return dict(zip(copies[real].tolist(), firsts[real].tolist()))


def points_on_one_pixel(
    pixels: np.ndarray, rows: np.ndarray, usable: np.ndarray
) -> dict[int, int]:
    """Find points that lie on the pixel of an earlier point of their image.

    Args:
        pixels: (n, 2) of :func:`point_pixels`.
        rows: (n,), row of the image, -1 if unknown.
        usable: bool (n,), which annotations to look at.

    Returns:
        Index of each such annotation -> index of the first one on its pixel.
    """
    chosen = np.flatnonzero(usable & (rows >= 0) & (pixels >= 0).all(axis=1))
    if not len(chosen):
        return {}
    keys = pixels[chosen, 1], pixels[chosen, 0], rows[chosen]
    order = np.lexsort(keys)  # stable: the first of a pixel comes first
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([np.diff(key[order]) != 0 for key in keys], axis=0)
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    later, owners = order[~new], order[first[~new]]
    return dict(zip(chosen[later].tolist(), chosen[owners].tolist()))


def _mix(values: np.ndarray) -> np.ndarray:
    """Hash the rows of a uint64 array (n, k), modulo 2^64."""
    factors = np.random.default_rng(0).integers(1, 2**63, values.shape[1], np.uint64)
    mixed = (values ^ (values >> np.uint64(31))) * (2 * factors + np.uint64(1))
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return (mixed * (2 * factors[::-1] + np.uint64(1))).sum(axis=1, dtype=np.uint64)
