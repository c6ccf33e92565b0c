"""Image tags as the target of a multi-label classifier."""

from collections.abc import Sequence

import numpy as np


def tags_to_vector(tags: Sequence[int], num_classes: int) -> np.ndarray:
    """Write tags as a multi-hot vector.

    Args:
        tags: Labels of the classes that are present; none is fine.
        num_classes: Number of classes C.

    Returns:
        (C,) float32, 1 for classes that are present, else 0.

    Raises:
        ValueError: A label outside ``0..C-1``.

    Example:
        >>> tags_to_vector([0, 2], 4).tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    wrong = [tag for tag in tags if not 0 <= tag < num_classes]
    if wrong:
        raise ValueError(
            f'tags must be labels in 0..{num_classes - 1} ({num_classes} classes), got '
            f'{wrong}.'
        )
    vector = np.zeros(num_classes, dtype=np.float32)
    vector[list(tags)] = 1
    return vector
