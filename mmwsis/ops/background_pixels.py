"""Pixels that stand for the background of an image (WISE)."""

import numpy as np
from torch import Tensor

from mmwsis.structures.proposals import Proposals

from .enlarged_at import enlarged_at
from .k_means import cluster_representatives, k_means
from .proposals import (
    points_in_proposals,
    proposal_candidates,
    proposal_coverage,
    proposal_union,
)
from .tensor_checks import as_integer, check_finite, check_integers, check_shape


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
    points = np.asarray(points)
    hits = points_in_proposals(points, proposals)
    candidates = proposal_candidates(hits, proposals.scores, min_score, single_point)
    background = ~proposal_union(proposals[candidates.any(axis=0)])
    x, y = np.floor(points[~hits.any(axis=1)] + 0.5).astype(np.int64).T
    background[y, x] = False
    return background


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

    Example:
        >>> rles = [dict(size=[2, 3], counts=counts) for counts in ('132', '06')]
        >>> proposals = Proposals(rles, [0.9, 0.8], (2, 3))
        >>> least_covered_pixels([[1, 1]], proposals).astype(int)
        array([[1, 0, 1],
               [0, 0, 1]])
    """
    found = uncovered_pixels(points, proposals, min_score, single_point)
    if found.any() or not found.size:
        return found
    hits = points_in_proposals(points, proposals)
    candidates = proposal_candidates(hits, proposals.scores, min_score, single_point)
    coverage = proposal_coverage(proposals[candidates.any(axis=0)])
    return coverage == coverage.min()


def background_pixels(
    maps: Tensor, background: Tensor, k: int, stride: int = 1
) -> Tensor:
    """Pixels whose embeddings stand for those of the background.

    `WISE <https://arxiv.org/abs/1906.06392>`__, section 3.3: the embeddings of the
    background are clustered (:func:`k_means`), and of each cluster the pixel nearest to
    the mean is taken (:func:`cluster_representatives`).

    Args:
        maps: (d, h, w) embeddings.
        background: (H, W) bool, such as :func:`least_covered_pixels`; the maps are
            enlarged to its size where it is True.
        k: Number of clusters, that of the objects; fewer if the background has fewer
            pixels.
        stride: Every stride-th row and column is clustered, if that leaves k pixels.
            Defaults to 1: all.

    Returns:
        (B, 2) int64 ``(x, y)``, B <= k; none without background.

    Raises:
        TypeError: A mask of fractions.
        ValueError: Wrong shapes or settings, or embeddings that are not finite.

    Example:
        >>> import torch
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
    pixels = background.nonzero().flip(1)
    if stride > 1:
        coarse = pixels[(pixels % stride == 0).all(1)]
        pixels = coarse if len(coarse) >= k else pixels
    k = min(k, len(pixels))
    if not k:
        return pixels[:0]
    embeddings = enlarged_at(maps.detach(), pixels, tuple(background.shape))
    return pixels[cluster_representatives(embeddings, k_means(embeddings, k))]
