"""What tells a bad pseudo label from a good one without ground truth.

Every signal is measured from the label itself, its image, its neighbours, or a second
label of the same object. None needs a mask that a person has drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_mask

from mmwsis.formats.coco_masks import (
    MaskCrop,
    MaskError,
    check_segmentation,
    checked_rle,
    decode_segmentation,
)
from mmwsis.formats.image_file import (
    image_place,
    read_header,
    read_rgb,
    size_difference,
)
from mmwsis.ops import DenseCRF, unary_from_labels
from mmwsis.ops.connected_components import connected_components
from mmwsis.structures import annotation_place

from .collapse_report import weak_box

# Of one label; those of second labels follow, named after their files.
OWN_SIGNALS = ('score', 'crf', 'fill', 'box_fit', 'parts', 'border', 'overlap')
# The CRF sees the label's box and this share of its longer side around it, reduced to
# this many pixels: its cost is then that of an object, not of a photograph.
CRF_MARGIN, CRF_SIDE = 0.25, 96
_CRF_PRESET, _CRF_ITERS = 'irnet', 5

Signals = dict[str, float | None]


@dataclass(frozen=True)
class ImageLabels:
    """The labels of one image, and second labels of its objects.

    Attributes:
        path: File of the labels, for messages.
        image: Entry of ``images``.
        annotations: Labels to judge.
        seconds: Name of a signal -> labels of a second file on this image.
        matched: Names of the signals whose labels have ids of their own and are
            matched by overlap.
        image_path: The image; None where it is not needed.
        crf: Measure the change under the dense CRF.
    """

    path: str
    image: Mapping[str, Any]
    annotations: Sequence[Mapping[str, Any]]
    seconds: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    matched: frozenset[str] = frozenset()
    image_path: Path | None = None
    crf: bool = False


def image_signals(labels: ImageLabels) -> list[Signals]:
    """Measure the labels of one image.

    Args:
        labels: The labels and where they come from.

    Returns:
        For each annotation from the name of a signal to its value, None where it cannot
        be measured; an empty mask has no signal but its score:

        - ``score``: the labeler's, 0 to 1;
        - ``crf``: IoU with itself after the dense CRF;
        - ``fill``: share of its box that it fills, of the weak box where there is one;
        - ``box_fit``: IoU of its tight box with the weak box;
        - ``parts``: number of 8-connected components;
        - ``border``: number of the image's sides that it touches, 0 to 4;
        - ``overlap``: share of it that another label of its class covers, the largest;
        - of every second file: IoU with the second label of the object.

    Raises:
        FileNotFoundError: The image does not exist.
        ValueError: A mask or a box is broken, or the image has another size; the
            message names file and ids.
    """
    size = labels.image['height'], labels.image['width']
    rles = [_rle(one, size, labels.path) for one in labels.annotations]
    crops = [_crop(one, size) for one in labels.annotations]
    overlaps = _class_overlaps(labels.annotations, rles)
    seconds = {name: _agreement(labels, rles, name, size) for name in labels.seconds}
    changed = _crf_changes(labels, crops)
    found = []
    for row, (one, crop) in enumerate(zip(labels.annotations, crops)):
        signals: Signals = dict.fromkeys((*OWN_SIGNALS, *labels.seconds))
        signals['score'] = one.get('score')
        if crop is not None:
            where = weak_box(one, labels.path)
            signals.update(_shape_signals(crop, size, where))
            signals['crf'] = changed[row]
            signals['overlap'] = overlaps[row]
            signals.update({name: values[row] for name, values in seconds.items()})
        found.append(signals)
    return found


def _rle(one: Mapping[str, Any], size: tuple[int, int], path: str) -> dict[str, Any]:
    check_segmentation(one.get('segmentation'), size, annotation_place(path, one))
    return checked_rle(one['segmentation'], *size)


def _crop(one: Mapping[str, Any], size: tuple[int, int]) -> MaskCrop | None:
    try:
        return decode_segmentation(one['segmentation'], *size)
    except MaskError:
        return None  # checked before: it is empty


def _shape_signals(
    crop: MaskCrop, size: tuple[int, int], given: Sequence[float] | None
) -> Signals:
    """Signals of a mask alone, and of the box that the labeler was given."""
    (left, top), (height, width) = crop.offset, crop.mask.shape
    right, bottom = left + width, top + height
    touched = (left == 0, top == 0, right == size[1], bottom == size[0])
    area = float(crop.mask.sum())
    signals: Signals = dict(
        fill=area / (height * width),
        parts=float(len(connected_components(crop.mask).areas)),
        border=float(sum(touched)),
    )
    if given is not None and min(given[2:]) > 0:
        x, y, w, h = given
        across = max(0.0, min(right, x + w) - max(left, x))
        down = max(0.0, min(bottom, y + h) - max(top, y))
        both = across * down
        signals['fill'] = min(1.0, area / (w * h))
        signals['box_fit'] = both / (w * h + height * width - both)
    return signals


def _class_overlaps(
    annotations: Sequence[Mapping[str, Any]], rles: Sequence[dict[str, Any]]
) -> list[float]:
    """Largest share of every mask that another of its class covers."""
    if len(rles) < 2:
        return [0.0] * len(rles)
    # For a crowd, pycocotools divides by the area of the first mask alone.
    shares = coco_mask.iou(list(rles), list(rles), [1] * len(rles))
    classes = np.array([str(one['category_id']) for one in annotations])
    shares[classes[:, None] != classes[None]] = 0
    np.fill_diagonal(shares, 0)
    return np.nan_to_num(shares).max(axis=1).clip(0, 1).tolist()


def _agreement(
    labels: ImageLabels, rles: Sequence[dict[str, Any]], name: str, size: tuple
) -> list[float | None]:
    """IoU of every label with the second label of its object."""
    seconds = labels.seconds[name]
    if not rles:
        return []
    if not seconds:
        return [0.0 if name in labels.matched else None] * len(rles)
    others = [_rle(one, size, name) for one in seconds]
    ious = coco_mask.iou(list(rles), others, [0] * len(others))
    if name in labels.matched:
        own = [str(one['category_id']) for one in labels.annotations]
        their = [str(one['category_id']) for one in seconds]
        same = np.array(own)[:, None] == np.array(their)[None]
        return np.where(same, ious, 0).max(axis=1).tolist()
    column = {one['id']: index for index, one in enumerate(seconds)}
    columns = [column.get(one['id']) for one in labels.annotations]
    return [
        None if index is None else float(ious[row, index])
        for row, index in enumerate(columns)
    ]


def _crf_changes(
    labels: ImageLabels, crops: Sequence[MaskCrop | None]
) -> list[float | None]:
    if not labels.crf or labels.image_path is None or not crops:
        return [None] * len(crops)
    rgb = read_label_image(labels.image_path, labels.image, labels.path)
    return [None if crop is None else crf_agreement(rgb, crop) for crop in crops]


def read_label_image(
    path: Path, image: Mapping[str, Any], label_path: str
) -> np.ndarray:
    """Read an image as RGB and see that its labels are of its size.

    Args:
        path: The image.
        image: Entry of ``images``.
        label_path: File of the labels, for messages.

    Returns:
        uint8 ``(H, W, 3)``.

    Raises:
        FileNotFoundError: There is no such image.
        OSError: It cannot be decoded.
        ValueError: It has another size.
    """
    rgb = read_rgb(str(path), image['id'])
    expected = image['width'], image['height']
    if rgb.shape[1::-1] != expected:
        raise ValueError(
            f'{image_place(path, image["id"])}: {label_path} '
            f'{size_difference(expected, read_header(path))} Give the folder of the '
            'images that were labelled.'
        )
    return rgb


def crf_agreement(rgb: np.ndarray, crop: MaskCrop) -> float:
    """IoU of a mask with what the dense CRF makes of it.

    The CRF sees the mask's surroundings alone, at up to 96 pixels a side.

    Args:
        rgb: Image, uint8 ``(H, W, 3)``.
        crop: The mask.

    Returns:
        0 to 1; 1: the mask follows the colours.
    """
    window, mask = mask_window(rgb, crop, CRF_MARGIN, 4)
    scale = min(1.0, CRF_SIDE / max(mask.shape))
    if scale < 1:
        sides = tuple(max(1, round(scale * side)) for side in mask.shape[::-1])
        window = cv2.resize(window, sides, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, sides, interpolation=cv2.INTER_NEAREST_EXACT)
    unary = unary_from_labels(torch.from_numpy(mask), 2)
    crf = DenseCRF(torch.from_numpy(np.ascontiguousarray(window)), _CRF_PRESET)
    after = crf.labels(unary, _CRF_ITERS).numpy().astype(bool)
    both = np.count_nonzero(after & (mask > 0))
    return both / max(1, np.count_nonzero(after | (mask > 0)))


def mask_window(
    rgb: np.ndarray, crop: MaskCrop, margin: float, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Part of an image around a mask.

    Args:
        rgb: Image, uint8 ``(H, W, 3)``.
        crop: The mask.
        margin: Share of the mask's longer side that is added on every side.
        least: Pixels that are added at least.

    Returns:
        The part, ``(h, w, 3)``, and the mask in it, uint8 ``(h, w)``.
    """
    (left, top), (height, width) = crop.offset, crop.mask.shape
    added = max(least, round(margin * max(height, width)))
    x0, y0 = max(0, left - added), max(0, top - added)
    window = rgb[y0 : top + height + added, x0 : left + width + added]
    mask = np.zeros(window.shape[:2], np.uint8)
    mask[top - y0 : top - y0 + height, left - x0 : left - x0 + width] = crop.mask
    return window, mask
