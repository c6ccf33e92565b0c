"""Pixels of objects and background to compare, drawn in the data loader (WISE)."""

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from mmwsis.formats.image_file import image_place
from mmwsis.ops import distinct_points, draw_pixel_groups
from mmwsis.registry import TRANSFORMS

NEEDED = (
    *('gt_points', 'gt_bboxes_labels', 'gt_ann_ids', 'gt_ignore_flags'),
    'mask_proposals',
)


@TRANSFORMS.register_module()
class GeneratePixelGroups(BaseTransform):
    """Draw a proposal for each point, and pixels from it and from the background.

    What the embedding loss of `WISE <https://arxiv.org/abs/1906.06392>`__ (section 3.2)
    compares. Put it after all transforms that move pixels. Random numbers come from
    NumPy's global state.

    Sets ``gt_pixel_groups``, :class:`mmwsis.ops.PixelGroups`.

    Args:
        samples_per_group: Pixels of each object and of the background. Defaults to
            None: as many as there are objects.
        sample_min_score: Proposals with a lower score are not drawn. Defaults to 0.0.
        cand_min_score: Proposals of a higher score around any point are no background;
            for the built-in generator, whose scores are not calibrated, 0.3 on
            photographs. Defaults to 0.5.
        single_point: Whether this holds for proposals alone that cover one point.
            Defaults to False.
        background_anchors: Compare pixels of the background with all groups, too, as
            many as there are objects. Defaults to False.
    """

    def __init__(
        self,
        samples_per_group: int | None = None,
        sample_min_score: float = 0.0,
        cand_min_score: float = 0.5,
        single_point: bool = False,
        background_anchors: bool = False,
    ) -> None:
        self.samples_per_group = samples_per_group
        self.sample_min_score = sample_min_score
        self.cand_min_score = cand_min_score
        self.single_point = single_point
        self.background_anchors = background_anchors

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the pixels of one sample.

        Args:
            results: Data of an image with ``gt_points``, ``gt_bboxes_labels``,
                ``gt_ann_ids``, ``gt_ignore_flags`` and ``mask_proposals``. Ignored
                rows, such as crowds, are no objects; of several points of one class on
                one pixel the first one counts.

        Returns:
            ``results``.

        Raises:
            KeyError: Points or proposals are not loaded.
            ValueError: A point lies outside the image, or points of two classes are on
                one pixel; the message names the image.
        """
        missing = [key for key in NEEDED if key not in results]
        if missing:
            raise KeyError(
                f'GeneratePixelGroups needs {" and ".join(missing)} of the sample; '
                'load them with mmwsis.LoadWeakAnnotations and mmwsis.LoadProposals.'
            )
        generator = np.random.default_rng(np.random.randint(2**32, dtype=np.uint64))
        try:
            results['gt_pixel_groups'] = draw_pixel_groups(
                self._pixels(results),
                results['mask_proposals'],
                generator,
                **vars(self),
            )
        except ValueError as error:
            place = image_place(str(results.get('img_path')), results.get('img_id'))
            raise ValueError(f'{place}: {error}') from error
        return results

    @staticmethod
    def _pixels(results: dict[str, Any]) -> np.ndarray:
        """One pixel for each object, (K, 2)."""
        counts = ~results['gt_ignore_flags']
        points = np.floor(results['gt_points'][counts] + 0.5)
        height, width = results['mask_proposals'].size
        pixels = np.minimum(points, [width - 1, height - 1]).astype(np.int64)
        labels, ids = (
            results[key][counts] for key in ('gt_bboxes_labels', 'gt_ann_ids')
        )
        kept = distinct_points(
            torch.from_numpy(pixels), torch.from_numpy(labels), ids.tolist()
        )
        return pixels[kept.numpy()]

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value!r}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'
