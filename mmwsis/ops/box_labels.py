"""Boxes to approximate masks of their objects, and these to label maps.

`Weakly- and Semi-Supervised Panoptic Segmentation <https://arxiv.org/abs/1808.03575>`__
(Li et al., ECCV 2018), section 3.2: the object is where GrabCut and a mask proposal
agree.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from .tensor_checks import as_box, as_integer, as_mask, as_size

IGNORE_INDEX = 255
_CERTAIN_SHARE = 0.02  # of a box's side, by which GrabCut alone is trusted less


class BoxAgreement(NamedTuple):
    """What is known of the pixels in a box; the rest of them is background.

    Attributes:
        foreground: (h, w) bool, the object.
        ambiguous: (h, w) bool, nothing is known; apart from ``foreground``.
    """

    foreground: np.ndarray
    ambiguous: np.ndarray


class BoxLabels(NamedTuple):
    """Label maps of an image.

    Attributes:
        semantic: (H, W) int32, label of every pixel.
        instances: (H, W) int32: 0 the background, -1 nothing is known, n the box with
            the index n - 1.
    """

    semantic: np.ndarray
    instances: np.ndarray


def box_agreement(
    grab_cut: np.ndarray, proposal: np.ndarray | None, box: np.ndarray
) -> BoxAgreement:
    r"""Foreground where GrabCut and proposal agree, ambiguous where one says so.

    Without a proposal, the foreground is what is left of GrabCut after an erosion by
    :math:`r = \max(1, \text{round}(0.02 \sqrt{w h}))` pixels, and the pixels that a
    dilation by r reaches are ambiguous. A box of which no foreground is left, and one
    of the whole image without a proposal, is ambiguous as a whole.

    Args:
        grab_cut: (H, W) bool, of :func:`grab_cut`.
        proposal: (H, W) bool; None where no proposal overlaps the box.
        box: (4,) integers ``x0, y0, x1, y1`` in pixels of the image, without row
            ``y1`` and column ``x1``. What is outside of it does not count.

    Returns:
        What is known of the pixels in the box, (y1 - y0, x1 - x0).

    Raises:
        TypeError: Masks or a box of another type.
        ValueError: Masks of different shapes, an empty box, or one that leaves the
            image.

    Example:
        >>> grab_cut = np.array([[False, True, True, False]])
        >>> proposal = np.array([[False, False, True, True]])
        >>> found = box_agreement(grab_cut, proposal, np.array([0, 0, 4, 1]))
        >>> found.foreground.astype(int), found.ambiguous.astype(int)
        (array([[0, 0, 1, 0]]), array([[0, 1, 0, 1]]))
    """
    mask = as_mask(grab_cut)
    size = mask.shape
    x0, y0, x1, y1 = as_box('box', box, size)
    window = slice(y0, y1), slice(x0, x1)
    if proposal is not None:
        proposal = as_mask(proposal)
        if proposal.shape != size:
            raise ValueError(
                f'proposal: expected the shape of grab_cut, {size}, got '
                f'{proposal.shape}.'
            )
        foreground = mask[window] & proposal[window]
        ambiguous = mask[window] ^ proposal[window]
    elif (x0, y0, x1, y1) == (0, 0, size[1], size[0]):
        ambiguous = np.ones(size, bool)
        foreground = ~ambiguous
    else:
        foreground, ambiguous = _without_proposal(mask[window], (x0, y0, x1, y1), size)
    if not foreground.any():
        ambiguous = np.ones_like(foreground)
    return BoxAgreement(foreground, ambiguous)


def _without_proposal(
    mask: np.ndarray, box: tuple[int, ...], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    x0, y0, x1, y1 = box
    radius = max(1, round(_CERTAIN_SHARE * ((x1 - x0) * (y1 - y0)) ** 0.5))
    # An object goes on beyond the border of the image, but not beyond that of the box.
    outside = (int(y0 > 0), int(y1 < size[0])), (int(x0 > 0), int(x1 < size[1]))
    eroded = ndimage.binary_erosion(
        np.pad(mask, outside), iterations=radius, border_value=1
    )
    (top, _), (left, _) = outside
    foreground = eroded[top : top + y1 - y0, left : left + x1 - x0]
    reached = ndimage.binary_dilation(mask, iterations=radius)
    return foreground, reached & ~foreground


def box_label_map(
    boxes: np.ndarray,
    labels: np.ndarray,
    agreements: Sequence[BoxAgreement],
    image_size: tuple[int, int],
    background: int = 0,
    ignore_index: int = IGNORE_INDEX,
) -> BoxLabels:
    """Label the pixels of an image by its boxes, smaller ones in front of larger ones.

    Boxes are painted by descending area, of equal ones the first at the bottom: their
    ambiguous pixels are ignored unless they have the label of the box already, their
    foreground gets it. A pixel is of the instance whose box has it in its foreground;
    where several boxes of its label do, nothing is known of its instance.

    Args:
        boxes: (N, 4) integers ``x0, y0, x1, y1`` in pixels of the image, without row
            ``y1`` and column ``x1``.
        labels: (N,) integers.
        agreements: What :func:`box_agreement` found of each box.
        image_size: (H, W) in pixels.
        background: Label of pixels in no box. Defaults to 0.
        ignore_index: Label of pixels of which nothing is known. Defaults to 255.

    Returns:
        Semantic map and instance map.

    Raises:
        TypeError: Boxes or labels that are no integers.
        ValueError: Wrong shapes, a box that is empty or leaves the image, or a label
            that equals ``background`` or ``ignore_index``.

    Example:
        >>> boxes, row = np.array([[0, 0, 3, 1], [1, 0, 4, 1]]), np.ones((1, 3), bool)
        >>> found = box_label_map(boxes, [5, 5], [BoxAgreement(row, ~row)] * 2, (1, 5))
        >>> found.semantic.tolist(), found.instances.tolist()
        ([[5, 5, 5, 5, 0]], [[1, -1, -1, 2, 0]])
    """
    size = as_size('image_size', image_size)
    background = as_integer('background', background)
    ignore_index = as_integer('ignore_index', ignore_index)
    boxes, labels = _boxes_and_labels(boxes, labels, len(agreements))
    if np.isin(labels, (background, ignore_index)).any():
        raise ValueError(
            f'labels: expected others than background, {background}, and ignore_index, '
            f'{ignore_index}, got {labels.tolist()}.'
        )
    windows = []
    for index, (box, found) in enumerate(zip(boxes, agreements)):
        x0, y0, x1, y1 = as_box(f'boxes[{index}]', box, size)
        windows.append((slice(y0, y1), slice(x0, x1)))
        if not found.foreground.shape == found.ambiguous.shape == (y1 - y0, x1 - x0):
            raise ValueError(
                f'agreements[{index}]: expected masks of the size of the box, '
                f'{(y1 - y0, x1 - x0)}, got {found.foreground.shape} and '
                f'{found.ambiguous.shape}.'
            )
    semantic = np.full(size, background, np.int32)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    for index in np.argsort(-areas, kind='stable'):
        pixels, label = semantic[windows[index]], labels[index]  # a view
        pixels[agreements[index].ambiguous & (pixels != label)] = ignore_index
        pixels[agreements[index].foreground] = label
    claims = np.zeros(size, np.int32)
    instances = np.zeros(size, np.int32)
    for index, (window, found) in enumerate(zip(windows, agreements)):
        own = found.foreground & (semantic[window] == labels[index])
        claims[window] += own
        instances[window] += own * np.int32(index + 1)
    instances[(claims > 1) | (semantic == ignore_index)] = -1
    return BoxLabels(semantic, instances)


def pixel_boxes(boxes: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Pixels that boxes of fractions touch, in the image.

    A side within a thousandth of a pixel of an integer is there: float32 and decimal
    fractions of files do not tell more.

    Args:
        boxes: (N, 4) finite, ``x0, y0, x1, y1`` in pixels, where the image begins at 0.
        image_size: (H, W) in pixels.

    Returns:
        (N, 4) int64, without row ``y1`` and column ``x1``; a box without area, or
        outside of the image, has ``x1 <= x0`` or ``y1 <= y0``.

    Raises:
        ValueError: Another shape, or NaN or infinity.

    Example:
        >>> pixel_boxes(np.array([[0.5, -2, 3.2, 2.0001], [1, 1, 1, 2]]), (4, 5))
        array([[0, 0, 4, 2],
               [1, 1, 1, 2]])
    """
    boxes = np.asarray(boxes)
    height, width = as_size('image_size', image_size)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or boxes.dtype.kind not in 'iuf':
        raise ValueError(
            f'boxes: expected numbers (N, 4), got {boxes.dtype} of {boxes.shape}.'
        )
    if not np.isfinite(boxes).all():
        raise ValueError('boxes: expected finite numbers, got NaN or infinity.')
    boxes = boxes.astype(np.float64)
    lower = np.floor(boxes[:, :2] + 1e-3).clip(min=0)
    upper = np.ceil(boxes[:, 2:] - 1e-3).clip(max=(width, height))
    return np.concatenate([lower, upper], axis=1).astype(np.int64)


def _boxes_and_labels(
    boxes: np.ndarray, labels: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    boxes, labels = np.asarray(boxes), np.asarray(labels)
    if not len(labels) and labels.ndim == 1:
        labels = labels.astype(np.int64)  # an empty list is of floats
    if boxes.shape != (count, 4) or labels.shape != (count,):
        raise ValueError(
            f'boxes, labels, agreements: expected shapes (N, 4), (N,) and N entries, '
            f'got {boxes.shape}, {labels.shape} and {count}.'
        )
    if boxes.dtype.kind not in 'iu' or labels.dtype.kind not in 'iu':
        raise TypeError(
            f'boxes, labels: expected integers, got {boxes.dtype} and {labels.dtype}.'
        )
    return boxes.astype(np.int64), labels.astype(np.int64)
