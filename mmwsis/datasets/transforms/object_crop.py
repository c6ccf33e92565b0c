"""Cutting one object out of its image, as MAL and EXITS do."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.ops.patch_rle import BOX_RULES
from mmwsis.registry import TRANSFORMS
from mmwsis.structures import pixels_of_points

from ..object_crop_geometry import (
    box_mask_lines,
    crop_box,
    resize_box_mask,
    resize_crop,
    training_margins,
    wrap_crop,
)


@TRANSFORMS.register_module()
class ObjectCrop(BaseTransform):
    """Crop an object with a margin, wrapping around the image, to a square.

    Margins are in half box sides. Training draws them anew every time, and the box mask
    wraps as the image does; at test time they are fixed, and the mask is 0 outside the
    image (MAL, released code). Random numbers come from NumPy's global state.

    Replaces ``img`` by uint8 (S, S, 3); adds ``box_mask`` uint8 (S, S), ``crop_box``,
    ``crop_size`` and ``flip`` (False).

    With ``rule='released'`` boxes are read as MAL's released code does, whose last row
    and column are ``int(y1)`` and ``int(x1)``, and extreme points become the middles of
    the pixels that they lie in, as EXITS' have integer coordinates. The box mask of a
    polygon then reaches half a pixel too far on every side.

    Args:
        crop_size: Side S of the crop in pixels.
        train: Random margins and wrapped box mask; otherwise fixed ones.
        max_margin: Largest sum of the margins of two opposite sides in training.
        test_margin: Margin of every side at test time.
        rule: 'continuous': pixel ``i`` covers ``[i, i + 1]``, and lies in a box if its
            centre does. 'released': see above. Defaults to 'continuous'.
    """

    def __init__(
        self,
        crop_size: int = 512,
        train: bool = True,
        max_margin: float = 1.2,
        test_margin: float = 0.3,
        rule: str = 'continuous',
    ) -> None:
        if crop_size < 1 or max_margin < 0 or test_margin < 0:
            raise ValueError(
                'ObjectCrop needs crop_size >= 1 and margins >= 0; got '
                f'crop_size={crop_size}, max_margin={max_margin}, '
                f'test_margin={test_margin}.'
            )
        if rule not in BOX_RULES:
            raise ValueError(f'ObjectCrop knows the rules {BOX_RULES}; got {rule!r}.')
        self.crop_size = crop_size
        self.train = train
        self.max_margin = max_margin
        self.test_margin = test_margin
        self.rule = rule

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``results['img']`` around ``results['bbox']``.

        Args:
            results: Data of one annotation with ``img`` and ``bbox``.

        Returns:
            ``results``.
        """
        image, bbox = results['img'], results['bbox']
        if self.rule == 'released' and results.get('extreme_points') is not None:
            bbox = _take_pixels(results)
        if self.train:
            uniforms, gates = np.random.rand(4), np.random.rand(2)
            margins = training_margins(uniforms, gates, self.max_margin)
        else:
            margins = np.full(4, self.test_margin)
        box = crop_box(bbox, margins, self.rule)
        rows, columns = box_mask_lines(
            bbox, image.shape[:2], box, wrap=self.train, rule=self.rule
        )
        results['img'] = resize_crop(wrap_crop(image, box), self.crop_size)
        results['img_shape'] = (self.crop_size, self.crop_size)
        results['box_mask'] = resize_box_mask(rows, columns, self.crop_size)
        results['crop_box'] = box
        results['crop_size'] = self.crop_size
        results['flip'] = False
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, train={self.train}, '
            f'max_margin={self.max_margin}, test_margin={self.test_margin}, '
            f'rule={self.rule!r})'
        )


def _take_pixels(results: dict[str, Any]) -> tuple[float, ...]:
    """Put extreme points into the middles of their pixels; the box of these pixels."""
    pixels = pixels_of_points(results['extreme_points'])
    results['extreme_points'] = np.asarray(pixels, dtype=np.float64) + 0.5
    (_, top), (left, _), (_, bottom), (right, _) = pixels
    return left, top, right, bottom


@TRANSFORMS.register_module()
class ObjectCropFlip(BaseTransform):
    """Mirror crop and box mask horizontally, and note it in ``flip``.

    Extreme points stay in pixels of the original image; whoever maps them into the crop
    reads ``flip``. Random numbers come from NumPy's global state.

    Args:
        prob: Probability in [0, 1].
    """

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'ObjectCropFlip needs 0 <= prob <= 1; got {prob}.')
        self.prob = prob

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Mirror with probability ``prob``.

        Args:
            results: Data of a crop; ``box_mask`` may be absent.

        Returns:
            ``results``.
        """
        results.setdefault('flip', False)
        if np.random.rand() < self.prob:
            for key in ('img', 'box_mask'):
                if key in results:
                    # NumPy's reversed copy of three channels takes forty times as long.
                    results[key] = cv2.flip(results[key], 1)
            results['flip'] = not results['flip']
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob})'
