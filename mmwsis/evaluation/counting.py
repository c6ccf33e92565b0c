"""Errors of numbers of objects."""

import numpy as np


def count_errors(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    r"""Mean absolute errors of counts, in objects per image; 0 is perfect.

    With :math:`p_{ic}` found and :math:`g_{ic}` annotated objects of class c in image i
    of n:

    .. math::
        \text{MAE} = \frac{1}{n} \sum_i \Big| \sum_c p_{ic} - g_{ic} \Big|, \qquad
        \text{class\_MAE} = \frac{1}{nC} \sum_{i,c} | p_{ic} - g_{ic} |

    In the first a missed cat makes up for a dog that is none; in the second it does
    not.

    Args:
        found: (n, C) integers.
        truth: (n, C) integers.

    Returns:
        ``MAE`` and ``class_MAE``; NaN without an image.

    Example:
        >>> count_errors(np.array([[1, 1]]), np.array([[2, 0]]))
        {'MAE': 0.0, 'class_MAE': 1.0}
    """
    if not len(truth):
        return dict(MAE=float('nan'), class_MAE=float('nan'))
    error = np.asarray(found) - truth
    return dict(
        MAE=float(abs(error.sum(axis=1)).mean()), class_MAE=float(abs(error).mean())
    )


def is_error(metric: str) -> bool:
    """Whether less of a metric is better, and it is no share: a mean absolute error.

    Args:
        metric: Its name, such as 'counting/class_MAE' or 'coco/segm_AP25'.
    """
    return metric.endswith('MAE')
