"""Random brightness, contrast and hue of whole images."""

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmwsis.registry import TRANSFORMS

_TO_HSV_AND_BACK = dict(
    rgb=(cv2.COLOR_RGB2HSV, cv2.COLOR_HSV2RGB),
    bgr=(cv2.COLOR_BGR2HSV, cv2.COLOR_HSV2BGR),
)


@TRANSFORMS.register_module()
class BrightnessContrastHue(BaseTransform):
    """Change brightness, contrast and hue of an image, each at random.

    Unlike ``mmdet.PhotoMetricDistortion`` it neither changes the saturation nor
    exchanges channels (`BESTIE <https://arxiv.org/abs/2109.09477>`__, released code).
    Brightness comes first; contrast before or after the hue, as likely. Computed in
    floating point: colours are cut off at 0 and 255 after each step, fractions at the
    end. Random numbers come from NumPy's global state.

    Args:
        brightness_delta: Largest amount that is added, in grey levels. Defaults to 16.
        contrast_range: Smallest and largest factor. Defaults to (0.5, 1.5).
        hue_delta: Largest turn of the hue in degrees, up to 180. Defaults to 36.
        prob: Probability of each of the three, 0 to 1. Defaults to 0.5.
        channel_order: 'rgb', that of ``mmwsis.LoadCachedImage``, or 'bgr', that of
            MMDetection's loader. Defaults to 'rgb'.

    Raises:
        ValueError: An amount out of range, a range that is none, no probability, or
            another order.
    """

    def __init__(
        self,
        brightness_delta: float = 16,
        contrast_range: tuple[float, float] = (0.5, 1.5),
        hue_delta: float = 36,
        prob: float = 0.5,
        channel_order: str = 'rgb',
    ) -> None:
        low, high = contrast_range
        if brightness_delta < 0 or not 0 <= hue_delta <= 180 or not 0 < low <= high:
            raise ValueError(
                'expected brightness_delta of at least 0, hue_delta from 0 to 180 and '
                f'0 < low <= high in contrast_range; got {brightness_delta}, '
                f'{hue_delta} and {tuple(contrast_range)}.'
            )
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be from 0 to 1, got {prob}.')
        if channel_order not in _TO_HSV_AND_BACK:
            raise ValueError(
                f"channel_order must be 'rgb' or 'bgr', got {channel_order!r}."
            )
        self.brightness_delta = brightness_delta
        self.contrast_range = (low, high)
        self.hue_delta = hue_delta
        self.prob = prob
        self.channel_order = channel_order

    def draw(self) -> dict[str, Any]:
        """Draw ``brightness``, ``contrast``, ``hue`` and ``contrast_first``."""
        return dict(
            brightness=self._maybe(-self.brightness_delta, self.brightness_delta, 0.0),
            contrast=self._maybe(*self.contrast_range, 1.0),
            hue=self._maybe(-self.hue_delta, self.hue_delta, 0.0),
            contrast_first=bool(np.random.randint(2)),
        )

    def _maybe(self, low: float, high: float, otherwise: float) -> float:
        drawn = np.random.random_sample() < self.prob
        return np.random.uniform(low, high) if drawn else otherwise

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw, and change ``results['img']``.

        Args:
            results: Data of an image with ``img``, uint8 (H, W, 3).

        Returns:
            ``results``.
        """
        return self.transform_with(results, **self.draw())

    def transform_with(
        self,
        results: dict[str, Any],
        brightness: float = 0.0,
        contrast: float = 1.0,
        hue: float = 0.0,
        contrast_first: bool = True,
    ) -> dict[str, Any]:
        """Change ``results['img']`` by given values in place of random ones.

        Args:
            results: As in :meth:`transform`.
            brightness: Is added, in grey levels. Defaults to 0.0.
            contrast: Factor. Defaults to 1.0.
            hue: Turn in degrees, from -360 to 360. Defaults to 0.0.
            contrast_first: Before the hue. Defaults to True.

        Returns:
            ``results``.
        """
        image = np.clip(results['img'] + np.float32(brightness), 0, 255)
        if contrast_first:
            image = np.clip(image * np.float32(contrast), 0, 255)
        # A turn by nothing, too: its rounding is that of the released code.
        to_hsv, back = _TO_HSV_AND_BACK[self.channel_order]
        hsv = cv2.cvtColor(image, to_hsv)
        turned = hsv[..., 0] + np.float32(hue)
        turned[turned < 0] += 360
        turned[turned >= 360] -= 360
        hsv[..., 0] = turned
        image = cv2.cvtColor(hsv, back)
        if not contrast_first:
            image *= np.float32(contrast)
        results['img'] = np.clip(image, 0, 255).astype(np.uint8)
        return results

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={value!r}' for name, value in vars(self).items())
        return f'{type(self).__name__}({settings})'
