"""What the readers of labelling tools' files hand on, whatever the tool."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmwsis.structures.supervision import Supervision

from ..image_records import Record

LEFT_OUT, CHANGED, INVALID = 'left_out', 'changed', 'invalid'

Point = tuple[float, float]


class Issue(NamedTuple):
    """Something that did not go over as it was.

    Attributes:
        kind: 'left_out' (nothing in a label file can say it), 'changed' (kept in
            another form) or 'invalid' (broken).
        source: The label file, and the image in it where it holds several.
        item: The object, such as "shape 3 'cat'"; empty for the image as a whole.
        what: What it is in a few words, the same for all of its kind; counted by it.
        reason: Why, and what was done.
    """

    kind: str
    source: str
    item: str
    what: str
    reason: str

    def __str__(self) -> str:
        place = f'{self.source}: {self.item}' if self.item else self.source
        return f'{place}: {self.reason}'


@dataclass
class LabelledObject:
    """One object, with everything that the annotator said about it.

    Coordinates are pixels of the image, x to the right and y down.

    Attributes:
        name: Its class.
        item: Where it stands, for messages.
        point: A click on it.
        box: Upper left and lower right corner ``(x0, y0, x1, y1)``.
        extreme_points: Four clicks, in any order.
        polygons: Outlines of its components, each a list of corners.
        masks: Bitmaps of its components, each (offset x, offset y, rows of 0 and 1).
        attributes: What else the tool knows, such as ``occluded``.
    """

    name: str
    item: str
    point: Point | None = None
    box: tuple[float, float, float, float] | None = None
    extreme_points: Sequence[Point] | None = None
    polygons: list[list[Point]] = field(default_factory=list)
    masks: list[tuple[int, int, Any]] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class LabelledImage:
    """One image as a label file describes it.

    Attributes:
        source: The label file, and the image in it, for messages.
        paths: Where the image may be, relative to the image folder or absolute, the
            likeliest first.
        width: In pixels; None if the file does not say.
        height: In pixels; None if the file does not say.
        tags: Classes that are in the image, with or without an object.
        objects: The objects.
        issues: What did not go over as it was.
    """

    source: str
    paths: list[str]
    width: int | None = None
    height: int | None = None
    tags: list[str] = field(default_factory=list)
    objects: list[LabelledObject] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)

    def report(
        self, kind: str, item: str, what: str, reason: str, tags: Iterable[str] = ()
    ) -> None:
        """Add an issue of this image.

        Args:
            kind: 'left_out', 'changed' or 'invalid'.
            item: The object; empty for the image as a whole.
            what: What it is in a few words, the same for all of its kind.
            reason: Why, and what was done.
            tags: Classes that stay as tags of the image, which would otherwise say
                that they are not there. Defaults to none.
        """
        self.issues.append(Issue(kind, self.source, item, what, reason))
        self.tags += tags


@dataclass
class ReadResult:
    """What a reader found.

    Attributes:
        images: In the order of the files.
        issues: What did not go over as it was and belongs to no image.
        declared: Class names that the files declare, used or not.
    """

    images: list[LabelledImage] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)

    def add(self, other: 'LabelledImage | Issue') -> None:
        """Take over an image, or the reason why there is none.

        Args:
            other: What was read.
        """
        (self.issues if isinstance(other, Issue) else self.images).append(other)


class BuiltImage(NamedTuple):
    """An image of a label file, but for its number.

    Attributes:
        source: Where it comes from, for messages.
        issues: What did not go over as it was.
        record: ``image`` and ``objects`` without ids; None for images that must not be
            written.
        level: None if the image has no object, or must not be written.
        is_found: Whether the image file exists.
    """

    source: str
    issues: list[Issue]
    record: Record | None = None
    level: Supervision | None = None
    is_found: bool = True
