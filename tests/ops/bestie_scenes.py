"""Maps as a centre and offset network gives them, small enough for the slow form."""

import sys
from pathlib import Path

import numpy as np
import torch
from region_scenes import random_regions

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / 'tests' / 'golden' / 'bestie'
# The full-image form is what the benchmark compares with.
sys.path.insert(0, str(ROOT / 'benchmarks'))
import plain_bestie as plain  # noqa: E402, F401


def golden(name):
    with np.load(GOLDEN / f'{name}.npz') as data:
        return {key: torch.from_numpy(np.asarray(data[key])) for key in data}


def scene(seed, batch, num_classes, size):
    """Semantic map, logits, centres, offsets and tags of a batch.

    Centres and offsets are multiples of 1/8, so that ties are exact; offsets lead to a
    few points, so that there are round regions of short ones.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    classes = [0, *range(1, num_classes + 1), 1, num_classes + 1, 255]
    semantic_map = np.zeros((batch, *size), dtype=np.uint8)
    offsets = np.zeros((batch, 2, *size))
    grid = np.indices(size)
    for image in range(batch):
        regions = random_regions(rng, height, width, int(rng.integers(1, 5)))
        semantic_map[image] = rng.choice(classes, regions.max() + 1)[regions]
        points = rng.integers(0, 2 * np.array(size), (int(rng.integers(1, 6)), 2)) / 2
        towards = points[:, :, None, None] - grid
        best = np.abs(towards).sum(1).argmin(0)
        offsets[image] = np.take_along_axis(towards, best[None, None], 0)[0]
        noisy = rng.random(size) < rng.choice([0, 0.05, 1])
        offsets[image] += noisy * rng.integers(-16, 17, (2, *size)) / 8
    levels = rng.choice([2, 8])
    centers = rng.integers(-levels, levels + 2, (batch, num_classes, *size)) / levels
    centers *= rng.random(centers.shape) < rng.choice([0.1, 1])
    logits = rng.normal(0, 2, (batch, num_classes + 1, *size))
    return dict(
        semantic_map=torch.from_numpy(semantic_map),
        seg_logits=torch.from_numpy(logits).float(),
        centers=torch.from_numpy(centers).float(),
        offsets=torch.from_numpy(offsets).float(),
        tags=torch.from_numpy(rng.random((batch, num_classes)) < 0.8),
    )


def settings(seed):
    """Settings at which little scenes have centres of both kinds, and some neither."""
    rng = np.random.default_rng(seed)
    return dict(
        threshold=float(rng.choice([0, 0.25, 0.5, 0.9])),
        kernel_size=int(rng.choice([3, 5, 11])),
        beta=float(rng.choice([0, 3, 8])),
        min_area=int(rng.choice([1, 4, 12])),
        keep_centerless=bool(rng.integers(2)),
        cluster_radius=float(rng.choice([1.2, 1.5])),
        cluster_min_value=float(rng.choice([-1, 0.05])),
        cluster_min_distance=float(rng.choice([0, 3, 5])),
    )
