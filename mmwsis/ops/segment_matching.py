"""True segments and predicted ones that belong together.

Li, Arnab and Torr, `Weakly- and Semi-Supervised Panoptic Segmentation
<https://arxiv.org/abs/1808.03575>`__, ECCV 2018, section 3.4: the loss compares a
prediction with that numbering of the true instances which fits it best.
"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from .tensor_checks import check_integers, check_shape, check_within

UNMATCHED = -1


def segment_ious(
    gt_map: Tensor, gt_labels: Tensor, pred_map: Tensor, pred_labels: Tensor
) -> Tensor:
    """IoU of every true segment with every predicted one of its class.

    From one joint histogram of both maps. Pixels that ``gt_map`` ignores count nowhere.

    Args:
        gt_map: (H, W) integers: the true segment of every pixel, in [0, G), or below 0
            where it is to be ignored.
        gt_labels: (G,) class of every true segment.
        pred_map: (H, W) integers in [0, D): the predicted segment of every pixel.
        pred_labels: (D,) class of every predicted segment.

    Returns:
        (G, D) float64; 0 where the classes differ.

    Raises:
        TypeError: Fractions.
        ValueError: Shapes that do not fit, or numbers of no segment.

    Example:
        >>> gt_map = torch.tensor([[0, 0, 1, -1]])
        >>> pred_map = torch.tensor([[0, 1, 1, 1]])
        >>> segment_ious(gt_map, torch.tensor([5, 5]), pred_map, torch.tensor([5, 5]))
        tensor([[0.5000, 0.3333],
                [0.0000, 0.5000]], dtype=torch.float64)
    """
    check_shape('gt_map', gt_map, ('H', 'W'))
    check_shape('pred_map', pred_map, tuple(gt_map.shape), like=gt_map)
    check_shape('gt_labels', gt_labels, ('G',), like=gt_map)
    check_shape('pred_labels', pred_labels, ('D',), like=gt_map)
    for name, tensor in (
        *(('gt_map', gt_map), ('gt_labels', gt_labels)),
        *(('pred_map', pred_map), ('pred_labels', pred_labels)),
    ):
        check_integers(name, tensor)
    known = gt_map >= 0
    truth, found = gt_map[known].long(), pred_map[known].long()
    rows, columns = len(gt_labels), len(pred_labels)
    check_within('gt_map', truth, 0, rows - 1)
    check_within('pred_map', found, 0, columns - 1)
    joint = (truth * columns + found).bincount(minlength=rows * columns)
    overlap = joint.view(rows, columns).double()
    union = overlap.sum(1, keepdim=True) + overlap.sum(0) - overlap
    same = gt_labels[:, None] == pred_labels
    return torch.where(same, overlap / union.clamp(min=1), 0.0)


def match_segments(ious: Tensor) -> Tensor:
    """Pair true and predicted segments so that the sum of their IoUs is largest.

    Args:
        ious: (G, D), 0 for what cannot be a pair.

    Returns:
        (G,) int64: the predicted segment of every true one, -1 for none.

    Raises:
        ValueError: No matrix, or a value outside [0, 1].

    Example:
        >>> match_segments(torch.tensor([[0.6, 0.5], [0.55, 0.1]]))  # not greedily 0, 1
        tensor([1, 0])
    """
    check_shape('ious', ious, ('G', 'D'))
    check_within('ious', ious, 0, 1)
    values = ious.detach().double().cpu().numpy()
    matched = torch.full((len(values),), UNMATCHED, dtype=torch.int64)
    rows, columns = linear_sum_assignment(values, maximize=True)
    paired = values[rows, columns] > 0
    matched[rows[paired]] = torch.from_numpy(columns[paired])
    return matched.to(ious.device)


def matched_map(gt_map: Tensor, matched: Tensor) -> Tensor:
    """Number the pixels of true segments as the predicted ones that they belong to.

    Args:
        gt_map: (H, W) integers: the true segment of every pixel, in [0, G), or below 0
            where it is to be ignored.
        matched: (G,) integers of :func:`match_segments`.

    Returns:
        (H, W) int64; -1 on ignored pixels and on segments without a partner.

    Raises:
        TypeError: Fractions.
        ValueError: Shapes that do not fit, or the number of no segment.

    Example:
        >>> matched_map(torch.tensor([[0, 1, 2, -1]]), torch.tensor([4, -1, 0]))
        tensor([[ 4, -1,  0, -1]])
    """
    check_shape('gt_map', gt_map, ('H', 'W'))
    check_shape('matched', matched, ('G',), like=gt_map)
    check_integers('gt_map', gt_map)
    check_integers('matched', matched)
    rows = gt_map.long().clamp(min=-1)
    check_within('gt_map', rows, -1, len(matched) - 1)
    # Index -1 finds the last entry, that of no segment.
    numbers = torch.cat([matched.long(), matched.new_full((1,), UNMATCHED).long()])
    return numbers[rows]
