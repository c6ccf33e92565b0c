"""Pixels that stand for the background of an image (WISE)."""

import numpy as np
import torch
from torch import Tensor

from mmwsis.structures.proposals import Proposals

from .enlarged_at import enlarged_at
from .proposals import points_in_proposals, proposal_candidates, proposal_coverage
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_integers,
    check_shape,
    full_precision,
)

MAX_ITERATIONS = 100


def uncovered_pixels(
    points: np.ndarray,
    proposals: Proposals,
    min_score: float = 0.5,
    single_point: bool = False,
) -> np.ndarray:
    """Pixels of no candidate of any point: the background.

    Candidates are those of :func:`proposal_candidates`. A point that no proposal covers
    is an object of one pixel, which is no background either.

    Args:
        points: (K, 2), (x, y) in pixels of the image as it is now.
        proposals: N proposals.
        min_score: Candidates have a higher score. Defaults to 0.5.
        single_point: Whether proposals that cover several points are no candidates.
            Defaults to False.

    Returns:
        (H, W) bool.

    Example:
        >>> rle = dict(size=[2, 3], counts='132')
        >>> proposals = Proposals([rle], [0.9], (2, 3))
        >>> uncovered_pixels([[0, 1], [2, 0]], proposals).astype(int)
        array([[1, 0, 0],
               [0, 0, 1]])
    """
    return _uncovered(points, proposals, min_score, single_point, least=False)


def least_covered_pixels(
    points: np.ndarray,
    proposals: Proposals,
    min_score: float = 0.5,
    single_point: bool = False,
) -> np.ndarray:
    """:func:`uncovered_pixels`, or if there is none those of the fewest candidates.

    Args:
        points: (K, 2), (x, y) in pixels of the image as it is now.
        proposals: N proposals.
        min_score: Candidates have a higher score. Defaults to 0.5.
        single_point: Whether proposals that cover several points are no candidates.
            Defaults to False.

    Returns:
        (H, W) bool; some are True, if the image has pixels.
    """
    return _uncovered(points, proposals, min_score, single_point, least=True)


def _uncovered(
    points: np.ndarray,
    proposals: Proposals,
    min_score: float,
    single_point: bool,
    least: bool,
) -> np.ndarray:
    points = np.asarray(points)
    hits = points_in_proposals(points, proposals)
    candidates = proposal_candidates(hits, proposals.scores, min_score, single_point)
    coverage = proposal_coverage(proposals[candidates.any(axis=0)])
    background = coverage == 0
    x, y = np.floor(points[~hits.any(axis=1)] + 0.5).astype(np.int64).T
    background[y, x] = False
    if least and not background.any():
        background = coverage == coverage.min(initial=len(proposals))
    return background


def background_pixels(
    maps: Tensor,
    background: Tensor,
    k: int,
    stride: int = 1,
    tol: float = 1e-4,
) -> Tensor:
    """Pixels whose embeddings stand for those of the background.

    `WISE <https://arxiv.org/abs/1906.06392>`__, section 3.3: the embeddings of the
    background are clustered by k-means, and of each cluster the pixel nearest to the
    mean is taken (:func:`cluster_representatives`).

    Args:
        maps: (d, h, w) embeddings.
        background: (H, W) bool.
        k: Number of clusters, that of the objects; fewer if the background has fewer
            pixels.
        stride: Every stride-th row and column is clustered, if that leaves k pixels.
            Defaults to 1: all.
        tol: Clustering ends when the means move by less, as a share of the variance.
            Defaults to 1e-4.

    Returns:
        (B, 2) int64 ``(x, y)``, B <= k; none without background.

    Raises:
        TypeError: A mask of fractions.
        ValueError: Wrong shapes or settings, or embeddings that are not finite.

    Example:
        >>> maps = torch.tensor([[[0.0, 1, 2, 8, 9]]])
        >>> background = torch.tensor([[True, True, True, False, True]])
        >>> background_pixels(maps, background, 2)
        tensor([[4, 0],
                [1, 0]])
    """
    check_shape('maps', maps, ('d', 'h', 'w'))
    check_shape('background', background, ('H', 'W'), like=maps)
    check_integers('background', background)
    check_finite('maps', maps)
    k, stride = as_integer('k', k, 0), as_integer('stride', stride, 1)
    tol = as_number('tol', tol, '[0, inf)')
    pixels = background.bool().nonzero()[:, [1, 0]]
    every = pixels[(pixels % stride == 0).all(1)] if stride > 1 else pixels
    if len(every) >= k:
        pixels = every
    k = min(k, len(pixels))
    if not k:
        return pixels[:0]
    features = enlarged_at(maps.detach(), pixels, tuple(background.shape))
    return pixels[cluster_representatives(features, k_means(features, k, tol), k)]


def cluster_representatives(features: Tensor, clusters: Tensor, k: int) -> Tensor:
    """Member of each cluster that is nearest to its mean.

    Args:
        features: (N, d)
        clusters: (N,) integers, 0 to k - 1.
        k: Number of clusters.

    Returns:
        (B,) int64 indices, by cluster; of equally near members the first. Clusters
        without members have none.

    Example:
        >>> features = torch.tensor([[0.0], [5.0], [1.0], [2.0]])
        >>> cluster_representatives(features, torch.tensor([0, 2, 0, 0]), 3)
        tensor([2, 1])
    """
    means, counts = _means(features, clusters, k)
    away = (features - means[clusters]).square().sum(1)
    return torch.stack(
        [
            members[away[members].argmin()]
            for number in counts.nonzero()[:, 0]
            for members in [(clusters == number).nonzero()[:, 0]]
        ]
    )


def k_means(features: Tensor, k: int, tol: float = 1e-4) -> Tensor:
    """Cluster by Lloyd's iteration from k-means++'s start, the same in every call.

    Args:
        features: (N, d), N >= k.
        k: Number of clusters, at least 1.
        tol: Ends when the means move by less, as a share of the variance. Defaults to
            1e-4.

    Returns:
        (N,) int64 cluster of each.
    """
    features = features - features.mean(0)  # near 0 products are more exact
    limit = tol * features.square().mean()
    with full_precision(features):
        means = _first_means(features, k)
        for _ in range(MAX_ITERATIONS):
            clusters = _nearest(features, means)
            moved, counts = _means(features, clusters, k)
            moved = torch.where(counts[:, None] > 0, moved, means)
            shift, means = (moved - means).square().sum(), moved
            if shift <= limit:
                break
    return _nearest(features, means)


def _first_means(features: Tensor, k: int) -> Tensor:
    """k-means++: each next one at random, by the squared distance to the others."""
    generator = np.random.default_rng(0)
    chosen = [int(generator.integers(len(features)))]
    away = (features - features[chosen[0]]).square().sum(1)
    for _ in range(k - 1):
        sums = away.double().cumsum(0)
        place = torch.searchsorted(sums, generator.random() * sums[-1:], right=True)
        chosen.append(min(int(place), len(features) - 1))
        away = away.minimum((features - features[chosen[-1]]).square().sum(1))
    return features[chosen]


def _nearest(features: Tensor, means: Tensor) -> Tensor:
    half = means.square().sum(1) / 2
    return torch.addmm(-half, features, means.T).max(1).indices


def _means(features: Tensor, clusters: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Means (k, d), 0 for no members, and counts (k,)."""
    member = torch.zeros(k, len(features), dtype=features.dtype, device=features.device)
    member.scatter_(0, clusters[None], 1)
    counts = member.sum(1)
    return member @ features / counts.clamp(min=1)[:, None], counts
