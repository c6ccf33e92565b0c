"""Mirror images of whole images."""

from typing import Any

import numpy as np

from mmwsis.registry import TRANSFORMS

from .geometric import GeometricTransform
from .geometry import Geometry


@TRANSFORMS.register_module()
class RandomMirror(GeometricTransform):
    """Exchange left and right at random, of every field.

    With the same random numbers as ``mmdet.RandomFlip``, which knows no points,
    proposals, instance maps and class maps. They come from NumPy's global state.

    Args:
        prob: Probability, 0 to 1. Defaults to 0.5.
        **kwargs: Arguments of :class:`GeometricTransform`.

    Raises:
        ValueError: ``prob`` is no probability.
    """

    def __init__(self, prob: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be from 0 to 1, got {prob}.')
        self.prob = prob

    def draw(self, size: tuple[int, int]) -> dict[str, Any]:
        """Draw ``flip``."""
        return dict(flip=bool(np.random.random_sample() < self.prob))

    def geometry(self, size: tuple[int, int], flip: bool) -> Geometry:
        """Mirror if ``flip``."""
        return Geometry(size, mirror=flip)

    def transform_with(self, results: dict[str, Any], flip: bool) -> dict[str, Any]:
        """Transform, and say so in ``flip`` and ``flip_direction``.

        Args:
            results: As in ``transform``.
            flip: Whether to mirror.

        Returns:
            ``results``.
        """
        results = super().transform_with(results, flip=flip)
        results['flip'] = results.get('flip', False) != flip
        results['flip_direction'] = 'horizontal' if results['flip'] else None
        return results
