"""What a labeler knows of one object crop besides its pixels."""

from mmengine.structures import BaseDataElement


class ObjectCropSample(BaseDataElement):
    """One annotation seen as a square crop (EXITS and MAL, stage 1).

    Meta information (``sample.metainfo``; absent where the dataset does not know it):

    - ``img_id``, ``img_path``, ``height``, ``width``: the image; sizes in pixels.
    - ``ann_id``, ``category_id``, ``label``: the annotation, its class id in the file
      and its index in ``metainfo['classes']``.
    - ``bbox``: ``(x0, y0, x1, y1)`` in image pixels; ``area``: width times height of
      the box in original image pixels; ``iscrowd``: 0 or 1.
    - ``crop_box``: half-open integer box ``(X0, Y0, X1, Y1)`` that was cut out, may
      reach beyond the image, where the crop wraps around; ``flip``: whether the crop
      was mirrored horizontally; ``crop_size``: side ``S`` of the crop in pixels.
    - ``gt_mask``: polygons or RLE as in the file, only at supervision 'masks'.

    Data fields:

    - ``box_mask``: uint8 tensor ``(S, S)``, 1 inside the box, geometry of the crop.
    - ``extreme_points``: float64 tensor ``(4, 2)``, top, left, bottom, right, each
      ``(x, y)`` in pixels of the original image (neither cropped nor mirrored); absent
      where supervision is only boxes.

    Example:
        >>> import torch
        >>> sample = ObjectCropSample(metainfo=dict(ann_id=7, flip=False))
        >>> sample.box_mask = torch.zeros(8, 8, dtype=torch.uint8)
        >>> 'extreme_points' in sample, sample.ann_id
        (False, 7)
    """
