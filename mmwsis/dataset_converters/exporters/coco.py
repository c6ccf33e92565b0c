"""Writer of plain COCO: one ``labels.json`` that any COCO tool reads."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmwsis.formats.coco_masks import tight_box

from ..conversion import Progress, source_block
from .objects import Abilities, ExportImage, ExportObject, rings_to_segmentation

ABILITIES = Abilities(holes_as_mask=True, keeps_form=True)
FILE_NAME = 'labels.json'
# What COCO itself has, and `score`, which its readers pass over.
_IMAGE_KEYS = (
    'id', 'file_name', 'width', 'height', 'license', 'flickr_url', 'coco_url',
    'date_captured',
)  # fmt: skip


def coco_of_images(
    images: Iterable[ExportImage],
    coco: Mapping[str, Any],
    source: str | Path,
    advance: Progress,
) -> dict[str, Any]:
    """Plain COCO of the images.

    Args:
        images: What to write.
        coco: The label file they come from; its categories go over.
        source: Its path.
        advance: Counts the images.

    Returns:
        COCO dictionary with tight boxes, areas in pixels, ``score`` where there is one
        and ``iscrowd``.
    """
    entries, annotations = [], []
    for image in images:
        own = {key: image.image[key] for key in _IMAGE_KEYS if key in image.image}
        entries.append({**own, 'file_name': image.file_name})
        annotations += [_annotation(one, image) for one in image.objects]
        advance(1)
    categories = [
        {key: one[key] for key in ('id', 'name', 'supercategory') if key in one}
        for one in coco['categories']
    ]
    return dict(
        info=dict(mmwsis=source_block('export_labels', source)),
        images=entries,
        annotations=annotations,
        categories=categories,
    )


def _annotation(one: ExportObject, image: ExportImage) -> dict[str, Any]:
    segmentation: Any = rings_to_segmentation(one.rings)
    # COCO's own tools read crowd regions from bitmaps alone.
    if one.is_crowd or not one.rings:
        segmentation = one.rle(image.size)
    made = dict(
        id=one.id,
        image_id=image.image['id'],
        category_id=one.annotation['category_id'],
        iscrowd=int(one.is_crowd),
        segmentation=segmentation,
        bbox=tight_box(one.crop),
        area=int(one.crop.mask.sum()),
    )
    return made if one.score is None else {**made, 'score': one.score}
