"""Random segmentations, small enough for loops over pixels."""

import numpy as np

from mmwsis.ops.region_graph import color_bins, region_graph


def random_regions(rng, height, width, number):
    """A label map of at most ``number`` regions: pixels belong to the nearest seed."""
    seeds = rng.random((number, 2)) * (height, width)
    pixels = np.stack(np.indices((height, width)), axis=-1)
    distances = np.abs(pixels[..., None, :] - seeds).sum(-1)
    return np.unique(distances.argmin(-1), return_inverse=True)[1].reshape(
        height, width
    )


def random_scene(seed, height=11, width=13, number=9):
    """Label map, channels, edges, and the graph of them."""
    rng = np.random.default_rng(seed)
    label_map = random_regions(rng, height, width, number)
    channels = rng.random((height, width, 3))
    # Colours of the regions differ, as those of a segmentation do.
    channels = (channels + 2 * rng.random((label_map.max() + 1, 3))[label_map]) / 3
    edges = rng.random((height, width))
    graph = region_graph(label_map, color_bins(channels), edges)
    return label_map, channels, edges, graph


def neighbor_pairs(height, width):
    """Both pixels of all pairs of 4-neighbours, both ways round."""
    for y in range(height):
        for x in range(width):
            for other in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= other[0] < height and 0 <= other[1] < width:
                    yield (y, x), other


def histogram(channels):
    """20 bins per channel of (P, C) pixels, of sum 1."""
    counts = np.zeros((channels.shape[1], 20))
    for pixel in channels:
        for channel, value in enumerate(pixel):
            counts[channel, min(int(20 * value), 19)] += 1
    return counts.ravel() / max(counts.sum(), 1)
