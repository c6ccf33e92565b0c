"""Mirror images of single objects, before they are cut out."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.registry import TRANSFORMS

_MIRRORED_ORDER = [0, 3, 2, 1]  # top, left, bottom, right


@TRANSFORMS.register_module()
class ObjectMirror(BaseTransform):
    """Exchange left and right of an image, its object's box and its extreme points.

    Stands before :class:`ObjectCrop`, so that what is predicted is a mask of the
    mirrored image. Masks of the ground truth are not moved: no labeler reads them.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mirror ``img``, ``bbox`` and ``extreme_points``.

        Args:
            results: Data of one annotation with ``img`` and ``bbox``.

        Returns:
            ``results``.
        """
        width = results['img'].shape[1]
        results['img'] = cv2.flip(results['img'], 1)
        x0, y0, x1, y1 = results['bbox']
        mirrored = (width - x1, y0, width - x0, y1)
        results['bbox'] = np.array(mirrored, dtype=results['bbox'].dtype)
        if results.get('extreme_points') is not None:
            points = results['extreme_points'][_MIRRORED_ORDER]
            results['extreme_points'] = points * (-1, 1) + (width, 0)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
