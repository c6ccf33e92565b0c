"""Objects and void pixels of a COCO JSON, as metrics of instance masks need them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from mmwsis.formats.coco_file import annotations_by_image, load_coco, match_classes
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.structures import annotation_place

from .mask_bits import MaskBits, pack_masks
from .mask_overlap import RLE, mask_intersections


class ImageObjects(NamedTuple):
    """Ground truth of one image.

    Attributes:
        masks: G masks, none empty, none on a void pixel.
        labels: ``(G,)`` int64, index into the classes.
        crowd: ``(G,)`` bool: a region of several objects, never to be found itself.
        void: One mask of the pixels that are not to be judged, or ``None``.
    """

    masks: MaskBits
    labels: np.ndarray
    crowd: np.ndarray
    void: MaskBits | None


class InstanceGroundTruth:
    """Ground truth of a dataset; masks are read when an image is asked for.

    Args:
        ann_file: COCO JSON at level 'masks'. ``images[].void`` may hold a compressed
            RLE of void pixels (VOC's 255, Cityscapes' classes that are ignored in
            evaluation), ``iscrowd`` marks regions of several objects.
        classes: Names; their position is the label. Other classes of the file do not
            count.
        backend_args: Arguments of MMEngine's file backend.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is broken or does not have a class; the message names file
            and ids.
    """

    def __init__(
        self, ann_file: str, classes: Sequence[str], backend_args: dict | None = None
    ) -> None:
        coco = load_coco(ann_file, 'masks', backend_args)
        ids = match_classes(classes, coco['categories'], ann_file)
        self.ann_file = ann_file
        self.classes = tuple(classes)
        self._label = {category: label for label, category in enumerate(ids)}
        self._images = {image['id']: image for image in coco['images']}
        self._annotations = annotations_by_image(coco)

    @property
    def image_ids(self) -> list[Any]:
        """Ids of the images, in the order of the file."""
        return list(self._images)

    def image_size(self, image_id: Any) -> tuple[int, int]:
        """``(H, W)`` of an image in pixels.

        Args:
            image_id: Of the file.

        Raises:
            ValueError: The file has no such image.
        """
        if image_id not in self._images:
            raise ValueError(
                f'{self.ann_file} has no image with the id {image_id!r}, for which '
                'there are predictions. Set ann_file of the metric to the one of the '
                'dataset that is tested.'
            )
        image = self._images[image_id]
        return int(image['height']), int(image['width'])

    def objects(self, image_id: Any) -> ImageObjects:
        """Objects and void pixels of an image.

        Args:
            image_id: Of the file.

        Returns:
            They. Void pixels are taken out of the objects, and objects without a
            pixel left are dropped.

        Raises:
            ValueError: The file has no such image, or a mask is broken; the message
                names file and ids.
        """
        self.image_size(image_id)
        return image_objects(
            self._annotations[image_id],
            self._images[image_id],
            self._label,
            self.ann_file,
        )


def image_objects(
    annotations: Sequence[Mapping[str, Any]],
    image: Mapping[str, Any],
    label_of: Mapping[Any, int],
    source: str,
) -> ImageObjects:
    """Objects and void pixels of one image.

    Args:
        annotations: COCO annotations of the image.
        image: Its entry of ``images``; ``void`` may hold an RLE.
        label_of: Category id -> label; other categories do not count.
        source: Names the file in messages.

    Returns:
        They; see :meth:`InstanceGroundTruth.objects`.

    Raises:
        ValueError: A mask is broken; the message names file and ids.
    """
    size = int(image['height']), int(image['width'])
    own = [one for one in annotations if one['category_id'] in label_of]
    masks = annotation_bits(own, size, source)
    void = None
    if image.get('void') is not None:
        where = f'{source}: void of image id {image["id"]!r}'
        void = pack_masks([annotation_mask(image['void'], size, where)], size)
        masks = masks.without(void)
    kept = np.flatnonzero(masks.areas() > 0)
    labels = [label_of[annotation['category_id']] for annotation in own]
    crowd = [bool(annotation.get('iscrowd')) for annotation in own]
    return ImageObjects(
        masks=masks[kept],
        labels=np.array(labels, dtype=np.int64)[kept],
        crowd=np.array(crowd, dtype=bool)[kept],
        void=void,
    )


def annotation_bits(
    annotations: Sequence[Mapping[str, Any]], size: tuple[int, int], source: str
) -> MaskBits:
    """Masks of annotations of one image.

    Args:
        annotations: COCO annotations, polygons or any RLE.
        size: ``(H, W)`` of the image in pixels.
        source: Names the file in messages.

    Raises:
        ValueError: A mask is broken; the message names file and ids.
    """
    bitmaps = [
        annotation_mask(one.get('segmentation'), size, annotation_place(source, one))
        for one in annotations
    ]
    return pack_masks(bitmaps, size)


def cut_masks(masks: Sequence[RLE], hole: RLE) -> list[RLE]:
    """Take a region out of masks.

    Args:
        masks: Compressed RLEs.
        hole: RLE of the region.

    Returns:
        The masks; those that do not touch the region are returned as they are.
    """
    touched = mask_intersections(masks, [hole]).any(axis=1)
    if not touched.any():
        return list(masks)
    outside = 1 - coco_mask.decode(hole)
    return [
        coco_mask.encode(np.asfortranarray(coco_mask.decode(mask) * outside))
        if cut
        else mask
        for mask, cut in zip(masks, touched)
    ]


def crowds_as_void(objects: ImageObjects) -> ImageObjects:
    """Join crowd regions to the void pixels, where no object lies on them.

    VOC knows no crowds: what belongs to none of the annotated objects is void.

    Args:
        objects: Ground truth of one image.

    Returns:
        The same without crowds.
    """
    if not objects.crowd.any():
        return objects
    single, crowds = objects.masks[~objects.crowd], objects.masks[objects.crowd]
    if len(single):
        crowds = crowds.without(single.union())
    if objects.void is not None:
        crowds = crowds.joined(objects.void)
    return ImageObjects(
        masks=single,
        labels=objects.labels[~objects.crowd],
        crowd=objects.crowd[~objects.crowd],
        void=crowds.union(),
    )
