"""What the user of an import may choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmwsis.structures.supervision import Supervision


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
        quads: 'polygon', or 'extreme_points': a polygon of exactly four corners was
            clicked at the extreme points.
        rotated: 'enclose' keeps the upright box around a rotated one, 'skip' none.
        image_key: Label Studio: the key of ``data`` that names the image.
        annotator: Label Studio: 'latest', 'first', or the id or e-mail address of the
            annotator whose annotations are taken.
    """

    classes: Sequence[str] | None = None
    img_dir: Path | None = None
    ignored: Sequence[str] = ()
    stuff: Sequence[str] = ()
    level: Supervision = Supervision.MASKS
    points_from_boxes: bool = False
    drop_empty: bool = False
    strict: bool = False
    quads: str = 'polygon'
    rotated: str = 'enclose'
    image_key: str | None = None
    annotator: str = 'latest'
