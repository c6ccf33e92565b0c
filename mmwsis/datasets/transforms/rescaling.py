"""Resizing of whole images by the rules of the methods."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmwsis.registry import TRANSFORMS

from .geometric import GeometricTransform
from .geometric_fields import check_filter
from .geometry import Geometry


def rescaled_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Sides times a factor.

    Args:
        size: (H, W).
        factor: Of both sides.

    Returns:
        Sides, rounded, halves to the even number; at least one pixel.
    """
    height, width = size
    return max(1, round(height * factor)), max(1, round(width * factor))


def rescale_image(image: np.ndarray, scale: float) -> np.ndarray:
    """Resize an image by a factor with Pillow's bicubic filter.

    Args:
        image: uint8 (H, W, 3) or (H, W).
        scale: Factor of both sides.

    Returns:
        The image with :func:`rescaled_size`; ``image`` itself where the size stays.
    """
    size = rescaled_size(image.shape[:2], scale)
    if size == image.shape[:2]:
        return image
    return np.array(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))


class Resizing(GeometricTransform):
    """Base of the transforms that resize; a subclass says to what size.

    The image is interpolated as the arguments say; Pillow's filters, unlike OpenCV's,
    grow wider where an image shrinks.

    Args:
        interpolation: 'bilinear' or 'bicubic'. Defaults to 'bicubic'.
        backend: 'pillow' or 'cv2'. Defaults to 'pillow'.
        truncate_image: Whether 'cv2' cuts off the fractions of interpolated pixels
            (BESTIE, CVPR 2022, released code). Defaults to False, they are rounded.
        **kwargs: Arguments of :class:`GeometricTransform`.

    Raises:
        ValueError: An unknown interpolation or backend, or truncation by Pillow.
    """

    def __init__(
        self,
        interpolation: str = 'bicubic',
        backend: str = 'pillow',
        truncate_image: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_filter(interpolation, backend, truncate_image)
        self.interpolation = interpolation
        self.backend = backend
        self.truncate_image = truncate_image

    def rescaled(self, size: tuple[int, int], factor: float) -> Geometry:
        """Geometry of resizing both sides by a factor.

        Args:
            size: (H, W).
            factor: Of both sides.

        Returns:
            With ``factor`` itself where OpenCV resizes by it; otherwise the ratio of
            the rounded sides counts.
        """
        by_factor = self.pixel_rule == 'corner' and self.backend == 'cv2'
        if round(min(size) * factor) < 1:
            by_factor = False  # nothing would be left of the shorter side
        return Geometry(
            size, rescaled_size(size, factor), factor if by_factor else None
        )


@TRANSFORMS.register_module()
class RandomLongSide(Resizing):
    """Resize an image so that its longer side has a random length.

    IRNet's classifier, with Pillow's bicubic filter. Random numbers come from NumPy's
    global state.

    Args:
        long_side: Shortest and longest length in pixels, both included.
        **kwargs: Arguments of :class:`Resizing`.

    Raises:
        ValueError: Not ``0 < shortest <= longest``.
    """

    def __init__(self, long_side: tuple[int, int] = (320, 640), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        shortest, longest = long_side
        if not 0 < shortest <= longest:
            raise ValueError(
                'long_side must be the shortest and the longest length in pixels, '
                f'0 < shortest <= longest; got {tuple(long_side)}.'
            )
        self.long_side = (int(shortest), int(longest))

    def draw(self, size: tuple[int, int]) -> dict[str, Any]:
        """Draw ``length``, of the longer side."""
        shortest, longest = self.long_side
        return dict(length=np.random.randint(shortest, longest + 1))

    def geometry(self, size: tuple[int, int], length: int) -> Geometry:
        """Resize the longer side to ``length``."""
        return self.rescaled(size, length / max(size))


@TRANSFORMS.register_module()
class RandomRescale(Resizing):
    """Resize an image by a random factor.

    IRNet's relation network, with Pillow's bicubic filter. Random numbers come from
    NumPy's global state.

    Args:
        scale: Smallest and largest factor; it is drawn uniformly.
        **kwargs: Arguments of :class:`Resizing`.

    Raises:
        ValueError: Not ``0 < smallest <= largest``.
    """

    def __init__(self, scale: tuple[float, float] = (0.5, 1.5), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        smallest, largest = scale
        if not 0 < smallest <= largest:
            raise ValueError(
                'scale must be the smallest and the largest factor, '
                f'0 < smallest <= largest; got {tuple(scale)}.'
            )
        self.scale = (float(smallest), float(largest))

    def draw(self, size: tuple[int, int]) -> dict[str, Any]:
        """Draw ``factor``."""
        return dict(factor=np.random.uniform(*self.scale))

    def geometry(self, size: tuple[int, int], factor: float) -> Geometry:
        """Resize both sides by ``factor``."""
        return self.rescaled(size, factor)


@TRANSFORMS.register_module()
class RandomChoiceRescale(Resizing):
    """Resize an image by one of a few factors, each as likely.

    Random numbers come from NumPy's global state.

    Args:
        factors: Factors of both sides. Defaults to BESTIE's (CVPR 2022, released code).
        **kwargs: Arguments of :class:`Resizing`.

    Raises:
        ValueError: No factor, or one that is not positive.
    """

    def __init__(
        self,
        factors: Sequence[float] = (0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.factors = _positive('factors', factors)

    def draw(self, size: tuple[int, int]) -> dict[str, Any]:
        """Draw ``factor``."""
        return dict(factor=self.factors[np.random.randint(len(self.factors))])

    def geometry(self, size: tuple[int, int], factor: float) -> Geometry:
        """Resize both sides by ``factor``."""
        return self.rescaled(size, factor)


@TRANSFORMS.register_module()
class ResizeToSize(Resizing):
    """Resize all images to one size, whatever their aspect ratio.

    Args:
        size: Side in pixels, or (height, width).
        **kwargs: Arguments of :class:`Resizing`.

    Raises:
        ValueError: A side is not positive.
    """

    def __init__(self, size: int | Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = two_sides('size', size)

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Resize to ``self.size``."""
        return Geometry(size, self.size)


@TRANSFORMS.register_module()
class ResizeToMultiple(Resizing):
    """Resize an image so that both sides are multiples of a number.

    Sides become the next larger multiple: BESTIE's images to predict on (CVPR 2022,
    released code, multiples of 32 with ``interpolation='bilinear'``).

    Args:
        divisor: Number of pixels. Defaults to 32.
        **kwargs: Arguments of :class:`Resizing`.

    Raises:
        ValueError: ``divisor`` is not positive.
    """

    def __init__(self, divisor: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if divisor < 1:
            raise ValueError(f'divisor must be positive, got {divisor}.')
        self.divisor = divisor

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Resize to the next multiples."""
        height, width = (-(-side // self.divisor) * self.divisor for side in size)
        return Geometry(size, (height, width))


@TRANSFORMS.register_module()
class ResizeToStride(Resizing):
    """Resize an image to a little more than the crop, both sides ``stride * k + 1``.

    BESTIE (CVPR 2022, released code). With ``shortest = crop_size + 64`` and
    ``longest``, the largest ``stride * k + 1`` up to it: the shorter side becomes
    ``shortest`` or, if the longer one then exceeded ``longest``, the longer side
    becomes ``longest``; the other side is rounded down. Then each side is raised to the
    next ``stride * k + 1``, and lowered by ``stride`` where that exceeds ``longest``.

    Args:
        crop_size: Side of the crop that follows, in pixels. Defaults to 416.
        stride: Of the network. Defaults to 32.
        **kwargs: Arguments of :class:`Resizing`.

    Raises:
        ValueError: One of the numbers is not positive.
    """

    def __init__(self, crop_size: int = 416, stride: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min(crop_size, stride) < 1:
            raise ValueError(
                f'crop_size and stride must be positive, got {crop_size} and {stride}.'
            )
        self.crop_size = crop_size
        self.stride = stride

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Resize by the rule."""
        stride, shortest = self.stride, self.crop_size + 64
        longest = shortest - (shortest - 1) % stride
        sides = [side * shortest // min(size) for side in size]
        if max(sides) > longest:
            sides = [side * longest // max(size) for side in size]
        raised = (-(-(side - 1) // stride) * stride + 1 for side in sides)
        height, width = (side - stride if side > longest else side for side in raised)
        return Geometry(size, (height, width))


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
        self.scales = _positive('scales', scales)

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


def _positive(name: str, factors: Sequence[float]) -> tuple[float, ...]:
    if not len(factors) or min(factors) <= 0:
        raise ValueError(f'{name} must be positive factors; got {factors}.')
    return tuple(float(factor) for factor in factors)


def two_sides(name: str, size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width of a setting that is one side or both.

    Args:
        name: Named in the message.
        size: Side in pixels, or (height, width).

    Returns:
        (height, width).

    Raises:
        ValueError: Not one or two positive numbers.
    """
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or min(sides) < 1:
        raise ValueError(
            f'{name} must be a side in pixels or (height, width); got {size!r}.'
        )
    return sides
