"""One pixel for each point."""

import logging
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmwsis.formats.image_file import image_place
from mmwsis.registry import TRANSFORMS

from .geometric import ROW_FIELDS


@TRANSFORMS.register_module()
class PointsToPixels(BaseTransform):
    """Move points to the middles of the pixels that they are on, one object on each.

    For networks that learn from annotated pixels (WISE). Of several points of one class
    on one pixel the first stays, with all of its rows; once for each image there is a
    warning, and ``num_dropped`` counts the others. Put it behind the transforms that
    move pixels: two points of a large image may be one of a small one. Rows without a
    point (crowds) stay as they are.
    """

    def __init__(self) -> None:
        self._told: set[Any] = set()

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
        points = np.minimum(points, np.array([width - 1, height - 1]))
        labels, ids = results['gt_bboxes_labels'], results['gt_ann_ids'].tolist()
        place = image_place(str(results.get('img_path')), results.get('img_id'))
        first: dict[tuple[float, ...], int] = {}
        kept = []
        for row, pixel in enumerate(map(tuple, points.tolist())):
            other = first.setdefault(pixel, row) if np.isfinite(pixel).all() else row
            if labels[other] != labels[row]:
                raise ValueError(
                    f'{place}: the points of annotation ids {ids[other]!r} and '
                    f'{ids[row]!r}, of different classes, are on one pixel, (x, y) '
                    f'{[int(entry) for entry in pixel]}. Correct one of them.'
                )
            if other == row:
                kept.append(row)
        results['gt_points'] = points
        if len(kept) < len(points):
            self._keep(results, kept, place)
        return results

    def _keep(self, results: dict[str, Any], kept: list[int], place: str) -> None:
        dropped = len(results['gt_points']) - len(kept)
        if place not in self._told:
            self._told.add(place)
            print_log(
                f'{place}: {dropped} points are on the pixel of another one of their '
                'class; each pixel counts as one object.',
                'current',
                logging.WARNING,
            )
        results['num_dropped'] = results.get('num_dropped', 0) + dropped
        for key in ROW_FIELDS:
            if key in results:
                results[key] = results[key][kept]

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
