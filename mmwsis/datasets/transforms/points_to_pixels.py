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

    For networks that learn from annotated pixels (WISE). Of several points of one class
    on one pixel the first stays, with all of its rows
    (:func:`mmwsis.ops.distinct_points`); once for each image there is a warning, and
    ``num_dropped`` counts the others. Put it behind the transforms that move pixels:
    two points of a large image may be one of a small one. Rows without a point (crowds)
    stay.
    """

    def __init__(self) -> None:
        self._told: set[str] = set()

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Round and merge ``gt_points``.

        Args:
            results: Data of an image with ``gt_points``, ``gt_bboxes_labels`` and
                ``gt_ann_ids``.

        Returns:
            ``results``.

        Raises:
            ValueError: Points of two classes are on one pixel; the message names the
                image and both annotations.
        """
        height, width = results['img_shape'][:2]
        points = np.floor(results['gt_points'] + 0.5)
        points = np.minimum(points, [width - 1, height - 1])
        results['gt_points'] = points
        known = np.isfinite(points).all(axis=1)
        rows, place = np.flatnonzero(known), _place(results)
        ids = results['gt_ann_ids'][rows].tolist()
        try:
            with warnings.catch_warnings():  # which would not name the image
                warnings.simplefilter('ignore')
                kept = distinct_points(
                    torch.from_numpy(points[rows].astype(np.int64)),
                    torch.from_numpy(results['gt_bboxes_labels'][rows]),
                    [f'annotation id {one!r}' for one in ids],
                )
        except ValueError as error:
            raise ValueError(f'{place}: {error} Correct one of them.') from error
        if len(kept) < len(rows):
            self._tell(place, len(rows) - len(kept))
            known[rows[kept.numpy()]] = False
            self._leave_out(results, known)
        return results

    def _tell(self, place: str, count: int) -> None:
        if place in self._told:
            return
        self._told.add(place)
        print_log(
            f'{place}: {count} points left out, each on the pixel of another one of '
            'its class.',
            'current',
            logging.WARNING,
        )

    def _leave_out(self, results: dict[str, Any], rows: np.ndarray) -> None:
        results['num_dropped'] = results.get('num_dropped', 0) + int(rows.sum())
        for key in ROW_FIELDS:
            if key in results:
                results[key] = results[key][np.flatnonzero(~rows)]

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def _place(results: dict[str, Any]) -> str:
    return image_place(str(results.get('img_path')), results.get('img_id'))
