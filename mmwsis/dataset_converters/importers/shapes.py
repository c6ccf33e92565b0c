"""From the shapes that a tool draws to objects: groups, clicks, rotated boxes."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from mmwsis.formats.coco_masks import MIN_VERTICES
from mmwsis.structures.extreme_points import check_extreme_points

from .records import CHANGED, LEFT_OUT, LabelledImage, LabelledObject, Point
from .settings import ImportSettings

QUAD = 4
ODD_CLICKS = 'clicks that are neither 1 nor 4'
_UPRIGHT = 1e-4  # degrees


@dataclass
class Shape:
    """One drawn shape.

    Attributes:
        kind: 'clicks', 'box', 'polygon' or 'mask'.
        name: Its label.
        item: Where it stands, for messages.
        points: Clicks or corners in pixels; a box has two opposite corners.
        mask: Of kind 'mask': (offset x, offset y, rows of 0 and 1).
        group: Shapes of one label and one group are one object; None stands alone.
        attributes: What else the tool knows about it.
        id: Of the annotation that it was exported from, if that is to be kept.
        parts: Number of shapes that its object was exported as; None of other shapes.

    Raises:
        ValueError: It has no name, or is a polygon of fewer than three corners.
    """

    kind: str
    name: str
    item: str
    points: list[Point] = field(default_factory=list)
    mask: tuple[int, int, Any] | None = None
    group: Any = None
    attributes: dict[str, Any] = field(default_factory=dict)
    id: int | None = None
    parts: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError('a shape must have a label')
        if self.kind == 'polygon' and len(self.points) < MIN_VERTICES:
            raise ValueError(
                f'a polygon has {MIN_VERTICES} corners or more, got {len(self.points)}'
            )


def merge_shapes(
    shapes: Iterable[Shape | None], image: LabelledImage, settings: ImportSettings
) -> None:
    """Make objects of shapes.

    Shapes of one label that share a group are one object: polygons and masks are its
    components, one click is its point, four clicks are its extreme points, a box is its
    box. A shape of the labels ``settings.holes`` is one in every object before it.

    Args:
        shapes: In the order of the file; None for those that were left out.
        image: Gets the objects, in the order of their first shape, the classes of
            groups that are no object as tags, and what could not be kept as issues.
        settings: How polygons of four corners and shapes of several clicks are read,
            and what is a hole in the objects before it.
    """
    groups: dict[Any, list[Shape]] = {}
    for index, shape in enumerate(_single_shapes(filter(None, shapes), settings)):
        alone = shape.group is None
        key = ('alone', index) if alone else ('group', shape.name, shape.group)
        groups.setdefault(key, []).append(shape)
    for members in groups.values():
        made = _merge(members, image, settings)
        if made is None:
            # Without it the image would say that the class is not there.
            image.tags.append(members[0].name)
            continue
        if made.name in settings.holes:
            for below in image.objects:
                below.holes.append(made)
        image.objects.append(made)


def _single_shapes(
    shapes: Iterable[Shape], settings: ImportSettings
) -> Iterator[Shape]:
    """Shapes of several clicks as one of each, if that is what they are."""
    for shape in shapes:
        if shape.kind != 'clicks' or not settings.split_points or len(shape.points) < 2:
            yield shape
            continue
        for number, point in enumerate(shape.points):
            item = f'{shape.item}, click {number}'
            yield replace(shape, item=item, points=[point], group=None)


def _merge(
    members: Sequence[Shape], image: LabelledImage, settings: ImportSettings
) -> LabelledObject | None:
    first = members[0]
    item = first.item
    if len(members) > 1:
        item += f' and {len(members) - 1} more of group {first.group!r}'
    made = LabelledObject(first.name, item, id=first.id)
    _report_copies(members, item, image)
    clicks: list[Point] = []
    boxes: list[list[Point]] = []
    for shape in members:
        made.attributes.update(shape.attributes)
        is_quad = shape.kind == 'polygon' and len(shape.points) == QUAD
        if shape.kind == 'clicks' or (is_quad and settings.quads == 'extreme_points'):
            clicks += shape.points
        elif shape.kind == 'box':
            boxes.append(shape.points)
        elif shape.kind == 'polygon':
            made.polygons.append(shape.points)
        else:
            made.masks.append(shape.mask)
    if len(clicks) == 1:
        made.point = clicks[0]
    elif len(clicks) == QUAD:
        made.extreme_points = clicks
        image.clicks_in_one += len(members) == 1 and first.kind == 'clicks'
    elif clicks:
        reason = (
            f'an object has one click, or four at its extreme points, not {len(clicks)}'
        )
        if len(members) == 1:
            reason += '; if each is an object, say --split-points'
        image.report(LEFT_OUT, item, ODD_CLICKS, reason)
    if len(boxes) == 1:
        made.box = box_of_corners(boxes[0])
    elif boxes:
        reason = f'an object has one box, not {len(boxes)}'
        image.report(LEFT_OUT, item, 'several boxes', reason)
    if made.point or made.box or made.extreme_points or made.polygons or made.masks:
        return made
    return None


def _report_copies(members: Sequence[Shape], item: str, image: LabelledImage) -> None:
    """Say that an object has more shapes than it was exported as.

    A copy keeps the group or the id of its original, as a part that was drawn does.
    """
    known = [shape.parts for shape in members if shape.parts is not None]
    if not known or len(members) <= max(known):
        return
    reason = (
        f'the object was exported as {max(known)} shape(s) and has {len(members)}, '
        'which are read as parts of one object; if one is a copy, take its id '
        '(group_id) away: then it is a new object'
    )
    image.report(CHANGED, item, 'object of more shapes than were exported', reason)


def box_of_corners(corners: Sequence[Point]) -> tuple[float, float, float, float]:
    """Upright box around points.

    Args:
        corners: Two opposite corners, in any order, or more points.

    Returns:
        ``(x0, y0, x1, y1)``.
    """
    xs, ys = zip(*corners)
    return min(xs), min(ys), max(xs), max(ys)


def box_around_rotated(
    box: Sequence[float], degrees: float, pivot: Point
) -> list[Point]:
    """Upper left and lower right corner of the upright box around a rotated one.

    Args:
        box: ``(x0, y0, x1, y1)`` before the rotation, in pixels.
        degrees: Clockwise as seen on the image.
        pivot: The point that stays.
    """
    x0, y0, x1, y1 = box_of_corners(rotated_corners(box, degrees, pivot))
    return [(x0, y0), (x1, y1)]


def rotated_corners(box: Sequence[float], degrees: float, pivot: Point) -> list[Point]:
    """Corners of a rotated box.

    Args:
        box: ``(x0, y0, x1, y1)`` before the rotation, in pixels.
        degrees: Clockwise as seen on the image.
        pivot: The point that stays.

    Returns:
        Four corners.
    """
    x0, y0, x1, y1 = box
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    px, py = pivot
    return [
        (px + (x - px) * cos - (y - py) * sin, py + (x - px) * sin + (y - py) * cos)
        for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    ]


def report_no_shape(
    image: LabelledImage, item: str, kind: Any, names: Sequence[str]
) -> None:
    """Say that a shape is left out, because a label file has no such kind.

    Args:
        image: Gets the issue, and the classes as tags.
        item: The shape.
        kind: The tool's name of its kind.
        names: Its classes.
    """
    kind = str(kind)[:40]
    article = 'an' if kind[:1] in 'aeiou' else 'a'
    reason = f'{article} {kind} is no point, box, polygon or mask'
    image.report(LEFT_OUT, item, f'shape {kind}', reason, names)


def keep_rotated(
    shape: Shape, degrees: float, image: LabelledImage, settings: ImportSettings
) -> Shape | None:
    """Say what becomes of a box that was turned.

    Args:
        shape: The upright box around it.
        degrees: Its rotation; multiples of 90, to a ten-thousandth, leave it upright.
        image: Gets the issue.
        settings: Whether the upright box around a rotated one is kept.

    Returns:
        The box, or None if it is left out.
    """
    if abs(math.remainder(degrees, 90)) < _UPRIGHT:
        return shape
    kind, rest = CHANGED, 'the upright box around it is kept, which is not tight'
    if settings.rotated == 'skip':
        kind, rest = LEFT_OUT, 'label files have upright boxes'
    reason = f'rotated by {degrees:g} degrees; {rest}'
    image.report(kind, shape.item, 'rotated box', reason, [shape.name])
    return shape if kind is CHANGED else None


def sort_extreme_points(clicks: Sequence[Point]) -> tuple[list[Point], bool]:
    """Put four clicks into the order top, left, bottom, right.

    Two clicks on one corner may come out so that one of them is extreme twice and the
    other not at all; then the box is still right.

    Args:
        clicks: Four points, in any order.

    Returns:
        The points in order, and whether each of them is extreme in its direction.
    """
    for order in permutations(clicks):
        try:
            check_extreme_points(order, '')
        except ValueError:
            continue
        return list(order), True
    by_x = sorted(clicks, key=lambda point: point[0])
    by_y = sorted(clicks, key=lambda point: point[1])
    return [by_y[0], by_x[0], by_y[-1], by_x[-1]], False
