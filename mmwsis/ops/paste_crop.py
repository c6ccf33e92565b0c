"""From logits of an object crop to a mask in the image.

As `MAL <https://arxiv.org/abs/2301.03992>`__'s released code exports its masks, which
`EXITS <https://arxiv.org/abs/2405.20729>`__ reuses. The logits live on the crop's grid,
the crop may reach beyond the image. Everything is computed on the crop only, never at
image size: an object costs what its box costs.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_number,
    as_size,
    check_finite,
    check_shape,
    check_tensor,
)

AREA_BINS = (1024, 9216)
THRESHOLDS = (0.1, 0.1, 0.1)
WEIGHTS = ('student', 'teacher', 'mixed')
# A crop of this many pixels takes 4 GiB.
MAX_CROP_PIXELS = 2**30


class MaskPatch(NamedTuple):
    """A mask that is zero outside one rectangle of the image.

    Attributes:
        mask: (h, w) bool.
        x: Column of the image at which the mask's upper left pixel lies.
        y: Its row.
        score: Mean probability over the mask's pixels in [0, 1], 0 if it has none.
    """

    mask: np.ndarray
    x: int
    y: int
    score: float


def combine_logits(
    student: Tensor | None,
    teacher: Tensor | None = None,
    student_flipped: Tensor | None = None,
    teacher_flipped: Tensor | None = None,
    weights: str = 'student',
    flip: bool = False,
) -> Tensor:
    r"""Average the logits of student, teacher and mirrored crops, as MAL's export does.

    With logits :math:`z` of a crop and :math:`z'` of its mirror image,

    .. math::
        \bar z = \tfrac{1}{2} (z + \mathrm{mirror}(z')),

    and with 'mixed' the mean of student and teacher of that.

    Args:
        student: (B, h, w) logits of the crop; may be None if ``weights`` is 'teacher'.
        teacher: The same of the teacher; needed for 'teacher' and 'mixed'. Defaults to
            None.
        student_flipped: Logits of the horizontally mirrored crop, *not* mirrored back;
            needed if ``flip``. Defaults to None.
        teacher_flipped: The same of the teacher. Defaults to None.
        weights: 'student', 'teacher', or 'mixed' for the mean of both. Defaults to
            'student'.
        flip: Average with the re-mirrored logits of the mirrored crop. Defaults to
            False.

    Returns:
        (B, h, w) logits; with 'mixed' and ``flip`` the mean of the two means.

    Raises:
        ValueError: Unknown ``weights``, a needed tensor is missing, or shapes differ.

    Example:
        >>> student, mirrored = torch.tensor([[[[1.0, 3.0]]], [[[3.0, 5.0]]]])
        >>> combine_logits(student, student_flipped=mirrored, flip=True)
        tensor([[[3., 3.]]])
    """
    if not isinstance(weights, str) or weights not in WEIGHTS:
        raise ValueError(f'weights must be one of {WEIGHTS}, got {weights!r}.')
    given = dict(student=(student, student_flipped), teacher=(teacher, teacher_flipped))
    names = ('student', 'teacher') if weights == 'mixed' else (weights,)
    means = []
    for name in names:
        plain, mirrored = given[name]
        _require(plain, f'{name} logits', f'weights={weights!r}')
        check_shape(f'{name} logits', plain, ('B', 'h', 'w'))
        if flip:
            _require(mirrored, f'{name}_flipped logits', 'flip=True')
            check_tensor(f'{name}_flipped logits', mirrored, like=plain)
            _same_shape(plain, mirrored)
            plain = (plain + mirrored.flip(-1)) / 2
        means.append(plain)
    if len(means) == 1:
        return means[0]
    check_tensor('teacher logits', means[1], like=means[0])
    _same_shape(*means)
    return (means[0] + means[1]) / 2


@torch.no_grad()
def crop_mask_patches(
    logits: Tensor,
    box_masks: Tensor,
    crop_boxes: Sequence[Sequence[int]] | Tensor,
    image_sizes: Sequence[tuple[int, int]],
    areas: Sequence[float] | Tensor,
    thresholds: Sequence[float] = THRESHOLDS,
    area_bins: Sequence[float] = AREA_BINS,
) -> list[MaskPatch]:
    r"""Turn crop logits into masks, each cut to the part of its crop inside the image.

    Logits z are resized to the crop, passed through a sigmoid, multiplied by the box
    mask, resized to the crop's size in image pixels and compared with the threshold of
    the object's area A:

    .. math::
        m = \mathrm{resize}_{\mathrm{image}}(
            \sigma(\mathrm{resize}_{\mathrm{crop}}(z)) \cdot \mathrm{box})
            > \tau_{\mathrm{bin}(A)}.

    All resizing is bilinear with ``align_corners=False``. Source: the released code of
    `MAL <https://arxiv.org/abs/2301.03992>`__ and the supplement of `EXITS
    <https://arxiv.org/abs/2405.20729>`__.

    Args:
        logits: (B, h, w) on the crop's grid.
        box_masks: (B, S, S), 1 inside the box, in the geometry of the crop.
        crop_boxes: B half-open integer boxes ``(X0, Y0, X1, Y1)`` in image pixels; may
            reach beyond the image.
        image_sizes: B times ``(H, W)`` in pixels.
        areas: B box areas in image pixels; they choose the threshold.
        thresholds: One probability per area bin. Defaults to (0.1, 0.1, 0.1).
        area_bins: Upper ends (inclusive) of all bins but the last, in pixels, in rising
            order. Defaults to (1024, 9216), COCO's small and medium.

    Returns:
        One patch per object, on the CPU. A crop that misses the image gives an empty
        (0, 0) patch.

    Raises:
        ValueError: Shapes or counts do not agree, a crop box is empty or larger than
            2^30 pixels, a threshold, area or bin is none, or logits are not finite.

    Example:
        >>> logits = torch.tensor([[[9.0, -9.0]]])  # the left half of the crop
        >>> box_masks, crop_boxes = torch.ones(1, 4, 4), [(-2, 0, 6, 4)]
        >>> (patch,) = crop_mask_patches(logits, box_masks, crop_boxes, [(3, 5)], [32])
        >>> patch.mask.astype(int)  # columns -2 to 0 are out of the image
        array([[1, 1, 1, 0, 0],
               [1, 1, 1, 0, 0],
               [1, 1, 1, 0, 0]])
    """
    thresholds = [as_number('thresholds', value, '[0, 1]') for value in thresholds]
    area_bins = [as_number('area_bins', value, '[0, inf)') for value in area_bins]
    if area_bins != sorted(area_bins):
        raise ValueError(f'area_bins: expected in rising order, got {area_bins}.')
    _check_inputs(logits, box_masks, crop_boxes, image_sizes, areas)
    if len(thresholds) != len(area_bins) + 1:
        raise ValueError(
            f'expected {len(area_bins) + 1} thresholds for area bins '
            f'{tuple(area_bins)}, got {len(thresholds)}.'
        )
    if len(logits) == 0:
        return []
    boxes = [_checked_box(box) for box in crop_boxes]
    sizes = [as_size('image_sizes', size) for size in image_sizes]
    areas = [as_number('areas', area, '[0, inf)') for area in areas]
    bins = np.searchsorted(area_bins, areas, side='left')
    patches = [MaskPatch(np.zeros((0, 0), dtype=bool), 0, 0, 0.0)] * len(boxes)
    # Nothing is to be computed for crops that miss their image.
    visible = [
        index
        for index, ((x0, y0, x1, y1), (height, width)) in enumerate(zip(boxes, sizes))
        if x1 > 0 and y1 > 0 and x0 < width and y0 < height
    ]
    if len(visible) < len(boxes):
        logits, box_masks = logits[visible], box_masks[visible]
    resized = _resize_on_cpu if logits.device.type == 'cpu' else _resize_on_device
    crops = resized(logits.detach().float(), box_masks, [boxes[i] for i in visible])
    for index, crop in zip(visible, crops):
        patches[index] = _cut(crop, boxes[index], sizes[index], thresholds[bins[index]])
    return patches


def _resize_on_device(
    logits: Tensor, box_masks: Tensor, boxes: list[tuple[int, ...]]
) -> Iterator[Tensor]:
    """Probabilities of every crop at its own size in image pixels."""
    # All objects at once up to here, (B, 1, h, w) -> (B, 1, S, S); sizes differ below.
    grown = F.interpolate(
        logits[:, None], box_masks.shape[-2:], mode='bilinear', align_corners=False
    )
    prob = grown.sigmoid_().mul_(box_masks[:, None].to(grown.dtype))
    for single, (x0, y0, x1, y1) in zip(prob, boxes):
        yield F.interpolate(
            single[None], size=(y1 - y0, x1 - x0), mode='bilinear', align_corners=False
        )[0, 0]


def _resize_on_cpu(
    logits: Tensor, box_masks: Tensor, boxes: list[tuple[int, ...]]
) -> Iterator[Tensor]:
    """The same with OpenCV, whose bilinear resizing is the faster one on CPUs.

    Its sampling positions are those of ``align_corners=False``, without antialiasing.
    """
    height, width = box_masks.shape[-2:]
    # Buffers for all objects: fresh memory costs as much as the arithmetic.
    prob = np.empty((height, width), dtype=np.float32)
    weight = torch.empty(height, width)
    for single, box_mask, (x0, y0, x1, y1) in zip(logits, box_masks, boxes):
        cv2.resize(
            single.numpy(), (width, height), dst=prob, interpolation=cv2.INTER_LINEAR
        )
        torch.from_numpy(prob).sigmoid_().mul_(weight.copy_(box_mask))
        crop = cv2.resize(prob, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        yield torch.from_numpy(crop)


def _cut(
    crop: Tensor, box: tuple[int, ...], image_size: tuple[int, int], threshold: float
) -> MaskPatch:
    """Cut a crop to the image and threshold it."""
    x0, y0, x1, y1 = box
    height, width = image_size
    left, right = max(x0, 0), min(x1, width)
    top, bottom = max(y0, 0), min(y1, height)
    # One transfer per object; what follows would wait for the device at every step.
    inside = crop[top - y0 : bottom - y0, left - x0 : right - x0].cpu().numpy()
    mask = inside > threshold
    score = float(inside[mask].mean(dtype=np.float64)) if mask.any() else 0.0
    return MaskPatch(mask, left, top, score)


def _check_inputs(
    logits: Tensor,
    box_masks: Tensor,
    crop_boxes: Sequence,
    image_sizes: Sequence,
    areas: Sequence,
) -> None:
    """Refuse shapes that do not belong together and logits that are not finite."""
    check_tensor('logits', logits)
    check_tensor('box_masks', box_masks, like=logits)
    if logits.ndim != 3 or box_masks.ndim != 3:
        raise ValueError(
            'expected logits (B, h, w) and box_masks (B, S, S), got '
            f'{tuple(logits.shape)} and {tuple(box_masks.shape)}.'
        )
    counts = dict(
        logits=len(logits),
        box_masks=len(box_masks),
        crop_boxes=len(crop_boxes),
        image_sizes=len(image_sizes),
        areas=len(areas),
    )
    if len(set(counts.values())) != 1:
        raise ValueError(
            f'expected one entry per object in every argument, got {counts}.'
        )
    if len(logits) and not (logits[0].numel() and box_masks[0].numel()):
        raise ValueError(
            'expected logits and box_masks of pixels, got '
            f'{tuple(logits.shape)} and {tuple(box_masks.shape)}.'
        )
    check_finite('box_masks', box_masks)
    finite = torch.isfinite(logits).flatten(1).all(1)
    if not finite.all():
        bad = (~finite).nonzero().flatten().tolist()
        raise ValueError(
            f'logits must be finite; objects {bad} of this batch hold NaN or infinity. '
            'The labeler has diverged; use an earlier checkpoint.'
        )


def _checked_box(box: Sequence[int] | Tensor) -> tuple[int, ...]:
    x0, y0, x1, y1 = (as_integer('crop_boxes', value) for value in box)
    if (x1 - x0) * (y1 - y0) > MAX_CROP_PIXELS:
        raise ValueError(
            f'crop_boxes: expected at most 2^30 pixels, got {(x0, y0, x1, y1)}.'
        )
    if x1 <= x0 or y1 <= y0:
        raise ValueError(
            'crop box must be half-open with positive size (X0, Y0, X1, Y1); got '
            f'{(x0, y0, x1, y1)}.'
        )
    return x0, y0, x1, y1


def _require(tensor: Tensor | None, name: str, because: str) -> None:
    if tensor is None:
        raise ValueError(f'{because} needs {name}, got None.')


def _same_shape(first: Tensor, second: Tensor) -> None:
    if first.shape != second.shape:
        raise ValueError(
            f'logits to average must have one shape, got {tuple(first.shape)} and '
            f'{tuple(second.shape)}.'
        )
