"""One pixel for each point."""

import logging
import warnings
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmwsis.formats.image_file import image_place
from mmwsis.ops import distinct_points
from mmwsis.registry import TRANSFORMS

from .geometric import ROW_FIELDS


@TRANSFORMS.register_module()
class PointsToPixels(BaseTransform):
    """Move points to the middles of the pixels that they are on, one object on each.

    For networks that learn from annotated pixels (WISE). Put it behind the transforms
    that move pixels: two points of a large image may be one of a small one. Of several
    points on one pixel one stays, with all of its rows: that of the best score where
    points have one (cues), else the first. Once for each image there is a warning, and
    ``num_dropped`` counts the others. Rows without a point (crowds) stay.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Round and merge ``gt_points``.

        Args:
            results: Data of an image with ``img_shape``, ``gt_points``,
                ``gt_bboxes_labels`` and ``gt_ann_ids``; ``ori_shape`` if it was
                resized, ``gt_point_scores`` of points that were found.

        Returns:
            ``results``.

        Raises:
            ValueError: Points of two classes are on one pixel of the original image;
                the message names the image and both annotations.
        """
        self._check_classes(results)
        height, width = results['img_shape'][:2]
        points = np.floor(results['gt_points'] + 0.5)
        points = np.minimum(points, [width - 1, height - 1])
        results['gt_points'] = points
        rows = np.flatnonzero(np.isfinite(points).all(axis=1))
        if 'gt_point_scores' in results:
            best_first = np.argsort(-results['gt_point_scores'][rows], kind='stable')
            rows = rows[best_first]
        _, first = np.unique(points[rows], axis=0, return_index=True)
        if len(first) < len(rows):
            self._tell(_place(results), len(rows) - len(first))
            self._leave_out(results, np.delete(rows, first))
        return results

    def _check_classes(self, results: dict[str, Any]) -> None:
        """Refuse two classes on one pixel, not those that resizing brought together."""
        before = results['img_shape'][1::-1]
        after = results.get('ori_shape', results['img_shape'])[1::-1]
        points = np.floor((results['gt_points'] + 0.5) * np.divide(after, before))
        known = np.isfinite(points).all(axis=1)
        ids = results['gt_ann_ids'][known].tolist()
        try:
            with warnings.catch_warnings():  # of those that are merged later on
                warnings.simplefilter('ignore')
                distinct_points(
                    torch.from_numpy(points[known].astype(np.int64)),
                    torch.from_numpy(results['gt_bboxes_labels'][known]),
                    [f'annotation id {one!r}' for one in ids],
                )
        except ValueError as error:
            place = _place(results)
            raise ValueError(f'{place}: {error} Correct one of them.') from error

    def _tell(self, place: str, count: int) -> None:
        if place in self._told:
            return
        self._told.add(place)
        print_log(
            f'{place}: {count} points left out, each on the pixel of another one in '
            'the image that the network sees.',
            'current',
            logging.WARNING,
        )

    def _leave_out(self, results: dict[str, Any], rows: np.ndarray) -> None:
        results['num_dropped'] = results.get('num_dropped', 0) + len(rows)
        kept = np.setdiff1d(np.arange(len(results['gt_points'])), rows)
        for key in ROW_FIELDS:
            if key in results:
                results[key] = results[key][kept]

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _place(results: dict[str, Any]) -> str:
    return image_place(str(results.get('img_path')), results.get('img_id'))
