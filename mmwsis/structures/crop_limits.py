"""Sizes of the boxes that object crops are trained on."""

import math
from collections.abc import Mapping
from typing import Any

DEFAULT_CROPS = dict(min_area=2048, max_area=1e10, min_size=2)


def crop_limits(filter_cfg: Mapping[str, Any] | None) -> dict[str, float]:
    """Sizes of the boxes that :class:`mmwsis.datasets.ObjectCropDataset` trains on.

    Args:
        filter_cfg: As in a config; ``None`` keeps all.

    Returns:
        ``min_area``, ``max_area`` (square pixels) and ``min_size`` (pixels), none of
        which a box may equal.
    """
    if filter_cfg is None:
        return dict(min_area=-1.0, max_area=math.inf, min_size=-1.0)
    return {**DEFAULT_CROPS, **filter_cfg}
