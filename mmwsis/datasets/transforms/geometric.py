"""Base of the geometric transforms: one place where every field of a sample goes."""

from abc import abstractmethod
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.structures.grid_map import PixelRule

from .geometric_fields import (
    moved_boxes,
    moved_class_maps,
    moved_detections,
    moved_masks,
    placed_image,
    resized_image,
)
from .geometry import Geometry

ROW_FIELDS = (
    'gt_bboxes',
    'gt_bboxes_labels',
    'gt_ignore_flags',
    'gt_masks',
    'gt_points',
    'gt_point_scores',
    'gt_ann_ids',
)
# What is made of the pixels that augmentation has left, and by which transform.
MADE_LAST = dict(
    gt_center_targets='GenerateCenterTargets', gt_pixel_groups='GeneratePixelGroups'
)


class GeometricTransform(BaseTransform):
    """Base of the transforms that resize, cut, pad or mirror whole images.

    A subclass draws its random numbers (:meth:`draw`, from NumPy's global state) and
    says what they do (:meth:`geometry`). What follows for every field stands here:

    - ``img`` is interpolated; ``class_maps`` of the image's size are, bilinearly;
    - ``gt_seg_map``, ``gt_instance_map``, ``mask_proposals`` and bitmaps of
      ``gt_masks`` take the nearest value, and outside the image ``seg_pad_value``,
      ``instance_pad_value`` and 0;
    - ``gt_points``, ``gt_bboxes`` and polygons of ``gt_masks`` move with the pixels
      below them; boxes are cut off at the image's border, polygons at a window's;
    - ``detections`` move likewise; a window leaves those that hold a pixel's centre;
    - where a window is taken, an object leaves with all its rows once its point, box or
      mask lies wholly outside; ``num_dropped`` counts them. A point of NaN is none.

    Transforms of MMDetection and MMSegmentation may stand between those of the family,
    for the fields that they know.

    Args:
        pixel_rule: 'centre' reads labels and moves points by the pixels' centres, as
            images are interpolated; a pixel and the point on it stay together to half
            a pixel. 'corner' is that of code around OpenCV (BESTIE, CVPR 2022, released
            code): labels by ``INTER_NEAREST``, coordinates multiplied, a pixel reaching
            from its index to the next one. Defaults to 'centre'.
        truncate_points: Whether coordinates of points are rounded towards zero
            afterwards. Defaults to False.

    Raises:
        ValueError: Another ``pixel_rule``.
    """

    interpolation = 'bicubic'
    backend = 'pillow'
    truncate_image = False
    pad_value: tuple[float, ...] = (0, 0, 0)
    seg_pad_value = 255
    instance_pad_value = -1

    def __init__(
        self, pixel_rule: PixelRule = 'centre', truncate_points: bool = False
    ) -> None:
        if pixel_rule not in ('centre', 'corner'):
            raise ValueError(
                f"pixel_rule must be 'centre' or 'corner', got {pixel_rule!r}."
            )
        self.pixel_rule = pixel_rule
        self.truncate_points = truncate_points

    def draw(self, size: tuple[int, int]) -> dict[str, Any]:
        """Draw what is random, for an image of ``size`` (H, W); here nothing."""
        return {}

    @abstractmethod
    def geometry(self, size: tuple[int, int], **drawn: Any) -> Geometry:
        """What is done to an image of ``size`` (H, W), given what was drawn."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw, and transform all fields.

        Args:
            results: Data of an image with ``img`` and any of the fields above.

        Returns:
            ``results``.

        Raises:
            ValueError: A field is not of the image's size or has not as many rows as
                the others, or there are targets already; the message names it and the
                image id.
        """
        return self.transform_with(results, **self.draw(results['img'].shape[:2]))

    def transform_with(self, results: dict[str, Any], **drawn: Any) -> dict[str, Any]:
        """Transform all fields with given values in place of random ones.

        Args:
            results: As in :meth:`transform`.
            **drawn: As :meth:`draw` returns it.

        Returns:
            ``results``.

        Raises:
            ValueError: As in :meth:`transform`.
        """
        geometry = self.geometry(results['img'].shape[:2], **drawn)
        _check(results, geometry)
        if not geometry.is_identity:
            self._change_maps(results, geometry)
            inside = self._move_objects(results, geometry)
            if geometry.window is not None and inside:
                _drop_rows(results, np.logical_and.reduce(inside))
        elif self.truncate_points and 'gt_points' in results:
            results['gt_points'] = np.trunc(results['gt_points'])
        if geometry.resized is not None:
            before = results.get('scale_factor', (1.0, 1.0))
            results['scale_factor'] = tuple(
                np.multiply(before, geometry.scale).tolist()
            )
        results['img_shape'] = geometry.new_size
        return results

    def _change_maps(self, results: dict[str, Any], geometry: Geometry) -> None:
        image = resized_image(
            results['img'],
            geometry,
            self.interpolation,
            self.backend,
            self.truncate_image,
        )
        results['img'] = placed_image(image, geometry, self.pad_value)
        grid = geometry.grid(self.pixel_rule)
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = grid.apply(
                results['gt_seg_map'], self.seg_pad_value
            )
        if 'gt_instance_map' in results:
            results['gt_instance_map'] = grid.apply(
                results['gt_instance_map'], self.instance_pad_value
            )
        if 'mask_proposals' in results:
            results['mask_proposals'] = results['mask_proposals'].transformed(grid)
        if 'class_maps' in results:
            results['class_maps'] = moved_class_maps(results['class_maps'], geometry)
        if 'detections' in results:
            results['detections'] = moved_detections(results['detections'], geometry)

    def _move_objects(
        self, results: dict[str, Any], geometry: Geometry
    ) -> list[np.ndarray]:
        """Move points, boxes and masks; say of each, bool (N,), what is inside."""
        inside = []
        if 'gt_points' in results:
            points = results['gt_points']
            moved = geometry.move(points, self.pixel_rule)
            missing = np.isnan(moved).any(axis=1)
            inside.append(missing | geometry.holds(moved, self.pixel_rule))
            moved = np.trunc(moved) if self.truncate_points else moved
            results['gt_points'] = moved.astype(points.dtype)
        if 'gt_bboxes' in results:
            results['gt_bboxes'], kept = moved_boxes(results['gt_bboxes'], geometry)
            inside.append(kept)
        if 'gt_masks' in results:
            results['gt_masks'], kept = moved_masks(
                results['gt_masks'], geometry, self.pixel_rule
            )
            inside.append(kept)
        return inside

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value!r}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'


def _drop_rows(results: dict[str, Any], kept: np.ndarray) -> None:
    """Keep some of the objects, with all their rows, and count the others."""
    for name in ROW_FIELDS:
        if name in results and not kept.all():
            results[name] = results[name][kept]
    results['num_dropped'] = results.get('num_dropped', 0) + int((~kept).sum())


def _check(results: dict[str, Any], geometry: Geometry) -> None:
    """Refuse fields that are of another image, lack rows, or were made too early."""
    place = f'image id {results.get("img_id")!r}'
    for name, transform in MADE_LAST.items():
        if name in results:
            raise ValueError(
                f'{transform} must follow the transforms that move pixels: {name} '
                f'would stay behind ({place}).'
            )
    sizes = {
        name: results[name].shape
        for name in ('gt_seg_map', 'gt_instance_map')
        if name in results
    }
    if 'detections' in results:
        sizes['detections'] = results['detections']['size']
    if 'mask_proposals' in results:
        sizes['mask_proposals'] = tuple(results['mask_proposals'].size)
    if 'gt_masks' in results:
        sizes['gt_masks'] = results['gt_masks'].height, results['gt_masks'].width
    if geometry.window is not None:
        for name, stack in results.get('class_maps', {}).items():
            if name != 'labels':
                sizes[f'the class map {name!r}'] = stack.shape[1:]
    for name, size in sizes.items():
        if size != geometry.size:
            raise ValueError(
                f'{name} has (height, width) {size}, the image {geometry.size} '
                f'({place}).'
            )
    rows = {name: len(results[name]) for name in ROW_FIELDS if name in results}
    if len(set(rows.values())) > 1:
        raise ValueError(f'an object has one row in every field, got {rows} ({place}).')
