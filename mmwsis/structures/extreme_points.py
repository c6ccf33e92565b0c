"""Extreme points as files hold them: top, left, bottom, right, each ``[x, y]``.

Coordinates are continuous: pixel ``i`` covers ``[i, i + 1]``, as for the edges of boxes
and the corners of polygons in COCO. Extreme points of the rightmost pixel ``i`` are at
``x = i + 1``, and the box that four of them span is the tight box of the object.

Files of earlier versions, and those of published converters, hold the indices of pixels
instead; :func:`points_of_pixels` and :func:`pixels_of_points` translate.
"""

import math
from collections.abc import Sequence
from typing import Any


def box_of_extreme_points(points: Sequence[Sequence[float]]) -> list[float]:
    r"""Tight box of four extreme points.

    Section 3.1 of `EXITS <https://arxiv.org/abs/2405.20729>`__: the corners are
    :math:`(x^l, y^t)` and :math:`(x^r, y^b)`.

    Args:
        points: Top, left, bottom, right, each ``[x, y]`` in image pixels.

    Returns:
        ``[x_l, y_t, x_r - x_l, y_b - y_t]``, COCO's ``bbox``.

    Example:
        >>> box_of_extreme_points([[50, 20], [20, 60], [40, 99], [98, 70]])
        [20, 20, 78, 79]
    """
    top, left, bottom, right = points
    return [left[0], top[1], right[0] - left[0], bottom[1] - top[1]]


def points_of_pixels(pixels: Sequence[Sequence[int]]) -> list[list[float]]:
    """Continuous extreme points of an object whose outermost pixels are known.

    Args:
        pixels: Top, left, bottom, right pixel, each ``[column, row]``.

    Returns:
        The outer edges of these pixels, in the middle of each edge.

    Example:
        >>> points_of_pixels([[14, 20], [10, 29], [14, 39], [59, 29]])
        [[14.5, 20], [10, 29.5], [14.5, 40], [60, 29.5]]
    """
    top, left, bottom, right = pixels
    return [
        [top[0] + 0.5, top[1]],
        [left[0], left[1] + 0.5],
        [bottom[0] + 0.5, bottom[1] + 1],
        [right[0] + 1, right[1] + 0.5],
    ]


def pixels_of_points(points: Sequence[Sequence[float]]) -> list[list[int]]:
    """Outermost pixels of an object whose continuous extreme points are known.

    Args:
        points: Top, left, bottom, right, each ``[x, y]``.

    Returns:
        ``[column, row]`` of the pixels in which the points lie. A point on the edge
        between two pixels belongs to the one on the object's side.

    Example:
        >>> pixels_of_points([[14.5, 20], [10, 29.5], [14.5, 40], [60, 29.5]])
        [[14, 20], [10, 29], [14, 39], [59, 29]]
    """
    left, top = math.floor(points[1][0]), math.floor(points[0][1])
    right = max(math.ceil(points[3][0]) - 1, left)
    bottom = max(math.ceil(points[2][1]) - 1, top)
    (x_top, _), (_, y_left), (x_bottom, _), (_, y_right) = points
    return [
        [min(math.floor(x_top), right), top],
        [left, min(math.floor(y_left), bottom)],
        [min(math.floor(x_bottom), right), bottom],
        [right, min(math.floor(y_right), bottom)],
    ]


def check_extreme_points(points: Any, where: str) -> None:
    """Refuse extreme points that no object can have.

    Args:
        points: What the file holds under ``extreme_points``.
        where: Names the file, the image id and the annotation id in the message.

    Raises:
        ValueError: Not four finite ``[x, y]`` in the order top, left, bottom, right.

    Example:
        >>> check_extreme_points([[50, 20], [20, 60], [40, 99], [98, 70]], 'a.json')
        >>> check_extreme_points([[50, 20], [20, 60], [40, 99], [10, 70]], 'a.json')
        Traceback (most recent call last):
            ...
        ValueError: a.json: extreme_points must be four [x, y] in image pixels in the
        order top, left, bottom, right; [[50, 20], [20, 60], [40, 99], [10, 70]] breaks:
        left has the smallest x, right has the largest x.
    """
    if are_extreme_points(points):
        return
    expected = (
        f'{where}: extreme_points must be four [x, y] in image pixels in the order '
        'top, left, bottom, right'
    )
    if (
        not isinstance(points, (list, tuple))
        or len(points) != 4
        or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in points)
    ):
        raise ValueError(f'{expected}; got {points!r}.')
    values = [value for point in points for value in point]
    if not all(is_finite_number(value) for value in values):
        raise ValueError(f'{expected}, all finite numbers; got {points!r}.')
    xs, ys = values[0::2], values[1::2]
    sides = {
        'top has the smallest y': ys[0] == min(ys),
        'left has the smallest x': xs[1] == min(xs),
        'bottom has the largest y': ys[2] == max(ys),
        'right has the largest x': xs[3] == max(xs),
    }
    broken = [side for side, holds in sides.items() if not holds]
    if broken:
        raise ValueError(f'{expected}; {points!r} breaks: {", ".join(broken)}.')


def are_extreme_points(points: Any) -> bool:
    """Whether :func:`check_extreme_points` has nothing to say against points.

    Args:
        points: What the file holds under ``extreme_points``.

    Example:
        >>> are_extreme_points([[50, 20], [20, 60], [40, 99], [98, 70]])
        True
    """
    # Every comparison with NaN is false, and an infinite side fails the bounds; one
    # pass without a message, because a file may hold a million of these.
    try:
        (x_top, top), (left, y_left), (x_bottom, bottom), (right, y_right) = points
        return (
            0 <= right - left < math.inf
            and 0 <= bottom - top < math.inf
            and left <= x_top <= right
            and left <= x_bottom <= right
            and top <= y_left <= bottom
            and top <= y_right <= bottom
        )
    except (TypeError, ValueError):
        return False


def is_finite_number(value: Any) -> bool:
    """Whether ``value`` is an int or float (no bool) that is finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer of 400 digits.
        return False
