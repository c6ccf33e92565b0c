"""The segments that the pixels' most probable detections make."""

from typing import NamedTuple

import torch
from torch import Tensor

from .tensor_checks import (
    check_finite,
    check_floating,
    check_shape,
    full_precision,
    to_full_precision,
)


class AssignedSegments(NamedTuple):
    """A partition of an image among D detections.

    Attributes:
        segments: (H, W) int64, the detection of every pixel.
        areas: (D,) int64, number of pixels; 0 of those that have none.
        confidences: (D,), mean probability of the segment's pixels; 0 without pixels.
    """

    segments: Tensor
    areas: Tensor
    confidences: Tensor


def assigned_segments(probs: Tensor) -> AssignedSegments:
    r"""Give every pixel to its most probable detection.

    The MAP labelling of `Li, Arnab and Torr <https://arxiv.org/abs/1808.03575>`__,
    section 3.4, and the mean confidence by which Table 5 ranks its segments.

    Args:
        probs: (D, H, W), probabilities of the detections, D at least 1.

    Returns:
        The segments; of equally probable detections the first has the pixel.

    Raises:
        TypeError: Integers.
        ValueError: Another shape, no detection, or values that are not finite.

    Example:
        >>> probs = torch.tensor([[[0.75, 0.5, 0.5]], [[0.25, 0.5, 0.5]], [[0, 0, 0]]])
        >>> assigned_segments(probs).areas
        tensor([3, 0, 0])
        >>> assigned_segments(probs).confidences
        tensor([0.5833, 0.0000, 0.0000])
    """
    check_shape('probs', probs, ('D', 'H', 'W'))
    check_floating('probs', probs)
    check_finite('probs', probs)
    if not len(probs):
        raise ValueError(f'probs: expected at least 1 detection, got {probs.shape}.')
    with torch.no_grad(), full_precision(probs):
        own, segments = to_full_precision(probs).max(0)
        flat = segments.flatten()
        areas = flat.bincount(minlength=len(probs))
        totals = flat.bincount(own.flatten().double(), minlength=len(probs))
        confidences = (totals / areas.clamp(min=1)).to(own.dtype)
        return AssignedSegments(segments, areas, confidences.clamp(max=1))
