"""From annotations of a label file to what formats can hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_api

from mmwsis.formats.coco_masks import (
    MaskCrop,
    MaskError,
    checked_rle,
    decode_segmentation,
)

from .outlines import Part, Ring, join_rings, simplify_ring, trace_parts
from .settings import ExportSettings

Annotation = Mapping[str, Any]


class Abilities(NamedTuple):
    """What one object can be in a format.

    Attributes:
        masks: It can be a bitmap.
        parts: It can be several outlines.
        holes_as_mask: Where it has holes it is better a bitmap than an outline with
            seams, because the tool can edit bitmaps.
        crowd: It can be a crowd region.
        keeps_form: Without a wish of the user outlines stay outlines and bitmaps stay
            bitmaps; else all become outlines.
    """

    masks: bool = True
    parts: bool = True
    holes_as_mask: bool = False
    crowd: bool = True
    keeps_form: bool = False


@dataclass
class ExportObject:
    """One annotation, ready to be written.

    Attributes:
        annotation: As it stands in the label file.
        name: Its class.
        crop: Its pixels.
        rings: Its outlines, ``(n, 2)`` arrays of x, y in pixels; none: a bitmap.
        num_parts: Number of its components, 4-connected.
        num_holes: Number of its holes.
        simplified_iou: IoU of its outlines with its mask where corners were left out;
            None where that was not asked for, or it is a bitmap.
    """

    annotation: Annotation
    name: str
    crop: MaskCrop
    rings: list[Ring] = field(default_factory=list)
    num_parts: int = 1
    num_holes: int = 0
    simplified_iou: float | None = None

    @property
    def num_shapes(self) -> int:
        """Number of outlines or bitmaps that it is written as."""
        return max(1, len(self.rings))

    @property
    def id(self) -> int:
        """Of the annotation."""
        return self.annotation['id']

    @property
    def is_crowd(self) -> bool:
        """Whether it marks a group of an unknown number of objects."""
        return bool(self.annotation.get('iscrowd'))

    @property
    def score(self) -> float | None:
        """Of a pseudo label, 0 to 1."""
        return self.annotation.get('score')

    def rle(self, size: tuple[int, int]) -> dict[str, Any]:
        """Its mask as a compressed RLE, ready for JSON.

        Args:
            size: Width and height of the image in pixels.
        """
        rle = checked_rle(self.annotation['segmentation'], size[1], size[0])
        counts = rle['counts']
        text = counts.decode('ascii') if isinstance(counts, bytes) else counts
        return dict(size=[size[1], size[0]], counts=text)


@dataclass
class ExportImage:
    """One image with its objects.

    Attributes:
        image: Entry of ``images``.
        file_name: Its path below the image folder, with forward slashes.
        objects: In the order of the label file.
        tags: Classes that are in the image and that no object of it has.
        problems: Annotations that are broken: ``(id, reason)``.
        left_out: Annotations that the format cannot hold: ``(id, reason)``.
    """

    image: Mapping[str, Any]
    file_name: str
    objects: list[ExportObject] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)
    left_out: list[tuple[int, str]] = field(default_factory=list)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.image['width'], self.image['height']


def export_object(
    annotation: Annotation,
    name: str,
    size: tuple[int, int],
    abilities: Abilities,
    settings: ExportSettings,
) -> ExportObject:
    """Bring an annotation into a form that a format can hold.

    Args:
        annotation: With a ``segmentation``.
        name: Its class.
        size: Width and height of the image in pixels.
        abilities: Of the format.
        settings: The user's choices.

    Returns:
        The object. Polygons of the label file go over as they are, where the format can
        hold them.

    Raises:
        ValueError: It has no mask, or one that is broken or empty.
    """
    width, height = size
    segmentation = annotation.get('segmentation')
    if not segmentation:
        raise ValueError('it has no mask (segmentation)')
    try:
        crop = decode_segmentation(segmentation, height, width)
    except MaskError as error:
        raise ValueError(str(error)) from None
    parts = trace_parts(*crop)
    made = ExportObject(annotation, name, crop, num_parts=len(parts))
    made.num_holes = sum(len(part.holes) for part in parts)
    is_kept = settings.shape is None and abilities.keeps_form
    as_mask = settings.shape == 'mask' or (
        (is_kept and isinstance(segmentation, Mapping))
        or (abilities.holes_as_mask and made.num_holes)
        or (not abilities.parts and len(parts) > 1)
    )
    if not (abilities.masks and as_mask):
        made.rings = _rings(segmentation, parts, abilities, settings)
    if made.rings and settings.tolerance:
        outlines = rings_to_segmentation(made.rings)
        made.simplified_iou = rle_iou(
            made.rle(size), checked_rle(outlines, height, width)
        )
    return made


def _rings(
    segmentation: Any,
    parts: Sequence[Part],
    abilities: Abilities,
    settings: ExportSettings,
) -> list[Ring]:
    drawn = not isinstance(segmentation, Mapping)
    if drawn and (abilities.parts or len(segmentation) == 1):
        polygons = [np.reshape(polygon, (-1, 2)) for polygon in segmentation]
        parts = [Part(polygon, []) for polygon in polygons]
    if settings.tolerance:
        parts = [
            Part(
                simplify_ring(part.shell, settings.tolerance),
                [simplify_ring(hole, settings.tolerance) for hole in part.holes],
            )
            for part in parts
        ]
    if not abilities.parts and settings.parts == 'bridge':
        return [join_rings([ring for part in parts for ring in (part[0], *part[1])])]
    return [join_rings([part.shell, *part.holes]) for part in parts]


def rle_iou(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """IoU of two masks.

    Args:
        one: Compressed RLE.
        other: The same of the other mask.

    Returns:
        0 to 1; 1 where both are empty.
    """
    union = mask_api.area(mask_api.merge([one, other]))
    both = mask_api.area(mask_api.merge([one, other], intersect=True))
    return float(both / union) if union else 1.0


def rings_to_segmentation(rings: Sequence[Ring]) -> list[list[float]]:
    """Rings as COCO's polygons."""
    return [plain_numbers(ring.ravel()) for ring in rings]


def plain_numbers(values: Any) -> list[float]:
    """Numbers for JSON, integers as such."""
    listed = np.asarray(values, dtype=np.float64).tolist()
    return [int(value) if value.is_integer() else value for value in listed]
