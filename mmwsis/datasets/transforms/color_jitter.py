"""Random brightness, contrast, saturation and hue of whole images."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmwsis.registry import TRANSFORMS

from .views import color_jitter


@TRANSFORMS.register_module()
class ColorJitter(BaseTransform):
    """Brightness, contrast, saturation and hue in random order, of every image.

    Each factor of the first three is drawn from U(max(0, 1 - s), 1 + s), the turn of
    the hue from U(-hue, hue); Pillow computes them, as torchvision does. The classifier
    of BESTIE (CVPR 2022, supplement). Random numbers come from NumPy's global state.

    Args:
        brightness: Strength s. Defaults to 0.3.
        contrast: Strength s. Defaults to 0.3.
        saturation: Strength s. Defaults to 0.3.
        hue: Largest turn as a part of the full circle. Defaults to 0.1.

    Raises:
        ValueError: A negative strength, or a turn of more than half the circle.
    """

    def __init__(
        self,
        brightness: float = 0.3,
        contrast: float = 0.3,
        saturation: float = 0.3,
        hue: float = 0.1,
    ) -> None:
        self.strengths = dict(
            brightness=brightness, contrast=contrast, saturation=saturation, hue=hue
        )
        if min(self.strengths.values()) < 0 or hue > 0.5:
            raise ValueError(
                'brightness, contrast and saturation must be >= 0, hue in [0, 0.5]; '
                f'got {self.strengths}.'
            )

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Recolour ``results['img']``.

        Args:
            results: Data of an image with ``img``, uint8 (H, W, 3), RGB.

        Returns:
            ``results``.
        """
        image = Image.fromarray(results['img'])
        results['img'] = np.array(color_jitter(image, **self.strengths))
        return results

    def __repr__(self) -> str:
        strengths = ', '.join(f'{key}={value}' for key, value in self.strengths.items())
        return f'{type(self).__name__}({strengths})'
