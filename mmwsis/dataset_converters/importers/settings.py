"""What the user of an import may choose."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmwsis.structures.supervision import Supervision

from .records import ReadOptions


@dataclass(frozen=True)
class ImportSettings:
    """What the user may choose; see the command line's help.

    Attributes:
        classes: Class names, ids 1 to n in this order; by default the names found,
            sorted.
        img_dir: The image folder; by default the folder of the label files.
        ignored: Labels that are no classes, on top of LabelMe's own.
        stuff: Classes without objects.
        level: No image gets a stronger level.
        points_from_boxes: The middle of a box stands for a click.
        drop_empty: Leave out images without any label.
        strict: Stop if anything is left out or changed.
        reading: Choices that the readers leave to the user.
    """

    classes: Sequence[str] | None = None
    img_dir: Path | None = None
    ignored: Sequence[str] = ()
    stuff: Sequence[str] = ()
    level: Supervision = Supervision.MASKS
    points_from_boxes: bool = False
    drop_empty: bool = False
    strict: bool = False
    reading: ReadOptions = field(default_factory=ReadOptions)
