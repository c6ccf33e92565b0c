"""Where every pixel of a transformed image came from, for fields of labels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

PixelRule = Literal['centre', 'corner']


def nearest_pixels(
    length: int,
    new_length: int,
    rule: PixelRule = 'centre',
    scale: float | None = None,
) -> np.ndarray:
    """Pixel that nearest-neighbour resizing reads, along one axis.

    Args:
        length: Pixels before.
        new_length: Pixels afterwards.
        rule: 'centre' reads the pixel in which the new pixel's centre lies: Pillow's
            ``NEAREST``, and PyTorch's 'nearest-exact' up to its float32 arithmetic.
            'corner' reads where its upper left corner lies, half a pixel beside every
            interpolated image: OpenCV's ``INTER_NEAREST``. Equal, bit by bit, to
            Pillow's and OpenCV's. Defaults to 'centre'.
        scale: Factor that ``new_length`` was rounded from (``cv2.resize`` with ``fx``
            and ``fy``). Defaults to None, ``new_length / length``.

    Returns:
        intp (new_length,), from 0 to ``length - 1``.
    """
    if rule == 'corner':
        step = 1.0 / (new_length / length if scale is None else scale)
        pixels = np.floor(np.arange(new_length) * step)
    elif rule == 'centre':
        # Pillow adds up the steps; their rounding errors decide the ties.
        step = length / new_length if scale is None else 1.0 / scale
        steps = np.full(new_length, step)
        steps[0] = 0.5 * step
        pixels = np.floor(np.add.accumulate(steps))
    else:
        raise ValueError(f"rule must be 'centre' or 'corner', got {rule!r}.")
    return np.minimum(pixels, length - 1).astype(np.intp)


@dataclass(frozen=True, eq=False)
class GridMap:
    """For every row and column of an image the row and column it was taken from.

    Nearest-neighbour resizing, cropping, padding and mirroring of a whole image are
    ``out[y, x] = source[rows[y], columns[x]]``. So is any chain of them: a map is
    extended step by step and applied once, to as many fields as there are, and the
    result is that of the single steps.

    Args:
        rows: Integer (h,), the row of the source for every row, -1 outside it.
        columns: Integer (w,), the same for columns.
        source_size: (H, W) of the source.

    Example:
        >>> grid = GridMap.identity((2, 3)).mirrored().window(0, -1, (2, 4))
        >>> grid.apply(np.array([[1, 2, 3], [4, 5, 6]]), fill=0)
        array([[0, 3, 2, 1],
               [0, 6, 5, 4]])
    """

    rows: np.ndarray
    columns: np.ndarray
    source_size: tuple[int, int]

    @classmethod
    def identity(cls, size: tuple[int, int]) -> 'GridMap':
        """Map that changes nothing.

        Args:
            size: (H, W).
        """
        height, width = map(int, size)
        return cls(np.arange(height), np.arange(width), (height, width))

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of what :meth:`apply` gives."""
        return len(self.rows), len(self.columns)

    @property
    def reaches_outside(self) -> bool:
        """Whether a pixel lies outside the source, so that :meth:`apply` fills it."""
        return bool((self.rows < 0).any() or (self.columns < 0).any())

    def resized(
        self,
        size: tuple[int, int],
        rule: PixelRule = 'centre',
        scale: float | None = None,
    ) -> 'GridMap':
        """Resize by nearest neighbours; an equal size changes nothing.

        Args:
            size: New (h, w).
            rule: Of :func:`nearest_pixels`. Defaults to 'centre'.
            scale: Factor of both sides that ``size`` was rounded from. Defaults to
                None, the ratio of the sides.
        """
        if tuple(size) == self.size:
            return self  # what both libraries do, whatever the factor
        rows, columns = (
            nearest_pixels(old, new, rule, scale)
            for old, new in zip(self.size, size, strict=True)
        )
        return self.then(GridMap(rows, columns, self.size))

    def window(self, top: int, left: int, size: tuple[int, int]) -> 'GridMap':
        """Cut out a window; where it reaches beyond, there is nothing.

        Args:
            top: Row of the window's first row; negative where the window begins above.
            left: The same for columns.
            size: (h, w) of the window.
        """
        (height, width), (old_height, old_width) = size, self.size
        rows, columns = top + np.arange(height), left + np.arange(width)
        rows[rows >= old_height] = -1
        columns[columns >= old_width] = -1
        return self.then(
            GridMap(np.maximum(rows, -1), np.maximum(columns, -1), self.size)
        )

    def mirrored(self) -> 'GridMap':
        """Exchange left and right."""
        return GridMap(self.rows, self.columns[::-1], self.source_size)

    def then(self, following: 'GridMap') -> 'GridMap':
        """This map, then another one of its result.

        Args:
            following: Map whose source is as large as the result of this one.

        Raises:
            ValueError: It is not.
        """
        if following.source_size != self.size:
            raise ValueError(
                f'the second map is of (height, width) {following.source_size}, the '
                f'first one gives {self.size}.'
            )
        # Index -1 finds the -1 at the end.
        rows = np.append(self.rows, -1)[following.rows]
        columns = np.append(self.columns, -1)[following.columns]
        return GridMap(rows, columns, self.source_size)

    def apply(
        self, array: np.ndarray, fill: float | np.ndarray = 0, axis: int = -2
    ) -> np.ndarray:
        """Take the pixels of an array from where the map says.

        Args:
            array: (..., H, W), or with other axes behind as ``axis`` says.
            fill: Value outside the source. Defaults to 0.
            axis: Axis of the rows; that of the columns is the next. Defaults to -2.

        Returns:
            A new contiguous array with (h, w) in place of (H, W), of the same type.

        Raises:
            ValueError: ``array`` is of another size than the source.
        """
        axis %= array.ndim
        if array.shape[axis : axis + 2] != self.source_size:
            raise ValueError(
                f'an array of shape {array.shape} has not the (height, width) '
                f'{self.source_size} at axis {axis}.'
            )
        to_rows, rows = _selection(self.rows)
        to_columns, columns = _selection(self.columns)
        part = _taken(_taken(array, rows, axis), columns, axis + 1)
        if not self.reaches_outside:
            return part.copy() if np.shares_memory(part, array) else part
        shape = (*array.shape[:axis], *self.size, *array.shape[axis + 2 :])
        out = np.empty(shape, array.dtype)
        before = (slice(None),) * axis
        out[(*before, to_rows, to_columns)] = part
        for place, inside in (before, to_rows), ((*before, slice(None)), to_columns):
            out[(*place, slice(inside.start))] = fill
            out[(*place, slice(inside.stop, None))] = fill
        return out

    def source_pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixels of the source on which points of the result lie.

        Args:
            points: (N, 2), (x, y) in pixels of the result; a pixel's index is the point
                in its middle.

        Returns:
            intp (N, 2), (column, row); (-1, -1) where the point or its pixel lies
            outside.
        """
        pixels = np.floor(np.asarray(points, np.float64) + 0.5)
        inside = ((pixels >= 0) & (pixels < self.size[::-1])).all(axis=1)
        found = np.full(pixels.shape, -1, np.intp)
        x, y = pixels[inside].astype(np.intp).T
        found[inside] = np.stack([self.columns[x], self.rows[y]], axis=1)
        found[(found < 0).any(axis=1)] = -1
        return found


def _taken(array: np.ndarray, chosen: slice | np.ndarray, axis: int) -> np.ndarray:
    if isinstance(chosen, slice):
        return array[(*[slice(None)] * axis, chosen)]
    # No index is out of bounds; 'clip' saves NumPy the check and a copy.
    return array.take(chosen, axis, mode='clip')


def _selection(index: np.ndarray) -> tuple[slice, slice | np.ndarray]:
    """Where something is written, and what is read there.

    What is inside the source is one interval, as all steps keep it; where it is read
    in order, forwards or backwards, a slice is much faster than an index.
    """
    inside = np.flatnonzero(index >= 0)
    if not len(inside):
        return slice(0, 0), slice(0, 0)
    target = slice(inside[0], inside[-1] + 1)
    read = index[target]
    first, last = int(read[0]), int(read[-1])
    step = 1 if last >= first else -1
    if np.array_equal(read, np.arange(first, last + step, step)):
        end = last + step
        return target, slice(first, None if end < 0 else end, step)
    return target, read
