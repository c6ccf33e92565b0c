"""What the readers of labelling tools' files hand on, whatever the tool."""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.formats.coco_masks import shorten
from mmwsis.structures.supervision import Supervision

from ..image_records import Record

LEFT_OUT, CHANGED, INVALID, WARNING = 'left_out', 'changed', 'invalid', 'warning'

Point = tuple[float, float]
# Of an image or a mask; more cannot be told from a typing error.
MAX_PIXELS = 2**30
# Blanks of all kinds, among them those that nobody sees.
_BLANKS = re.compile(r'[\s\x00-\x1f\x7f\u200b\ufeff]+')


def finite_number(value: Any) -> float:
    """A number of a JSON file; text and truth values are none.

    Args:
        value: What the file says.

    Raises:
        ValueError: It is no finite number.
    """
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        number = float(value) if is_number else math.nan
    except OverflowError:  # An integer of hundreds of digits.
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f'{shorten(value)} is no finite number')
    return number


def point_list(value: Any) -> list[Point]:
    """Points of a JSON file.

    Args:
        value: What the file says: ``[[x, y], ...]``.

    Raises:
        ValueError: It is anything else.
    """
    if not isinstance(value, list):
        raise ValueError(f'{shorten(value)} is no list')
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f'{shorten(pair)} is no [x, y]')
    return [(finite_number(x), finite_number(y)) for x, y in value]


def tidy_name(value: Any) -> str:
    """A class name without blanks at its ends, and single ones in it.

    Args:
        value: What the file says.

    Raises:
        ValueError: It is no text, or nothing is left of it.
    """
    if value is None:
        raise ValueError('a shape must have a label')
    if not isinstance(value, str):
        raise ValueError(f'a label must be a text, got {shorten(value)}')
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f'the label {value!r} has characters cut in half') from None
    name = _BLANKS.sub(' ', unicodedata.normalize('NFC', value)).strip()
    if not name:
        raise ValueError('a shape must have a label')
    return name


class Issue(NamedTuple):
    """Something that did not go over as it was.

    Attributes:
        kind: 'left_out' (nothing in a label file can say it), 'changed' (kept in
            another form), 'invalid' (broken) or 'warning' (kept as it is, but odd).
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
        holes: What was drawn over it afterwards and is cut out of its mask.
        id: Of the annotation that it was exported from, if that is to be kept.
    """

    name: str
    item: str
    point: Point | None = None
    box: tuple[float, float, float, float] | None = None
    extreme_points: Sequence[Point] | None = None
    polygons: list[list[Point]] = field(default_factory=list)
    masks: list[tuple[int, int, Any]] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    holes: list['LabelledObject'] = field(default_factory=list)
    id: int | None = None


@dataclass
class LabelledImage:
    """One image as a label file describes it.

    Attributes:
        source: The label file, and the image in it, for messages.
        paths: Where the image may be, relative to the image folder or absolute, the
            likeliest first.
        namesakes: The same for the image that has the label file's own name, without
            extension; looked for where the label file says something else, too.
        width: In pixels; None if the file does not say.
        height: In pixels; None if the file does not say.
        tags: Classes that are in the image, with or without an object.
        objects: The objects.
        issues: What did not go over as it was.
        spellings: Labels with blanks that mean nothing -> the class name.
        clicks_in_one: Number of shapes of four clicks that were read as extreme points.
        masks_are_moved: Whether the tool lets people move masks over the border.
        used_holes: Holes that were cut out of an object.
        file_name: Relative to the image folder; set when the image is looked for.
        file: The image; None if there is none.
        hint: What to say where the image is not found.
        is_left_out: Whether nothing of it may be written, for what its issues say.
    """

    source: str
    paths: list[str]
    namesakes: list[str] = field(default_factory=list)
    width: int | None = None
    height: int | None = None
    tags: list[str] = field(default_factory=list)
    objects: list[LabelledObject] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    spellings: dict[str, str] = field(default_factory=dict)
    clicks_in_one: int = 0
    masks_are_moved: bool = False
    used_holes: set[str] = field(default_factory=set)
    file_name: str = ''
    file: Path | None = None
    hint: str = ''
    is_left_out: bool = False

    def class_name(self, value: Any) -> str:
        """A class name, tidied; what was tidied is kept for the report.

        Args:
            value: What the file says.

        Raises:
            ValueError: It is no text, or empty.
        """
        name = tidy_name(value)
        if name != value:
            self.spellings[value] = name
        return name

    def add_tags(self, values: Iterable[Any], item: str) -> None:
        """Add tags; what is no class name is an issue.

        Args:
            values: What the file says.
            item: Where it stands, for the message.
        """
        for value in values:
            try:
                self.tags.append(self.class_name(value))
            except ValueError as error:
                self.report(INVALID, item, 'tag', str(error))

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
        for name in tags:
            with suppress(ValueError):
                self.tags.append(self.class_name(name))


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
        file_name: Relative to the image folder.
        clicks_in_one: Number of shapes of four clicks that were read as extreme points.
    """

    source: str
    issues: list[Issue]
    record: Record | None = None
    level: Supervision | None = None
    is_found: bool = True
    file_name: str = ''
    clicks_in_one: int = 0
