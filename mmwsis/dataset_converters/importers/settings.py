"""What the user of an import may choose."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmwsis.structures.supervision import Supervision

# LabelMe's own names for what is no class.
NO_CLASSES = ('_background_', '__ignore__')


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
        split_points: Every click of a shape of several is an object; by default four
            are the extreme points of one.
        holes: Labels whose shapes are cut out of the masks that were drawn before.
        rotated: 'enclose' keeps the upright box around a rotated one, 'skip' none.
        missing_images: 'error': an image that is not in the image folder stops the
            import, unless the folder holds no image at all; 'skip' leaves its labels
            out; 'keep' writes them though.
        image_key: Label Studio: the key of ``data`` that names the image.
        to_name: Label Studio: the image tag whose results are taken, where tasks show
            several images.
        annotator: Label Studio: 'latest', 'first', or the id or e-mail address of the
            annotator whose annotations are taken.
        predictions: Label Studio: where nobody annotated a task, the prediction of a
            model counts.
        keep_ids: Objects that bear the id of an annotation, as exports write it, keep
            it; the others get new ones and ``is_new``.
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
    split_points: bool = False
    holes: Sequence[str] = NO_CLASSES
    rotated: str = 'enclose'
    missing_images: str = 'error'
    image_key: str | None = None
    to_name: str | None = None
    annotator: str = 'latest'
    predictions: bool = False
    keep_ids: bool = False
