"""What an image of a label file is built from, and the image."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mmwsis.structures.supervision import Supervision

from .records import LabelledImage, Notice


@dataclass(frozen=True)
class BuildOptions:
    """Choices of the user about levels and classes.

    Attributes:
        img_dir: The image folder.
        level: No image gets a stronger level.
        points_from_boxes: The middle of a box stands for a click.
        ignored: Labels that are no classes.
        stuff: Classes without objects; theirs are tags of the image.
    """

    img_dir: Path
    level: Supervision = Supervision.MASKS
    points_from_boxes: bool = False
    ignored: tuple[str, ...] = ()
    stuff: tuple[str, ...] = ()


@dataclass
class BuiltImage:
    """An image of a label file, but for its numbers.

    Attributes:
        source: Where it comes from, for messages.
        file_name: Relative to the image folder.
        width: In pixels.
        height: In pixels.
        level: None if the image has no object, or is not usable.
        tags: Names of the classes present.
        annotations: (class name, keys of the annotation) of every object.
        notices: What did not go over as it was.
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
    notices: list[Notice] = field(default_factory=list)
    is_found: bool = True
    is_usable: bool = True

    def to_json(self) -> dict[str, Any]:
        """A JSON-serialisable form."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> 'BuiltImage':
        """The image of what :meth:`to_json` gave, after it went through JSON.

        Args:
            record: The JSON-serialisable form.
        """
        level = record['level']
        return cls(
            **{
                **record,
                'level': None if level is None else Supervision(level),
                'annotations': [(name, keys) for name, keys in record['annotations']],
                'notices': [Notice(*notice) for notice in record['notices']],
            }
        )


class BuildJob(NamedTuple):
    """What an image is built from.

    Attributes:
        image: What was read.
        options: The user's choices.
        stamp: Of the image file, so that a changed one is read again.
    """

    image: LabelledImage
    options: BuildOptions
    stamp: tuple[int, int] | None = None
