"""Objects that a localization network finds: blobs and their peaks (LCFCN, WISE)."""

from typing import NamedTuple

import torch
from torch import Tensor

from .connected_components import connected_components
from .peaks import region_peaks
from .tensor_checks import check_finite, check_shape


class ClassBlobs(NamedTuple):
    """The R blobs of an image by class, in it in row-major order of first pixels.

    Attributes:
        ids: (H, W) int64, the blob of each pixel, 1 to R; 0 for background.
        labels: (R,) int64, the 0-based class of each blob.
        points: (R, 2) int64 ``(x, y)``, its pixel of the largest probability of the
            class, the first of equal ones in row-major order.
        scores: (R,) the probability there.
        areas: (R,) int64, in pixels.
    """

    ids: Tensor
    labels: Tensor
    points: Tensor
    scores: Tensor
    areas: Tensor


@torch.no_grad()
def class_blobs(probabilities: Tensor) -> ClassBlobs:
    """Connected pixels of the same most likely class, each blob with its peak.

    The objects of the localization network of
    `WISE <https://arxiv.org/abs/1906.06392>`__ (Sec. 3.1): blobs are 8-connected, and
    none is too small.

    Args:
        probabilities: (C + 1, H, W), finite; channel 0 is background, ``c + 1`` class
            ``c``. Of equally likely channels the lowest counts.

    Returns:
        The blobs, none where background is the most likely everywhere.

    Raises:
        ValueError: Not three-dimensional, no channel, or not finite.

    Example:
        >>> probabilities = torch.tensor([[[0.1, 0.8, 0.4]], [[0.9, 0.2, 0.6]]])
        >>> blobs = class_blobs(probabilities)
        >>> blobs.ids.tolist(), blobs.points.tolist(), blobs.scores
        ([[1, 0, 2]], [[0, 0], [2, 0]], tensor([0.9000, 0.6000]))
    """
    check_shape('probabilities', probabilities, ('C + 1', 'H', 'W'))
    if not len(probabilities):
        raise ValueError('probabilities: expected a channel of the background.')
    check_finite('probabilities', probabilities, 'The network has diverged.')
    best, channels = probabilities.max(0)
    found = connected_components(channels)
    # The class of a blob is the most likely one at each of its pixels.
    peaks = region_peaks(found.labels, best)
    return ClassBlobs(
        found.labels.long(), found.classes - 1, peaks.points, peaks.scores, found.areas
    )
