"""Connected components of masks and of maps of many classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import csgraph, csr_matrix
from torch import Tensor

from .tensor_checks import as_integer, as_label_map, as_mask

SEPARATED_MIN_AREA = 16


class Components(NamedTuple):
    """The N connected components of a map; arrays, or tensors where the map was one.

    Attributes:
        labels: (H, W) int32, the number of the component that a pixel belongs to, 1 to
            N, and 0 outside all of them.
        classes: (N,) int64, the value that each component has in the map.
        areas: (N,) int64, in pixels.
        boxes: (N, 4) int64 ``(x1, y1, x2, y2)``, tight and half-open:
            ``labels[y1:y2, x1:x2]`` holds the component.
        centroids: (N, 2) float64 ``(x, y)``, the mean of the pixels' indices.
    """

    labels: np.ndarray | Tensor
    classes: np.ndarray | Tensor
    areas: np.ndarray | Tensor
    boxes: np.ndarray | Tensor
    centroids: np.ndarray | Tensor


def connected_components(
    label_map: np.ndarray | Tensor,
    connectivity: int = 8,
    classes: Sequence[int] | None = None,
    order: str = 'class',
    min_area: int = 1,
) -> Components:
    """Number and measure the connected components of all classes of a map at once.

    Pixels are joined if they touch and have the same value. The time grows with the
    horizontal runs of equal pixels, not with the number of classes.

    Args:
        label_map: (H, W) booleans or integers: a mask, or a class at each pixel.
        connectivity: 4, or 8 to join pixels at their corners too. Defaults to 8.
        classes: Values that form components. Defaults to None: all above 0.
        order: 'class': numbered by increasing class, within a class in the row-major
            order of their first pixels. 'raster': in the order of their first pixels
            alone. Defaults to 'class'.
        min_area: Components with fewer pixels are left out. Defaults to 1.

    Returns:
        The components; tensors on the device of ``label_map`` if that is one.

    Raises:
        TypeError: A map of fractions.
        ValueError: A map that is not two-dimensional, or unknown settings.

    Example:
        >>> label_map = np.array([[2, 2, 0, 1], [0, 0, 2, 1]])
        >>> found = connected_components(label_map)
        >>> found.labels.tolist(), found.classes.tolist(), found.areas.tolist()
        ([[2, 2, 0, 1], [0, 0, 2, 1]], [1, 2], [2, 3])
        >>> found.boxes.tolist(), found.centroids.tolist()
        ([[3, 0, 4, 2], [0, 0, 3, 2]], [[3.0, 0.5], [1.0, 0.3333333333333333]])
        >>> connected_components(label_map, connectivity=4).areas.tolist()
        [2, 2, 1]
    """
    connectivity = as_integer('connectivity', connectivity)
    if connectivity not in (4, 8):
        raise ValueError(f'connectivity: expected 4 or 8, got {connectivity}.')
    if order not in ('class', 'raster'):
        raise ValueError(f"order: expected 'class' or 'raster', got {order!r}.")
    min_area = as_integer('min_area', min_area, 0)
    if classes is not None:
        classes = [as_integer('classes', value) for value in classes]
    array = as_label_map('label_map', label_map)
    found = _components(_Runs.of(array, classes), connectivity == 8, order, min_area)
    if isinstance(label_map, Tensor):
        found = Components(
            *(torch.from_numpy(entry).to(label_map.device) for entry in found)
        )
    return found


def is_separated(gt: np.ndarray, min_area: int = SEPARATED_MIN_AREA) -> bool:
    """Whether a mask has several 8-connected components, as occluded objects do.

    Args:
        gt: (H, W), 0 or 1.
        min_area: Components with fewer pixels do not count. Defaults to 16.

    Returns:
        True if at least two components count.

    Raises:
        ValueError: ``gt`` is not two-dimensional or not finite, or no area.

    Example:
        >>> mask = np.zeros((8, 20), dtype=bool)
        >>> mask[:4, :4] = mask[4:, 10:] = True  # 16 and 40 pixels
        >>> is_separated(mask), is_separated(mask, min_area=17)
        (True, False)
    """
    gt = as_mask(gt)
    rows, columns = (np.flatnonzero(gt.any(axis=axis)) for axis in (1, 0))
    if len(rows):
        # Most of an image is outside of an object.
        gt = gt[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return connected_components(gt, min_area=min_area).areas.size > 1


class _Runs(NamedTuple):
    """The horizontal runs of equal pixels of an (H, W) map, in raster order.

    Attributes:
        starts: (R,) int64, index of the first pixel in the flattened map.
        ends: (R,) int64, index after the last one, in the same row.
        values: (R,) of the pixels.
        inside: (R,) bool, whether they belong to a component.
        size: (H, W).
    """

    starts: np.ndarray
    ends: np.ndarray
    values: np.ndarray
    inside: np.ndarray
    size: tuple[int, int]

    @classmethod
    def of(cls, array: np.ndarray, classes: list[int] | None) -> '_Runs':
        is_first = np.ones(array.shape, dtype=bool)
        np.not_equal(array[:, 1:], array[:, :-1], out=is_first[:, 1:])
        starts = np.flatnonzero(is_first)
        values = array.ravel()[starts]
        inside = values > 0 if classes is None else np.isin(values, classes)
        return cls(
            starts, np.append(starts[1:], array.size), values, inside, array.shape
        )


def _components(runs: _Runs, eight: bool, order: str, min_area: int) -> Components:
    starts, ends, values = (entry[runs.inside] for entry in runs[:3])
    links = _links(starts, ends, values, runs.size[1], int(eight))
    count, part = csgraph.connected_components(links, directed=False)
    classes = np.zeros(count, dtype=np.int64)
    classes[part] = values
    # Number the components by the class and the first run of each.
    first = np.full(count, len(part))
    np.minimum.at(first, part, np.arange(len(part)))
    ranking = np.lexsort((first, classes) if order == 'class' else (first,))
    large = np.bincount(part, ends - starts, count) >= min_area
    ranking = ranking[large[ranking]]
    numbers = np.zeros(count, dtype=np.int32)
    numbers[ranking] = np.arange(1, len(ranking) + 1)
    part = numbers[part]
    labels = np.zeros(len(runs.inside), dtype=np.int32)
    labels[runs.inside] = part
    return Components(
        np.repeat(labels, runs.ends - runs.starts).reshape(runs.size),
        classes[ranking],
        *_measure(starts, ends - starts, part, len(ranking), runs.size),
    )


def _measure(
    starts: np.ndarray,
    lengths: np.ndarray,
    part: np.ndarray,
    count: int,
    size: tuple[int, int],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return areas, boxes and centroids of parts 1 to ``count`` of an image's runs."""
    rows, columns = np.divmod(starts, max(1, size[1]))
    boxes = np.zeros((count + 1, 4), dtype=np.int64)
    boxes[:, :2] = size[::-1]
    np.minimum.at(boxes[:, 0], part, columns)
    np.minimum.at(boxes[:, 1], part, rows)
    np.maximum.at(boxes[:, 2], part, columns + lengths)
    np.maximum.at(boxes[:, 3], part, rows + 1)

    def total(weights: np.ndarray) -> np.ndarray:
        return np.bincount(part, weights, count + 1)[1:]

    areas = total(lengths)
    # Twice the sum of a run's columns is an integer.
    sums = total((2 * columns + lengths - 1) * lengths) / 2, total(rows * lengths)
    centroids = np.stack([one / areas for one in sums], axis=1)
    return areas.astype(np.int64), boxes[1:], centroids


def _links(
    starts: np.ndarray, ends: np.ndarray, values: np.ndarray, width: int, reach: int
) -> csr_matrix:
    """Return which of R runs touch which of equal value in the next row, (R, R).

    ``reach`` is 1 if pixels are joined at corners, else 0.
    """
    # First pixel of the next row.
    below = (starts // max(1, width) + 1) * width
    # Runs of the next row that end behind a run's start and start before its end.
    lowest = np.searchsorted(ends, np.maximum(starts + width - reach, below), 'right')
    highest = np.searchsorted(
        starts, np.minimum(ends + width + reach, below + width), 'left'
    )
    counts = np.maximum(highest - lowest, 0)
    stops = np.cumsum(np.append(0, counts))
    upper = np.repeat(np.arange(len(starts)), counts)
    lower = np.arange(stops[-1]) + (lowest - stops[:-1])[upper]
    equal = values[upper] == values[lower]
    stops = np.append(0, np.cumsum(equal))[stops]
    links = np.ones(stops[-1], dtype=bool), lower[equal], stops
    return csr_matrix(links, shape=(len(starts), len(starts)))
