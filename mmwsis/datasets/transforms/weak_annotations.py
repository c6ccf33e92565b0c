"""Loading the labels of an image: points beside MMDetection's boxes and masks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.datasets.transforms import LoadAnnotations

from mmwsis.formats.image_file import image_place
from mmwsis.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadWeakAnnotations(LoadAnnotations):
    """``mmdet.LoadAnnotations`` that also loads points, scores and ids.

    Sets, one row per object in the order of the file:

    - ``gt_bboxes_labels`` int64 (N,), ``gt_ignore_flags`` bool (N,), and on demand
      ``gt_bboxes``, ``gt_masks`` and ``gt_seg_map``: MMDetection's own;
    - ``gt_points`` float64 (N, 2): (x, y) in pixels, where the centre of a pixel has
      integer coordinates. Clicks on the right or lower border of the image, which the
      file format allows, are moved onto the last pixel: all points lie in
      ``[0, width - 1]`` x ``[0, height - 1]``;
    - ``gt_point_scores`` float32 (N,), 0 to 1, where an object of the image has a
      score or ``score_thr`` is given; a click, which has none, counts as 1;
    - ``gt_ann_ids`` (N,): ids of the annotations, int64, or objects where some are
      texts.

    A crowd has no point. With its box or mask loaded it stays, as an ignored row with
    the point NaN; without, nothing is known of it, and it is left out. An image without
    any object has points of shape (0, 2).

    Args:
        with_point: Load points. Defaults to True.
        score_thr: Leave out objects whose score is not above it, as MMDetection's
            ``score_thr`` does; BESTIE's ``pseudo_thresh``, 0.7 there (CVPR 2022,
            supplement). They are counted in ``num_dropped``. Defaults to None, all
            stay.
        with_bbox: Load boxes. Defaults to False.
        **kwargs: Of ``mmdet.LoadAnnotations``: ``with_mask``, ``with_seg``,
            ``poly2mask``, ``box_type``...
    """

    def __init__(
        self,
        with_point: bool = True,
        score_thr: float | None = None,
        with_bbox: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(with_bbox=with_bbox, **kwargs)
        self.with_point = with_point
        self.score_thr = score_thr

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load what was asked for.

        Args:
            results: Data of an image of :class:`mmwsis.datasets.CocoWeakDataset`.

        Returns:
            ``results``.

        Raises:
            ValueError: A point lies outside the image, or an object lacks what is
                loaded; the message names the image and the annotation.
        """
        found = results.get('instances', [])
        kept = [one for one in found if self._above_threshold(one)]
        dropped = len(found) - len(kept)
        results['num_dropped'] = results.get('num_dropped', 0) + dropped
        instances = [one for one in kept if self._tells_something(one)]
        results['instances'] = instances
        for instance in instances:
            self._check_labels(results, instance)
        if self.with_point:
            results['gt_points'] = _points(results)
        results['gt_ignore_flags'] = np.array(
            [one['ignore_flag'] for one in instances], dtype=bool
        )
        results = super().transform(results)  # broken masks set further flags
        # With a threshold in every sample, those of images without an object too.
        if self.score_thr is not None or any('score' in one for one in instances):
            scores = [one.get('score', 1) for one in instances]
            results['gt_point_scores'] = np.array(scores, dtype=np.float32)
        results['gt_ann_ids'] = _id_array([one['ann_id'] for one in instances])
        return results

    def _above_threshold(self, instance: dict[str, Any]) -> bool:
        # In the precision of the file: 0.7 is not above 0.7.
        return self.score_thr is None or instance.get('score', 1) > self.score_thr

    def _tells_something(self, instance: dict[str, Any]) -> bool:
        """Whether anything of a crowd is loaded."""
        seen = self.with_bbox or self.with_mask or not self.with_point
        return seen or 'point' in instance or not instance['ignore_flag']

    def _check_labels(self, results: dict[str, Any], instance: dict[str, Any]) -> None:
        wanted = dict(
            point=self.with_point and not instance['ignore_flag'],
            bbox=self.with_bbox,
            mask=self.with_mask,
        )
        for key, needed in wanted.items():
            if needed and instance.get(key) is None:
                raise ValueError(
                    f'{_place(results, instance)} has no {key} at supervision '
                    f'{results.get("supervision")!r}; set with_{key}=False, or give '
                    'labels that have it.'
                )

    def __repr__(self) -> str:
        own = f'with_point={self.with_point}, score_thr={self.score_thr}, '
        return super().__repr__().replace('(', f'({own}', 1)


def _points(results: dict[str, Any]) -> np.ndarray:
    """Points in their image, NaN where there is none."""
    size = results.get('ori_shape') or (results['height'], results['width'])
    limits = np.array(size[::-1])
    points = np.full((len(results['instances']), 2), np.nan)
    for row, instance in enumerate(results['instances']):
        if instance.get('point') is None:
            continue
        point = np.asarray(instance['point'], dtype=float)
        if not ((point >= 0) & (point <= limits)).all():
            raise ValueError(
                f'{_place(results, instance)}: point {point.tolist()} lies outside the '
                f'image of {size[1]} x {size[0]} pixels. '
                'tools/analysis_tools/check_dataset.py lists all such points.'
            )
        points[row] = np.minimum(point, limits - 1)
    return points


def _place(results: dict[str, Any], instance: dict[str, Any]) -> str:
    place = image_place(str(results.get('img_path')), results.get('img_id'))
    return f'{place}, annotation id {instance["ann_id"]!r}'


def _id_array(ids: Sequence[int | str]) -> np.ndarray:
    """Ids as an array that keeps texts texts."""
    limit = np.iinfo(np.int64)
    if all(type(one) is int and limit.min <= one <= limit.max for one in ids):
        return np.array(ids, dtype=np.int64)
    array = np.empty(len(ids), dtype=object)
    array[:] = ids
    return array
