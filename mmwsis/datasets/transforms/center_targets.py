"""Targets of a centre and offset network, made in the data loader (BESTIE)."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmwsis.formats.image_file import image_place
from mmwsis.ops import center_targets
from mmwsis.registry import TRANSFORMS
from mmwsis.structures.tags import tags_to_vector


@TRANSFORMS.register_module()
class GenerateCenterTargets(BaseTransform):
    """Make centre, offset and weight maps from a semantic map and points.

    Pseudo labels of `BESTIE <https://arxiv.org/abs/2109.09477>`__ (section 3.3), made
    from what augmentation has left: an object that a crop cuts has the centroid of its
    visible part, and a component that keeps one cue of two becomes an instance. Put it
    after all transforms that move pixels.

    Sets ``gt_center_targets``, :class:`mmwsis.ops.CenterTargets` with centre maps of
    the tagged classes alone, in increasing order: those of all classes of COCO are 55
    megabytes a crop. ``mmwsis.WeakDataPreprocessor`` adds the others on the device.

    Args:
        sigma: Standard deviation of the Gaussians in pixels. Defaults to 6.0.
        min_area: Components with fewer pixels are no instances. Defaults to 50.
        centers_from: 'components', or 'points' for points of people. Defaults to
            'components'.
    """

    def __init__(
        self,
        sigma: float = 6.0,
        min_area: int = 50,
        centers_from: str = 'components',
    ) -> None:
        self.sigma = sigma
        self.min_area = min_area
        self.centers_from = centers_from

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Make the targets of one sample.

        Args:
            results: Data of an image with ``gt_seg_map``, ``gt_points``,
                ``gt_bboxes_labels``, ``tags`` and ``num_classes``. A point is on the
                pixel that it is nearest to; crowds, of NaN, have none.

        Returns:
            ``results``.

        Raises:
            KeyError: Semantic map or points are not loaded.
            ValueError: They do not fit to the image or the classes; the message names
                the image.
        """
        missing = [key for key in ('gt_seg_map', 'gt_points') if key not in results]
        if missing:
            raise KeyError(
                f'GenerateCenterTargets needs {" and ".join(missing)} of the sample; '
                'load them with mmwsis.LoadSemanticMap and mmwsis.LoadCues or '
                'mmwsis.LoadWeakAnnotations.'
            )
        try:
            results['gt_center_targets'] = self._targets(results)
        except ValueError as error:
            place = image_place(str(results.get('img_path')), results.get('img_id'))
            raise ValueError(f'{place}: {error}') from error
        return results

    def _targets(self, results: dict[str, Any]) -> Any:
        semantic_map, points = results['gt_seg_map'], results['gt_points']
        if semantic_map.shape != results['img'].shape[:2]:
            raise ValueError(
                f'the semantic map has (height, width) {semantic_map.shape}, the image '
                f'{results["img"].shape[:2]}.'
            )
        known = ~np.isnan(points).any(axis=1)
        pixels = np.floor(points[known] + 0.5).astype(np.int64)
        tags = tags_to_vector(results['tags'], results['num_classes'])
        return center_targets(
            torch.from_numpy(np.ascontiguousarray(semantic_map)),
            torch.from_numpy(pixels),
            torch.from_numpy(results['gt_bboxes_labels'][known]),
            torch.from_numpy(tags).bool(),
            self.sigma,
            self.min_area,
            self.centers_from,
            tagged_only=True,
        )

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value!r}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'
