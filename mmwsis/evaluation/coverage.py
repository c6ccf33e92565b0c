"""Coverage of an image's objects by predicted masks, whatever their class."""

from typing import NamedTuple

import numpy as np


class Coverage(NamedTuple):
    """Coverage of one image, or its mean over images; 0 to 1.

    ``unweighted`` gives every object the same weight (UCov, MUCov), ``weighted`` its
    area (WCov, MWCov). Both are NaN where there is no object.
    """

    unweighted: float
    weighted: float


def image_coverage(iou: np.ndarray, gt_area: np.ndarray) -> Coverage:
    """Mean of the best overlaps of an image's objects.

    ``best_i = max_p IoU(g_i, p)``, 0 without predictions; ``UCov`` is its mean and
    ``WCov = sum_i |g_i| best_i / sum_i |g_i|``. A prediction may be the best of several
    objects.

    Source: Silberman et al., Instance Segmentation of Indoor Scenes using a Coverage
    Loss, ECCV 2014, Section 5; Laradji et al., WISE, 2019, Section 4.

    Args:
        iou: ``(P, G)`` float.
        gt_area: ``(G,)`` in pixels.

    Returns:
        The coverage; NaN without an object.
    """
    gt_area = np.asarray(gt_area, dtype=np.float64)
    if not len(gt_area):
        return Coverage(float('nan'), float('nan'))
    best = iou.max(axis=0) if len(iou) else np.zeros(len(gt_area))
    return Coverage(float(best.mean()), float(best @ gt_area / gt_area.sum()))


def mean_coverage(images: list[Coverage]) -> Coverage:
    """MUCov and MWCov: the mean over the images that have an object.

    Args:
        images: One entry per image.

    Returns:
        The means; NaN if no image has an object.
    """
    values = np.array(images, dtype=np.float64).reshape(-1, 2)
    values = values[~np.isnan(values[:, 0])]
    if not len(values):
        return Coverage(float('nan'), float('nan'))
    return Coverage(*values.mean(axis=0).tolist())
