"""Retrieval of pseudo points around extreme points (EXITS, CVPR 2024, section 3.2)."""

from typing import NamedTuple

import torch
from torch import Tensor

from .random_walk import propagation_scores
from .sinkhorn import sinkhorn_scaling
from .tensor_checks import (
    as_integer,
    as_number,
    check_integers,
    check_shape,
    full_precision,
    to_full_precision,
)

# The published thresholds belong to a 32 x 32 grid, where a uniform score is 1/1024.
REFERENCE_GRID = 32
THRESHOLDS = ('absolute', 'relative')
# Scores that differ by less than this share of a uniform one, 1 / N^2, differ by the
# rounding of single precision only.
NO_SPREAD = 1e-6


class PointRetrieval(NamedTuple):
    """Point labels of a batch of object crops on their N x N patch grids.

    Attributes:
        init_fg: (B, N, N) bool, cells of the extreme points.
        init_bg: (B, N, N) bool, cells outside the box.
        pseudo_fg: (B, N, N) bool, retrieved foreground cells.
        pseudo_bg: (B, N, N) bool, retrieved background cells.
        score_fg: (B, N, N) probability of reaching a cell from ``init_fg``.
        score_bg: (B, N, N) probability of reaching a cell from ``init_bg``.
    """

    init_fg: Tensor
    init_bg: Tensor
    pseudo_fg: Tensor
    pseudo_bg: Tensor
    score_fg: Tensor
    score_bg: Tensor


def retrieve_points(
    similarity: Tensor,
    init_fg: Tensor,
    in_box: Tensor,
    hops: int | float | str = 3,
    beta: float = 0.25,
    tau_fg: float = 1e-3,
    tau_bg: float = -1e-4,
    scale_thresholds: bool = True,
    sinkhorn_iters: int = 100,
    sinkhorn_tol: float = 1e-3,
    thresholds: str = 'absolute',
) -> PointRetrieval:
    r"""Label box cells by random walks from the extreme points and the outside.

    Eq. 2 to 5 of `EXITS <https://arxiv.org/abs/2405.20729>`__. With the propagation
    scores of :func:`mmwsis.ops.propagation_scores`, a cell of the box that holds no
    extreme point becomes

    .. math::
        \text{foreground if } \pi^{(f)} - \pi^{(b)} \ge \tau_{FG}, \quad
        \text{background if } \pi^{(f)} - \pi^{(b)} \le \tau_{BG},

    and stays unlabelled otherwise. Every cell outside the box is initial background;
    without any, its score is zero.

    The published thresholds are scores. Where the similarity hardly varies, as on crops
    of low contrast, both scores are nearly uniform, and no cell reaches them however
    right the order of the cells is. ``thresholds='relative'`` (ours) counts in standard
    deviations of the difference over the grid instead.

    Args:
        similarity: (B, N*N, N*N) non-negative patch similarity in row-major order.
        init_fg: (B, N, N) bool cells of the extreme points.
        in_box: (B, N, N) bool cells that the box touches; ``init_fg`` is added.
        hops: Steps of the walk, or ``'inf'`` for the absorbing chain. Defaults to 3.
        beta: Probability of going on in the absorbing chain. Defaults to 0.25.
        tau_fg: Smallest score difference of a foreground cell. Defaults to 1e-3.
        tau_bg: Largest score difference of a background cell. Defaults to -1e-4.
        scale_thresholds: Multiply absolute thresholds by ``(32 / N)^2``, because scores
            sum to 1 over the grid. Defaults to True.
        sinkhorn_iters: Largest number of Sinkhorn iterations. Defaults to 100.
        sinkhorn_tol: Tolerance of Sinkhorn on the row sums. Defaults to 1e-3, an error
            that relative thresholds may see; 1e-6 then costs a few more iterations.
        thresholds: 'absolute', or 'relative': ``tau_fg`` and ``tau_bg`` are multiples
            of the standard deviation of the score difference over the crop's grid, and
            a crop whose scores are uniform retrieves nothing. Defaults to 'absolute'.

    Returns:
        :class:`PointRetrieval`, before point dropout.

    Raises:
        NonFiniteSimilarityError: ``similarity`` holds NaN or infinity; its
            ``batch_indices`` name the samples.
        TypeError: ``init_fg`` or ``in_box`` are fractions.
        ValueError: Wrong shapes or settings.

    Example:
        >>> looks = torch.tensor([1, 1, 0, 1, 1, 0, 0, 0, 0])  # a 3 x 3 grid
        >>> similarity = (looks[:, None] == looks).float()[None] + 0.01
        >>> init_fg = torch.zeros(1, 3, 3, dtype=torch.bool)
        >>> init_fg[0, 0, 0] = True
        >>> in_box = torch.ones(1, 3, 3, dtype=torch.bool)
        >>> in_box[0, 2] = False
        >>> points = retrieve_points(similarity, init_fg, in_box)
        >>> points.pseudo_fg[0].int().tolist()
        [[0, 1, 0], [1, 1, 0], [0, 0, 0]]
        >>> points.pseudo_bg[0].int().tolist()
        [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    """
    check_shape('init_fg', init_fg, ('B', 'N', 'N'))
    batch, side = init_fg.shape[:2]
    check_shape('in_box', in_box, (batch, side, side), like=init_fg)
    check_shape(
        'similarity', similarity, (batch, side * side, side * side), like=init_fg
    )
    check_integers('init_fg', init_fg)
    check_integers('in_box', in_box)
    tau_fg = as_number('tau_fg', tau_fg)
    tau_bg = as_number('tau_bg', tau_bg)
    sinkhorn_iters = as_integer('sinkhorn_iters', sinkhorn_iters, 1)
    sinkhorn_tol = as_number('sinkhorn_tol', sinkhorn_tol, '[0, inf)')
    if tau_bg > tau_fg:
        raise ValueError(
            f'tau_bg: expected at most tau_fg={tau_fg}, as no cell is both, got '
            f'{tau_bg}.'
        )
    if thresholds not in THRESHOLDS:
        raise ValueError(
            f'thresholds: expected one of {THRESHOLDS}, got {thresholds!r}.'
        )
    init_fg = init_fg.bool()
    in_box = in_box.bool() | init_fg
    init_bg = ~in_box
    with torch.no_grad(), full_precision(similarity):
        # T = (A + A^T) / 2 with A = diag(r) S diag(c) (Eq. 2), kept as r, c and S.
        similarity = to_full_precision(similarity)
        r, c = sinkhorn_scaling(similarity, sinkhorn_iters, sinkhorn_tol)
        # Both seed sets as distributions over the cells, (B, 2, N * N), and where
        # T^hops takes them (Eq. 3 and 4).
        seeds = torch.stack([init_fg, init_bg], 1).flatten(2).to(similarity.dtype)
        seeds = seeds / seeds.sum(2, keepdim=True).clamp(min=1)
        scores = propagation_scores(similarity, seeds, r, c, hops, beta)
    score_fg, score_bg = scores.reshape(batch, 2, side, side).unbind(1)
    # Select cells of the box by the difference of both scores (Eq. 5).
    difference = score_fg - score_bg
    candidates = in_box & ~init_fg
    factor: float | Tensor = 1.0
    if thresholds == 'relative':
        factor = difference.std((1, 2), correction=0, keepdim=True)  # (B, 1, 1)
        candidates &= factor * side**2 > NO_SPREAD
    elif scale_thresholds:
        factor = (REFERENCE_GRID / max(side, 1)) ** 2
    return PointRetrieval(
        init_fg=init_fg,
        init_bg=init_bg,
        pseudo_fg=candidates & (difference >= tau_fg * factor),
        pseudo_bg=candidates & (difference <= tau_bg * factor),
        score_fg=score_fg,
        score_bg=score_bg,
    )


def lacks_pseudo_points(retrieval: PointRetrieval) -> Tensor:
    """Tell which samples retrieved no pseudo point at all; they fall back to MIL.

    Args:
        retrieval: Points *before* dropout.

    Returns:
        (B,) bool, the indicator in Eq. 8 of `EXITS <https://arxiv.org/abs/2405.20729>`__.

    Example:
        >>> cells = torch.zeros(2, 4, 4, dtype=torch.bool)
        >>> points = PointRetrieval(*[cells.clone() for _ in range(4)], cells, cells)
        >>> points.pseudo_bg[1, 2, 3] = True
        >>> lacks_pseudo_points(points)
        tensor([ True, False])
    """
    _check_pseudo_points(retrieval)
    return ~(retrieval.pseudo_fg | retrieval.pseudo_bg).flatten(1).any(1)


def _check_pseudo_points(retrieval: PointRetrieval) -> None:
    cells = retrieval.pseudo_fg
    check_shape('pseudo_fg', cells, ('B', 'N', 'N'))
    check_shape('pseudo_bg', retrieval.pseudo_bg, tuple(cells.shape), like=cells)
    check_integers('pseudo_fg', cells)
    check_integers('pseudo_bg', retrieval.pseudo_bg)


def drop_points(
    retrieval: PointRetrieval, rate: float, generator: torch.Generator | None = None
) -> PointRetrieval:
    """Drop every pseudo point independently with probability ``rate``.

    Initial points are never dropped. `EXITS <https://arxiv.org/abs/2405.20729>`__
    (section 3.2.2) drops 90 % anew each time that a sample is drawn.

    Args:
        retrieval: Retrieved points.
        rate: Probability in [0, 1] of dropping a point.
        generator: Random source. Defaults to None: the global one of the device.

    Returns:
        A new :class:`PointRetrieval`; the input is left as it is.

    Raises:
        ValueError: ``rate`` outside [0, 1].

    Example:
        >>> cells = torch.ones(1, 32, 32, dtype=torch.bool)
        >>> points = PointRetrieval(*[cells] * 6)
        >>> dropped = drop_points(points, 0.9, torch.Generator().manual_seed(0))
        >>> dropped.init_fg.float().mean(), dropped.pseudo_fg.float().mean() < 0.2
        (tensor(1.), tensor(True))
    """
    rate = as_number('rate', rate, '[0, 1]')
    _check_pseudo_points(retrieval)
    pseudo_fg, pseudo_bg = retrieval.pseudo_fg, retrieval.pseudo_bg
    device = pseudo_fg.device if generator is None else generator.device
    draws = torch.rand((2, *pseudo_fg.shape), generator=generator, device=device)
    kept_fg, kept_bg = (draws >= rate).to(pseudo_fg.device)
    return retrieval._replace(
        pseudo_fg=pseudo_fg & kept_fg, pseudo_bg=pseudo_bg & kept_bg
    )
