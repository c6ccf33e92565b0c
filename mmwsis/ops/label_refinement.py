"""Label maps made to agree with boxes: Li, Arnab and Torr, ECCV 2018.

The steps of the released code of `Weakly- and Semi-Supervised Panoptic Segmentation
<https://arxiv.org/abs/1808.03575>`__, in its order; the check against the tags of crops
is :func:`mmwsis.ops.keep_allowed_labels`. ``is_thing`` says of every class whether it
is counted (a thing, with boxes) or not (stuff).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_labels,
    as_number,
    check_finite,
    check_integers,
    check_shape,
    check_within,
    to_full_precision,
)

IGNORE_INDEX = 255


class BoxInstances(NamedTuple):
    """Which box the pixels of things belong to.

    Attributes:
        instance_map: (H, W) int32: the number of the only box of its class around a
            pixel, from 1; 0 for pixels in none, -1 for those in several or ignored.
        numbers: (N,) int64, the number of every box, 0 for crowds and repeats.
    """

    instance_map: Tensor
    numbers: Tensor


def keep_sure_labels(
    labels: Tensor,
    scores: Tensor,
    min_score: float = 0.99,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Ignore the labels of which a network is not sure.

    In the released code of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018), not in the paper.

    Args:
        labels: (H, W) integers.
        scores: (H, W) probability of each label, in [0, 1].
        min_score: Labels below it are ignored, in [0, 1]; compared in the precision of
            ``scores``. Defaults to 0.99.
        ignore_index: Label of the pixels that are ignored. Defaults to 255.

    Returns:
        (H, W) of the labels' type.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes or settings, or scores that are no probabilities.

    Example:
        >>> keep_sure_labels(torch.tensor([[3, 3]]), torch.tensor([[0.99, 0.98]]))
        tensor([[  3, 255]])
    """
    check_shape('labels', labels, ('H', 'W'))
    labels, ignore_index = as_labels('labels', labels, ignore_index)
    check_shape('scores', scores, tuple(labels.shape), like=labels)
    check_finite('scores', scores)
    check_within('scores', scores, 0, 1, slack=1e-3)
    min_score = as_number('min_score', min_score, '[0, 1]')
    return labels.masked_fill(to_full_precision(scores) < min_score, ignore_index)


def merge_box_map(
    labels: Tensor,
    box_map: Tensor,
    is_thing: Tensor,
    background: int = -1,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Take things from the labels made of boxes, and stuff from a network or tags.

    Sections 3.2 and 3.3 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018) joined as the released
    code does: what boxes call a thing is that thing; stuff stays elsewhere; the rest,
    a thing outside of the boxes' foreground too, is ignored.

    Args:
        labels: (H, W) integers, classes or ``ignore_index``. Pixels of other numbers
            are ignored, whatever the boxes say.
        box_map: (H, W) integers: a class of things, ``background`` where there is none,
            ``ignore_index`` where that is not known.
        is_thing: (C,) bool, whether each class is a thing.
        background: Value of ``box_map`` without a thing, even if a class has the same
            number. Defaults to -1.
        ignore_index: Label of the pixels that are ignored. Defaults to 255.

    Returns:
        (H, W) of the labels' type.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes.

    Example:
        >>> labels = torch.tensor([[1, 1, 0, 1]])  # 0 is a thing, 1 is stuff
        >>> box_map = torch.tensor([[0, -1, -1, 255]])
        >>> merge_box_map(labels, box_map, torch.tensor([True, False]))
        tensor([[  0,   1, 255,   1]])
    """
    check_shape('labels', labels, ('H', 'W'))
    labels, ignore_index = as_labels('labels', labels, ignore_index)
    check_shape('box_map', box_map, tuple(labels.shape), like=labels)
    check_integers('box_map', box_map)
    background = as_integer('background', background)
    is_thing = _classes(is_thing, labels)
    open_to_stuff = (box_map == background) | (box_map == ignore_index)
    is_known = _lookup(torch.ones_like(is_thing), labels) | (labels == ignore_index)
    things = _lookup(is_thing, box_map) & ~open_to_stuff & is_known
    stuff = _lookup(~is_thing, labels) & open_to_stuff
    merged = torch.where(things, box_map.to(labels.dtype), labels)
    return merged.masked_fill(~(things | stuff), ignore_index)


def keep_boxed_labels(
    labels: Tensor,
    boxes: Tensor,
    box_labels: Tensor,
    is_thing: Tensor,
    outside: int = IGNORE_INDEX,
) -> Tensor:
    """Take things away where no box of their class is.

    Section 3.4 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018).

    Args:
        labels: (H, W) integers.
        boxes: (N, 4) integers ``(x1, y1, x2, y2)``, half-open pixels, crowds too. They
            may leave the image in part.
        box_labels: (N,) the class of each.
        is_thing: (C,) bool, whether each class is a thing. Stuff stays.
        outside: Label of what is taken away: ignore, or the background where that is a
            class. Defaults to 255.

    Returns:
        (H, W) of the labels' type.

    Raises:
        TypeError: Labels or boxes that are no integers.
        ValueError: Wrong shapes, or a box that has no pixel in the image.

    Example:
        >>> labels, boxes = torch.tensor([[0, 0, 1]]), torch.tensor([[0, 0, 1, 1]])
        >>> things = torch.tensor([True, False])
        >>> keep_boxed_labels(labels, boxes, torch.tensor([0]), things)
        tensor([[  0, 255,   1]])
    """
    check_shape('labels', labels, ('H', 'W'))
    outside = as_integer('outside', outside)
    labels, outside = as_labels('labels', labels, outside)
    is_thing = _classes(is_thing, labels)
    windows = _windows(boxes, box_labels, labels)
    kept = ~_lookup(is_thing, labels)
    for window, label in zip(windows, box_labels.tolist()):
        kept[window] |= labels[window] == label
    return labels.masked_fill(~kept, outside)


def fill_sparse_boxes(
    labels: Tensor,
    boxes: Tensor,
    box_labels: Tensor,
    is_crowd: Tensor,
    is_thing: Tensor,
    min_share: float = 0.5,
    keep_things: bool = True,
    full_box: bool = False,
    ignore_index: int = IGNORE_INDEX,
) -> Tensor:
    """Fill boxes that hold too little of their class with it, the largest first.

    In the released code of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018), not in the paper. The
    shares are those of the given labels: a fill changes none of them. What smaller
    boxes fill covers larger ones.

    Args:
        labels: (H, W) integers.
        boxes: (N, 4) integers ``(x1, y1, x2, y2)``, half-open pixels. They may leave
            the image in part.
        box_labels: (N,) the class of each. Boxes of stuff fill nothing.
        is_crowd: (N,) bool. Crowds fill nothing.
        is_thing: (C,) bool, whether each class is a thing.
        min_share: Boxes are filled whose class has a smaller share of their pixels, in
            [0, 1]. Defaults to 0.5.
        keep_things: Fill stuff and ignored pixels alone. Defaults to True.
        full_box: Count and fill the whole box. Defaults to False: without its first
            row and column, as the released code's rasterization of polygons leaves them
            out; boxes of a single row or column then have no pixel to fill.
        ignore_index: Label of the pixels that are ignored. Defaults to 255.

    Returns:
        (H, W) of the labels' type.

    Raises:
        TypeError: Labels or boxes that are no integers.
        ValueError: Wrong shapes or settings, or a box that has no pixel in the image.

    Example:
        >>> labels, boxes = torch.full((2, 3), 255), torch.tensor([[0, 0, 3, 2]])
        >>> crowd, things = torch.tensor([False]), torch.tensor([True])
        >>> fill_sparse_boxes(labels, boxes, torch.tensor([0]), crowd, things)
        tensor([[255, 255, 255],
                [255,   0,   0]])
    """
    check_shape('labels', labels, ('H', 'W'))
    labels, ignore_index = as_labels('labels', labels, ignore_index)
    is_thing = _classes(is_thing, labels)
    min_share = as_number('min_share', min_share, '[0, 1]')
    windows = _windows(boxes, box_labels, labels)
    check_shape('is_crowd', is_crowd, (len(boxes),), like=labels)
    check_integers('is_crowd', is_crowd)
    free = _lookup(~is_thing, labels) | (labels == ignore_index)
    fills = _lookup(is_thing, box_labels) & ~is_crowd.bool()
    sides = boxes[:, 2:] - boxes[:, :2]
    order = sides.prod(1).argsort(descending=True, stable=True)
    filled, first = labels.clone(), 0 if full_box else 1
    for index in order[fills[order]].tolist():
        window, label = windows[index], int(box_labels[index])
        own = labels[window][first:, first:] == label
        if own.numel() and own.sum().item() / own.numel() < min_share:
            empty = ~own & free[window][first:, first:] if keep_things else ~own
            filled[window][first:, first:][empty] = label
    return filled


def box_instances(
    labels: Tensor,
    boxes: Tensor,
    box_labels: Tensor,
    is_crowd: Tensor,
    ignore_index: int = IGNORE_INDEX,
) -> BoxInstances:
    """Number the pixels that lie in exactly one box of their class.

    Section 3.2 of `Weakly- and Semi-Supervised Panoptic Segmentation
    <https://arxiv.org/abs/1808.03575>`__ (Li et al., ECCV 2018), as the released code
    has it: a box is left out if one of its class before it, a crowd too, is the same
    within the image. The boxes that are left are numbered in their order, whether or
    not they have pixels.

    Args:
        labels: (H, W) integers.
        boxes: (N, 4) integers ``(x1, y1, x2, y2)``, half-open pixels; the whole image
            for stuff. They may leave the image in part.
        box_labels: (N,) the class of each.
        is_crowd: (N,) bool. Crowds get no number.
        ignore_index: Label of the pixels that are ignored. Defaults to 255.

    Returns:
        The instance map, and the number of every box.

    Raises:
        TypeError: Labels or boxes that are no integers.
        ValueError: Wrong shapes, or a box that has no pixel in the image.

    Example:
        >>> labels = torch.full((1, 6), 3)
        >>> boxes = torch.tensor([[0, 0, 4, 1], [2, 0, 6, 1]])
        >>> crowd = torch.tensor([False, False])
        >>> box_instances(labels, boxes, torch.tensor([3, 3]), crowd).instance_map
        tensor([[ 1,  1, -1, -1,  2,  2]], dtype=torch.int32)
    """
    check_shape('labels', labels, ('H', 'W'))
    labels, ignore_index = as_labels('labels', labels, ignore_index)
    windows = _windows(boxes, box_labels, labels)
    check_shape('is_crowd', is_crowd, (len(boxes),), like=labels)
    check_integers('is_crowd', is_crowd)
    instance_map = labels.new_zeros(labels.shape, dtype=torch.int32)
    is_taken = torch.zeros_like(labels, dtype=torch.bool)
    in_several = torch.zeros_like(is_taken)
    numbers, seen = [], set()
    for window, label, crowd in zip(windows, box_labels.tolist(), is_crowd.tolist()):
        key = (label, *((side.start, side.stop) for side in window))
        is_new, number = key not in seen, 0
        seen.add(key)
        if is_new and not crowd:
            number = max(numbers, default=0) + 1
            own = labels[window] == label
            in_several[window] |= own & is_taken[window]
            is_taken[window] |= own
            instance_map[window].masked_fill_(own, number)
        numbers.append(number)
    instance_map.masked_fill_(in_several | (labels == ignore_index), -1)
    return BoxInstances(
        instance_map, torch.tensor(numbers, device=labels.device).long()
    )


def _classes(is_thing: Tensor, labels: Tensor) -> Tensor:
    check_shape('is_thing', is_thing, ('C',), like=labels)
    check_integers('is_thing', is_thing)
    return is_thing.bool()


def _lookup(table: Tensor, labels: Tensor) -> Tensor:
    """Whether each label is a class for which the table says so."""
    table = torch.cat([table, table.new_zeros(1)])
    is_class = (labels >= 0) & (labels < len(table) - 1)
    return table[labels.long().masked_fill(~is_class, -1)]


def _windows(
    boxes: Tensor, box_labels: Tensor, labels: Tensor
) -> list[tuple[slice, slice]]:
    """Return the boxes, clipped to the image, as indices of it."""
    check_shape('boxes', boxes, ('N', 4), like=labels)
    check_integers('boxes', boxes)
    check_shape('box_labels', box_labels, (len(boxes),), like=labels)
    check_integers('box_labels', box_labels)
    height, width = labels.shape
    windows = []
    for index, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
        x, y = slice(max(0, x1), min(width, x2)), slice(max(0, y1), min(height, y2))
        if x.start >= x.stop or y.start >= y.stop:
            raise ValueError(
                f'boxes[{index}]: expected (x1, y1, x2, y2) with a pixel in the image '
                f'of {(height, width)}, got {(x1, y1, x2, y2)}.'
            )
        windows.append((y, x))
    return windows
