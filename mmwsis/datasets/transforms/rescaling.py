"""Resizing of whole images, with Pillow, at a random size or at several sizes."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmwsis.registry import TRANSFORMS


def rescale_image(
    image: np.ndarray,
    scale: float,
    resample: Image.Resampling = Image.Resampling.BICUBIC,
) -> np.ndarray:
    """Resize an image or a label map by a factor.

    Args:
        image: uint8 (H, W, 3) or (H, W).
        scale: Factor of both sides; they are rounded, halves to the even number, and
            are at least one pixel.
        resample: Pillow's filter: bicubic for images, nearest for labels.

    Returns:
        The resized image; ``image`` itself where the size stays.
    """
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return image
    return np.array(Image.fromarray(image).resize(size, resample))


class _RandomScale(BaseTransform):
    """Resize image and label map by a factor that a subclass draws."""

    @abstractmethod
    def _draw(self, height: int, width: int) -> float:
        """Draw the factor for an image of this size."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize ``results['img']`` and, where there is one, ``gt_seg_map``.

        Args:
            results: Data of an image with ``img``.

        Returns:
            ``results``.
        """
        height, width = results['img'].shape[:2]
        scale = self._draw(height, width)
        results['img'] = rescale_image(results['img'], scale)
        if 'gt_seg_map' in results:
            results['gt_seg_map'] = rescale_image(
                results['gt_seg_map'], scale, Image.Resampling.NEAREST
            )
        new_height, new_width = results['img'].shape[:2]
        results['img_shape'] = (new_height, new_width)
        results['scale_factor'] = (new_width / width, new_height / height)
        return results


@TRANSFORMS.register_module()
class RandomLongSide(_RandomScale):
    """Resize an image so that its longer side has a random length.

    IRNet's classifier. Images are resized with Pillow's bicubic filter, which OpenCV's
    differs from; ``gt_seg_map``, where there is one, takes the nearest value. Random
    numbers come from NumPy's global state.

    Args:
        long_side: Shortest and longest length in pixels, both included.

    Raises:
        ValueError: Not ``0 < shortest <= longest``.
    """

    def __init__(self, long_side: tuple[int, int] = (320, 640)) -> None:
        shortest, longest = long_side
        if not 0 < shortest <= longest:
            raise ValueError(
                'long_side must be the shortest and the longest length in pixels, '
                f'0 < shortest <= longest; got {tuple(long_side)}.'
            )
        self.long_side = (int(shortest), int(longest))

    def _draw(self, height: int, width: int) -> float:
        shortest, longest = self.long_side
        return np.random.randint(shortest, longest + 1) / max(height, width)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(long_side={self.long_side})'


@TRANSFORMS.register_module()
class RandomRescale(_RandomScale):
    """Resize an image by a random factor.

    IRNet's relation network. Filters and random numbers are those of
    :class:`RandomLongSide`.

    Args:
        scale: Smallest and largest factor; it is drawn uniformly.

    Raises:
        ValueError: Not ``0 < smallest <= largest``.
    """

    def __init__(self, scale: tuple[float, float] = (0.5, 1.5)) -> None:
        smallest, largest = scale
        if not 0 < smallest <= largest:
            raise ValueError(
                'scale must be the smallest and the largest factor, '
                f'0 < smallest <= largest; got {tuple(scale)}.'
            )
        self.scale = (float(smallest), float(largest))

    def _draw(self, height: int, width: int) -> float:
        return np.random.uniform(*self.scale)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale})'


@TRANSFORMS.register_module()
class ImageScales(BaseTransform):
    """Add copies of an image at several sizes, for multi-scale prediction.

    Made in the data loader, from 8-bit pixels and with Pillow's bicubic filter, as in
    IRNet. Adds ``scaled_imgs``, one uint8 (h, w, 3) a scale; ``img`` stays. A model
    gets them through :class:`PackWeakInputs` and ``mmwsis.WholeImagePreprocessor``.

    Args:
        scales: Factors of the sides.

    Raises:
        ValueError: No scale, or one that is not positive.
    """

    def __init__(self, scales: Sequence[float] = (1.0, 0.5, 1.5, 2.0)) -> None:
        if not scales or min(scales) <= 0:
            raise ValueError(f'scales must be positive factors; got {scales}.')
        self.scales = tuple(float(scale) for scale in scales)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the copies of ``results['img']``.

        Args:
            results: Data of an image with ``img``.

        Returns:
            ``results``.
        """
        image = results['img']
        results['scaled_imgs'] = [rescale_image(image, scale) for scale in self.scales]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scales={self.scales})'
