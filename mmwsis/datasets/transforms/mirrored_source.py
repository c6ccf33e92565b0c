"""Mirror images in the place of the stored ones: labelled as if they lay on disk."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.registry import TRANSFORMS
from mmwsis.structures.proposals import Proposals

from .geometric import GeometricTransform
from .geometry import Geometry

_MIRRORED_ORDER = [0, 3, 2, 1]  # top, left, bottom, right


@TRANSFORMS.register_module()
class MirroredImage(GeometricTransform):
    """Exchange left and right of a whole image and of all that was loaded for it.

    Unlike behind :class:`RandomMirror`, what counts as the original image is the mirror
    image, for proposals too: predictions have its coordinates. Stands behind the
    loading steps.
    """

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Mirror."""
        return Geometry(size, mirror=True)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mirror all fields.

        Args:
            results: As of :class:`GeometricTransform`.

        Returns:
            ``results``.
        """
        results = super().transform(results)
        moved = results.get('mask_proposals')
        if moved is not None:
            rles, size = moved.current_rles, moved.size
            results['mask_proposals'] = Proposals(rles, moved.scores, size)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


@TRANSFORMS.register_module()
class MirroredObjectImage(BaseTransform):
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
