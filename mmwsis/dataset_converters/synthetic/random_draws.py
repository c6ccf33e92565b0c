"""Random draws whose values depend on the seed alone.

Only the raw uniform stream of PCG64 is used, which NumPy keeps stable between
versions and platforms; its convenience distributions carry no such promise.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar('T')


def scene_generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """Random generator of one scene, independent of every other scene.

    Args:
        seed: Seed of the dataset, >= 0.
        stream: Number of the split, so that splits never share scenes.
        index: Position of the scene in its split, >= 0.

    Returns:
        A generator seeded by the three numbers.
    """
    return np.random.Generator(np.random.PCG64([seed, stream, index]))


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Uniform draw from [low, high)."""
    return low + (high - low) * float(rng.random())


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability in [0, 1]."""
    return float(rng.random()) < probability


def pick(rng: np.random.Generator, items: Sequence[T]) -> T:
    """One of the items, each as likely as the others."""
    return items[int(float(rng.random()) * len(items))]


def pick_weighted(
    rng: np.random.Generator, items: Sequence[T], weights: Sequence[float]
) -> T:
    """One of the items, with probabilities proportional to ``weights`` (>= 0)."""
    draw = float(rng.random()) * sum(weights)
    for item, weight in zip(items, weights):
        draw -= weight
        if draw < 0:
            return item
    return items[-1]
