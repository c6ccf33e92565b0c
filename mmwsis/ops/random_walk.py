"""Random walks through a symmetric transition matrix that is never formed."""

import math

import torch
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_shape,
    full_precision,
    to_full_precision,
)


def propagation_scores(
    similarity: Tensor,
    seeds: Tensor,
    row_scale: Tensor,
    col_scale: Tensor,
    hops: int | float | str = 3,
    beta: float = 0.25,
) -> Tensor:
    r"""Walk from seed distributions through the transition matrix.

    The propagation scores of Eq. 3 and 4 of `EXITS
    <https://arxiv.org/abs/2405.20729>`__, with the transition matrix of Eq. 2:

    .. math::
        \pi = v T^\alpha, \quad T = \frac{A + A^\top}{2}, \quad
        A = \mathrm{diag}(r) \, S \, \mathrm{diag}(c),

    A being the doubly stochastic matrix of :func:`mmwsis.ops.sinkhorn_scaling` and v
    the mean over the seeds. Each of the k seed vectors goes through the matrix as a
    vector, ``vT = (vA + vA^T) / 2``, so that k small products replace the power.

    ``hops='inf'`` is the absorbing chain (Eq. a2 of the supplement), summed as its
    Neumann series down to the precision of the type:

    .. math::
        \pi = (1 - \beta) \, v (I - \beta T)^{-1}
            = (1 - \beta) \sum_m \beta^m \, v T^m.

    Args:
        similarity: (B, n, n) non-negative matrices ``S``.
        seeds: (B, k, n) start distributions, e.g. indicator / count.
        row_scale: (B, n) row scaling ``r``.
        col_scale: (B, n) column scaling ``c``.
        hops: Number of steps :math:`\alpha`, at least 0, or ``'inf'``
            (``float('inf')`` too, which is what --cfg-options makes of it) for the
            absorbing chain. Defaults to 3.
        beta: Probability in [0, 1) of going on in the absorbing chain. Defaults to
            0.25.

    Returns:
        (B, k, n) scores. float64 if ``similarity`` is, else float32, under autocast
        too.

    Raises:
        ValueError: Wrong shapes, ``hops`` or ``beta``, or scores that are not finite.

    Example:
        >>> similarity = torch.tensor([[[0.8, 0.2], [0.2, 0.8]]])
        >>> scale, seeds = torch.ones(1, 2), torch.tensor([[[1.0, 0.0]]])
        >>> propagation_scores(similarity, seeds, scale, scale, hops=2)
        tensor([[[0.6800, 0.3200]]])
    """
    check_shape('similarity', similarity, ('B', 'n', 'n'))
    batch, size = similarity.shape[:2]
    check_shape('seeds', seeds, (batch, 'k', size), like=similarity)
    check_shape('row_scale', row_scale, (batch, size), like=similarity)
    check_shape('col_scale', col_scale, (batch, size), like=similarity)
    steps = _walk_length(hops, beta, similarity.dtype)
    with torch.no_grad(), full_precision(similarity):
        matrix = to_full_precision(similarity)
        start = seeds.to(matrix.dtype)
        # (B, 1, n): one scaling for all k seed vectors of a sample.
        r = row_scale.to(matrix.dtype).unsqueeze(1)
        c = col_scale.to(matrix.dtype).unsqueeze(1)
        scores = start
        if _is_endless(hops):
            # Horner's rule from the smallest term outwards.
            for _ in range(steps):
                scores = torch.add(start, _step(matrix, scores, r, c), alpha=beta)
            scores = scores * (1 - beta)
        else:
            for _ in range(steps):
                scores = _step(matrix, scores, r, c)
    # One look at the small result instead of one at each matrix: NaN stays NaN.
    hint = 'All of similarity, seeds, row_scale and col_scale must be, and not huge.'
    check_finite('scores', scores, hint)
    return scores


def _step(matrix: Tensor, vectors: Tensor, r: Tensor, c: Tensor) -> Tensor:
    """Return ``vT`` for (B, k, n) vectors."""
    forward = torch.bmm(vectors * r, matrix) * c
    # As a product from the left: the transposed matrix on the right is half as fast.
    backward = torch.bmm(matrix, (vectors * c).transpose(1, 2)).transpose(1, 2) * r
    return (forward + backward) * 0.5


def _is_endless(hops: int | float | str) -> bool:
    if isinstance(hops, str):
        return hops == 'inf'
    return isinstance(hops, float) and hops == math.inf


def _walk_length(hops: int | float | str, beta: float, dtype: torch.dtype) -> int:
    """Return the number of products with the transition matrix."""
    beta = as_number('beta', beta, '[0, 1)')
    if _is_endless(hops):
        # The tail after m terms is at most beta^m of the largest score.
        eps = torch.finfo(torch.float64 if dtype == torch.float64 else torch.float).eps
        return 0 if beta == 0 else math.ceil(math.log(eps) / math.log(beta))
    try:
        return as_integer('hops', hops, 0)
    except ValueError as error:
        raise ValueError(
            f"hops: expected an integer >= 0 or 'inf', got {hops!r}."
        ) from error
