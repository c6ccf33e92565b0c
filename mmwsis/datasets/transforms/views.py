"""Views of a crop: teacher and student, or one random view of a whole image."""

import math
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageEnhance, ImageFilter

from mmwsis.registry import TRANSFORMS

from ..object_crop_geometry import resize_crop

_JITTER = dict(prob=0.5, brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1)
_BLUR = dict(prob=0.5, radius=(0.1, 2.0))


def shift_hue(pil_image: Image.Image, shift: float) -> Image.Image:
    """Turn the hue circle of an RGB image.

    Args:
        pil_image: RGB.
        shift: Part of a full turn, in [-0.5, 0.5].

    Returns:
        RGB, lightness and saturation unchanged up to 8-bit rounding.
    """
    hue, saturation, value = pil_image.convert('HSV').split()
    # The hue is a uint8 angle, so adding modulo 256 is the turn.
    turn = int(shift * 255)
    hue = hue.point([(angle + turn) % 256 for angle in range(256)])
    return Image.merge('HSV', (hue, saturation, value)).convert('RGB')


def color_jitter(
    pil_image: Image.Image,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
) -> Image.Image:
    """Brightness, contrast, saturation and hue in random order.

    The factors of the first three are drawn from ``U(max(0, 1 - s), 1 + s)``, the turn
    of the hue from ``U(-hue, hue)``; what is 0 is left alone.

    Args:
        pil_image: RGB.
        brightness: Strength s >= 0.
        contrast: Strength s >= 0.
        saturation: Strength s >= 0.
        hue: Largest turn, in [0, 0.5] of the circle.

    Returns:
        RGB image.
    """
    enhancers = (
        (ImageEnhance.Brightness, brightness),
        (ImageEnhance.Contrast, contrast),
        (ImageEnhance.Color, saturation),
    )
    for index in np.random.permutation(4):
        if index == 3:
            if hue:
                pil_image = shift_hue(pil_image, np.random.uniform(-hue, hue))
            continue
        enhancer, strength = enhancers[index]
        if strength:
            factor = np.random.uniform(max(0.0, 1 - strength), 1 + strength)
            pil_image = enhancer(pil_image).enhance(factor)
    return pil_image


@TRANSFORMS.register_module()
class TeacherStudentViews(BaseTransform):
    """Fork a crop: the teacher sees it as it is, the student a recoloured copy.

    Student, in this order, each with its own probability: colour jitter, conversion to
    grey (three equal channels), Gaussian blur. Both views share their geometry (MAL,
    CVPR 2023, released code). Random numbers come from NumPy's global state.

    Adds ``teacher`` and ``student``, uint8 (S, S, 3).

    Args:
        jitter: ``prob`` and the strengths of :func:`color_jitter`; None for no jitter.
        gray_prob: Probability of grey.
        blur: ``prob`` and the range ``radius`` in pixels of the crop (Pillow's
            ``GaussianBlur``); None for no blur.
    """

    def __init__(
        self,
        jitter: dict | None = _JITTER,
        gray_prob: float = 0.2,
        blur: dict | None = _BLUR,
    ) -> None:
        self.jitter = _filled('jitter', jitter, _JITTER)
        self.gray_prob = gray_prob
        self.blur = _filled('blur', blur, _BLUR)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add both views of ``results['img']``.

        Args:
            results: Data of a crop with ``img``.

        Returns:
            ``results``.
        """
        results['teacher'] = results['img']
        pil_image = Image.fromarray(results['img'])
        if np.random.rand() < self.jitter['prob']:
            strengths = {k: v for k, v in self.jitter.items() if k != 'prob'}
            pil_image = color_jitter(pil_image, **strengths)
        if np.random.rand() < self.gray_prob:
            pil_image = pil_image.convert('L').convert('RGB')
        if np.random.rand() < self.blur['prob']:
            radius = np.random.uniform(*self.blur['radius'])
            pil_image = pil_image.filter(ImageFilter.GaussianBlur(radius))
        results['student'] = np.array(pil_image)
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(jitter={self.jitter}, gray_prob={self.gray_prob}, '
            f'blur={self.blur})'
        )


def _filled(name: str, given: dict | None, defaults: dict) -> dict:
    if given is None:
        return {**defaults, 'prob': 0.0}
    unknown = set(given) - defaults.keys()
    if unknown:
        raise ValueError(f'{name} knows {sorted(defaults)}, got {sorted(unknown)}.')
    return {**defaults, **given}


@TRANSFORMS.register_module()
class RandomResizedCropView(BaseTransform):
    """Random part of a whole image, resized to a square: the view of MAE pretraining.

    Area and aspect ratio are drawn as in He et al., CVPR 2022 (the usual
    random-resized crop); where no such part fits in ten attempts, the largest centred
    one within ``ratio`` is taken. Pillow's bicubic filter. Random numbers come from
    NumPy's global state.

    Replaces ``img`` by uint8 (S, S, 3); adds ``crop_box``, ``crop_size`` and ``flip``
    (False).

    Args:
        crop_size: Side S of the view in pixels.
        scale: Range of the part's area as a share of the image.
        ratio: Range of the part's width by height, drawn uniformly in the logarithm.
    """

    def __init__(
        self,
        crop_size: int = 224,
        scale: tuple[float, float] = (0.2, 1.0),
        ratio: tuple[float, float] = (3 / 4, 4 / 3),
    ) -> None:
        if not (0 < scale[0] <= scale[1] <= 1 and 0 < ratio[0] <= ratio[1]):
            raise ValueError(
                'RandomResizedCropView needs 0 < scale[0] <= scale[1] <= 1 and '
                f'0 < ratio[0] <= ratio[1]; got scale={scale}, ratio={ratio}.'
            )
        self.crop_size = crop_size
        self.scale = tuple(scale)
        self.ratio = tuple(ratio)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace ``results['img']`` by a random view.

        Args:
            results: Data of an image with ``img``.

        Returns:
            ``results``.
        """
        height, width = results['img'].shape[:2]
        x0, y0, x1, y1 = box = self._random_box(height, width)
        results['img'] = resize_crop(results['img'][y0:y1, x0:x1], self.crop_size)
        results['img_shape'] = (self.crop_size, self.crop_size)
        results['crop_box'] = box
        results['crop_size'] = self.crop_size
        results['flip'] = False
        return results

    def _random_box(self, height: int, width: int) -> tuple[int, int, int, int]:
        for _ in range(10):
            area = height * width * np.random.uniform(*self.scale)
            low, high = np.log(self.ratio)
            ratio = math.exp(np.random.uniform(low, high))
            w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < w <= width and 0 < h <= height:
                x0 = np.random.randint(width - w + 1)
                y0 = np.random.randint(height - h + 1)
                return x0, y0, x0 + w, y0 + h
        w = max(1, min(width, round(height * self.ratio[1])))
        h = max(1, min(height, round(width / self.ratio[0])))
        x0, y0 = (width - w) // 2, (height - h) // 2
        return x0, y0, x0 + w, y0 + h

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, scale={self.scale}, '
            f'ratio={self.ratio})'
        )
