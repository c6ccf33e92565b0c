"""What the readers of labelling tools' files hand on, whatever the tool."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mmwsis.structures.supervision import Supervision

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


class Reporter:
    """Base of images, which know where they come from and what did not go over."""

    source: str
    issues: list[Issue]

    def report(self, kind: str, item: str, what: str, reason: str) -> None:
        """Add an issue of this image.

        Args:
            kind: 'left_out', 'changed' or 'invalid'.
            item: The object; empty for the image as a whole.
            what: What it is in a few words, the same for all of its kind.
            reason: Why, and what was done.
        """
        self.issues.append(Issue(kind, self.source, item, what, reason))


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
class LabelledImage(Reporter):
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
    width: int | None
    height: int | None
    tags: list[str] = field(default_factory=list)
    objects: list[LabelledObject] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)


@dataclass
class ReadResult:
    """What a reader found.

    Attributes:
        images: In the order of the files.
        issues: What did not go over as it was.
        declared: Class names that the files declare, used or not.
    """

    images: list[LabelledImage] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)

    def add_image(self, image: LabelledImage) -> None:
        """Take an image with what it has to report.

        Args:
            image: The image, read to its end.
        """
        self.images.append(image)
        self.issues += image.issues

    def add(self, other: 'ReadResult') -> None:
        """Take over what another reader found.

        Args:
            other: Its result.
        """
        self.images += other.images
        self.issues += other.issues
        self.declared += other.declared


@dataclass
class BuiltImage(Reporter):
    """An image of a label file, but for its numbers.

    Attributes:
        source: Where it comes from, for messages.
        file_name: Relative to the image folder.
        width: In pixels.
        height: In pixels.
        level: None if the image has no object, or is not usable.
        tags: Names of the classes present.
        annotations: (class name, keys of the annotation) of every object.
        issues: What did not go over as it was.
        is_found: Whether the image file exists.
        is_usable: False for images that must not be written.
    """

    source: str
    file_name: str
    width: int = 0
    height: int = 0
    level: Supervision | None = None
    tags: list[str] = field(default_factory=list)
    annotations: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    is_found: bool = True
    is_usable: bool = True
