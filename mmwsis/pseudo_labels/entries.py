"""Annotations of a pseudo-label file: tight box, RLE, score."""

from collections.abc import Mapping
from typing import Any

from pycocotools import mask as coco_mask

from mmwsis.ops import encode_filled_box

SCORE_DIGITS = 6


def prediction_record(sample: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a part file keeps of one prediction.

    Args:
        sample: Metainfo of the predicted ``ObjectCropSample``: ``ann_id``, ``height``,
            ``width``, ``pred_mask`` (compressed RLE), ``pred_score``,
            ``empty_prediction``.
        where: Names the annotation in messages.

    Returns:
        ``id``, and unless the prediction is empty ``segmentation``, ``bbox`` (tight),
        ``area`` (pixels of the mask) and ``score``.

    Raises:
        ValueError: The labeler gave no mask, one of another size, or no finite score.
    """
    missing = [key for key in ('pred_mask', 'pred_score') if key not in sample]
    if missing:
        raise ValueError(
            f'{where}: the model returned no {" and ".join(missing)}. Is this the '
            'config of a labeler? Its predict() must fill them.'
        )
    mask, size = sample['pred_mask'], [sample['height'], sample['width']]
    if list(mask['size']) != size:
        raise ValueError(
            f'{where}: the predicted mask has size {list(mask["size"])}, the image '
            f'{size} (height, width).'
        )
    area = int(coco_mask.area(mask))
    if area == 0:
        return dict(id=sample['ann_id'])
    score = float(sample['pred_score'])
    if not 0 <= score <= 1:
        raise ValueError(f'{where}: pred_score must lie in [0, 1], got {score}.')
    return dict(id=sample['ann_id'], **mask_keys(mask, score))


def mask_keys(mask: Mapping[str, Any], score: float) -> dict[str, Any]:
    """Keys of an annotation that follow from its mask.

    Args:
        mask: Compressed RLE, not empty.
        score: 0 to 1.

    Returns:
        ``segmentation`` (JSON-serialisable), ``bbox`` (tight), ``area`` (pixels of the
        mask) and ``score``.
    """
    counts = mask['counts']
    if isinstance(counts, bytes):
        counts = counts.decode('ascii')
    return dict(
        segmentation=dict(size=[int(side) for side in mask['size']], counts=counts),
        bbox=coco_mask.toBbox(mask).tolist(),
        area=int(coco_mask.area(mask)),
        score=round(float(score), SCORE_DIGITS),
    )


def pseudo_annotation(
    weak: Mapping[str, Any],
    image_size: tuple[int, int],
    record: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One annotation of the finished file.

    Args:
        weak: The annotation of the source file; its box is kept as ``weak_bbox``, its
            point, where there is no box, as ``weak_point``.
        image_size: ``(H, W)`` in pixels.
        record: Of :func:`prediction_record`; None fills the box (crowds, boxes under
            one pixel), and so does an empty prediction, which is marked
            ``empty_prediction``. Without a box, the pixel of the point is filled.

    Returns:
        COCO annotation; ``bbox`` is the tight box and ``area`` the pixel count of the
        mask, not of the weak box. Only predicted masks have a ``score`` above 0.
    """
    entry = dict(
        id=weak['id'], image_id=weak['image_id'], category_id=weak['category_id']
    )
    own = record
    if record is None or 'segmentation' not in record:
        box = _known_box(weak, image_size)
        own = mask_keys(encode_filled_box(box, image_size), 0.0)
    entry.update({key: own[key] for key in ('bbox', 'area', 'segmentation', 'score')})
    entry['iscrowd'] = int(bool(weak.get('iscrowd')))
    if 'bbox' in weak:
        entry['weak_bbox'] = list(weak['bbox'])
    else:
        entry['weak_point'] = list(weak['point'])
    if record is not None and 'segmentation' not in record:
        entry['empty_prediction'] = True
    return entry


def _known_box(weak: Mapping[str, Any], image_size: tuple[int, int]) -> list[float]:
    """``[x, y, width, height]`` of what is known of an object: its box, or a pixel."""
    if 'bbox' in weak:
        return weak['bbox']
    (x, y), (height, width) = weak['point'], image_size
    # The centre of a pixel has integer coordinates.
    return [min(round(x), width - 1), min(round(y), height - 1), 1, 1]


def refined_annotation(
    label: Mapping[str, Any], record: Mapping[str, Any] | None
) -> dict[str, Any]:
    """One annotation of a file of pseudo labels that was refined.

    Args:
        label: The annotation of the source file, itself a pseudo label.
        record: Of :func:`prediction_record`, with ``accepted``; None leaves the label
            as it is (crowds, boxes under one pixel).

    Returns:
        ``label``; where the mask was accepted, and people have not corrected the label,
        with the new one and its ``bbox``, ``area`` and ``score``; and ``refined``,
        whether it was.
    """
    accepted = record is not None and record['accepted'] and not label.get('correction')
    entry = dict(label, refined=accepted)
    if accepted:
        entry.pop('empty_prediction', None)
        keys = 'bbox', 'area', 'segmentation', 'score'
        entry.update({key: record[key] for key in keys})
    return entry
