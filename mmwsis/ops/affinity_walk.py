"""Random walk on the sparse graph of affinities (IRNet, CVPR 2019, section 5.2)."""

import math
import warnings
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .path_affinity import affinity_of_pairs
from .pixel_paths import pixel_directions
from .tensor_checks import (
    as_integer,
    as_number,
    check_finite,
    check_shape,
    check_within,
    full_precision,
    to_full_precision,
)

# Longer walks run in float64: each step multiplies what float32 rounds away from the
# row sums, 6e-8, so that 2^14 steps would err by 1e-3.
SINGLE_PRECISION_STEPS = 512
# Binary places of the fixed-point numbers that coefficients are computed in.
PLACES = 192


def affinity_walk(
    x: Tensor,
    edge: Tensor,
    radius: int = 5,
    beta: float = 10.0,
    num_steps: int = 256,
) -> Tensor:
    r"""Spread maps along affinities by a random walk.

    Eq. 12 and 13 of `IRNet <https://arxiv.org/abs/1904.05044>`__:

    .. math::
        T = S^{-1} A^{\circ\beta}, \quad S_{ii} = \sum_j a_{ij}^\beta, \quad
        \mathrm{vec}(M^*) = T^t \, \mathrm{vec}(M \odot (1 - \mathcal{B})).

    A step replaces a pixel by the mean over itself (weight 1) and the pixels nearer
    than the radius, weighted by ``affinity^beta``; for the affinity see
    :func:`mmwsis.ops.path_affinity`. No link leaves the map.

    The transition matrix T stays sparse and is applied to the maps instead of being
    raised to a power. It is similar to a symmetric matrix with eigenvalues in [-1, 1],
    so that

    .. math::
        T^t = \sum_k c_k C_k(T)

    with Chebyshev polynomials :math:`C_k` and the probabilities :math:`c_k` that heads
    and tails of t coin tosses differ by k (Sachdeva and Vishnoi, `Faster Algorithms via
    Approximation Theory <https://doi.org/10.1561/0400000065>`__, 2014, chapter 3).
    Terms whose sum cannot reach the precision of the type are left out: for 256 steps
    about 105 products are enough for float32, for 2^14 steps about 1100 in float64:
    the number grows with the square root of t. The result is that of the plain power
    within 1e-4 of the largest number, within 1e-11 in float64. On CUDA the sums of a
    product are taken in changing order: calls differ by about 1e-6 of the largest.

    Args:
        x: (C, h, w) maps M, any h and w of at least 1.
        edge: (1, h, w) boundary probability in [0, 1].
        radius: Pixels nearer than this are linked, in pixels; at least 2. Defaults to
            5.
        beta: Power of the affinity, above 0. Defaults to 10.0.
        num_steps: Number of steps t, at least 0. Defaults to 256.

    Returns:
        (C, h, w) maps; float64 if ``x`` is, else float32, under autocast too. A map of
        zeros stays one. No gradient.

    Raises:
        ValueError: Wrong shapes, radius, beta or number of steps; numbers that are not
            finite, boundaries outside [0, 1].

    Example:
        >>> x, edge = torch.tensor([[[1.0, 0, 0]]]), torch.tensor([[[0, 0.5, 0]]])
        >>> affinity_walk(x, edge, beta=1.0, num_steps=1)
        tensor([[[0.5000, 0.2500, 0.2500]]])
    """
    check_shape('x', x, ('C', 'h', 'w'))
    channels, height, width = x.shape
    check_shape('edge', edge, (1, height, width), like=x)
    radius = as_integer('radius', radius, 2)
    beta = as_number('beta', beta, '(0, inf)')
    num_steps = as_integer('num_steps', num_steps, 0)
    check_finite('x', x)
    check_within('edge', edge, 0, 1)
    # Links longer than the map's diagonal do not exist.
    longest = math.isqrt(max(0, height - 1) ** 2 + max(0, width - 1) ** 2)
    radius = max(2, min(radius, longest + 1))
    with torch.no_grad(), full_precision(x):
        x = to_full_precision(x)
        precision = x.dtype if num_steps <= SINGLE_PRECISION_STEPS else torch.float64
        start = x * (1 - edge.to(x.dtype))  # (C, h, w)
        # Maps of zeros stay zero: leave them out of the products.
        used = start.flatten(1).any(1)
        if num_steps == 0 or not used.any():
            return start
        # A dropped link costs at most its weight in each step: this little in all.
        links = num_steps * (2 * len(pixel_directions(radius)) + 1)
        negligible = torch.finfo(precision).eps / links
        weights = _link_weights(edge.double(), radius, beta, negligible)
        transition = _transition_matrix(weights, radius, precision)
        # Pixels as rows, maps as columns, (h * w, C): products read whole rows.
        columns = start[used].flatten(1).t().to(precision).contiguous()
        walked = _matrix_power(transition, columns, num_steps, 2 * len(weights) + 1)
        result = torch.zeros_like(start)
        result[used] = walked.t().reshape(-1, height, width).to(x.dtype)
        return result


def _link_weights(edge: Tensor, radius: int, beta: float, negligible: float) -> Tensor:
    """Return (D, h, w) weights of the links from each pixel in each direction.

    Links out of the map weigh zero, and so do those below ``negligible``, which all
    together, in all steps, cannot change a map by more than its rounding.
    """
    height, width = edge.shape[1:]
    reach = radius - 1
    # A boundary of 1 around the map makes every pixel of it a source, and the affinity
    # of links that leave it zero.
    outside = F.pad(edge[None], (reach, reach, 0, reach), value=1.0)
    affinity = affinity_of_pairs(outside, radius)[0]
    weights = affinity.pow_(beta).view(-1, height, width)
    weights[weights < negligible] = 0
    return weights


def _transition_matrix(weights: Tensor, radius: int, dtype: torch.dtype) -> Tensor:
    """Return the (N, N) sparse transition matrix of (D, h, w) link weights.

    N = h * w. A link weighs the same in both directions, so D directions give 2 D + 1
    entries per row, the pixel itself included.
    """
    _, height, width = weights.shape
    size = height * width
    directions = pixel_directions(radius)
    # Sorted offsets are sorted columns within each row, as the CSR format wants them.
    offsets = sorted([(0, 0), *directions, *((-y, -x) for y, x in directions)])
    position = {offset: index for index, offset in enumerate(offsets)}
    # All rows as a dense table (h, w, 2 D + 1): its last dimension holds the links of a
    # pixel to ``pixel + offset``.
    table = weights.new_zeros(height, width, len(offsets))
    table[..., position[0, 0]] = 1
    for weight, (dy, dx) in zip(weights, directions):
        if dy >= height or abs(dx) >= width:
            continue
        here = (
            slice(0, height - dy),
            slice(max(0, -dx), min(width, width - dx)),
        )
        there = slice(dy, height), slice(max(0, dx), min(width, width + dx))
        # The link from ``here`` to ``there``, and the same one seen from ``there``.
        table[..., position[dy, dx]][here] = weight[here]
        table[..., position[-dy, -dx]][there] = weight[here]
    table /= table.sum(2, keepdim=True)  # T = S^-1 A
    # From the table to CSR: drop the zeros, turn offsets into columns.
    linked = table != 0
    # One search serves both arrays: indexing with a mask would search each time.
    kept = linked.flatten().nonzero()[:, 0]
    steps = table.new_tensor([y * width + x for y, x in offsets], dtype=torch.int32)
    pixel = torch.arange(size, device=table.device, dtype=torch.int32)
    columns = (pixel[:, None] + steps).flatten().index_select(0, kept)
    values = table.to(dtype).flatten().index_select(0, kept)
    rows = F.pad(linked.flatten(0, 1).sum(1).cumsum(0), (1, 0)).to(torch.int32)
    with warnings.catch_warnings():
        # PyTorch announces once per process that its CSR tensors are new.
        warnings.filterwarnings('ignore', message='Sparse CSR tensor support')
        return torch.sparse_csr_tensor(
            rows, columns, values, (size, size), check_invariants=False
        )


def _matrix_power(matrix: Tensor, columns: Tensor, power: int, links: int) -> Tensor:
    """Return ``matrix^power @ columns`` for (N, C) columns, power at least 1.

    Args:
        matrix: Row-stochastic matrix whose entries are a symmetric matrix's over its
            row sums, which are between 1 and ``links``.
        columns: What it is applied to.
        power: At least 1.
        links: Upper bound of the row sums.

    Returns:
        (N, C) columns.
    """
    # In the norm weighted by the row sums the polynomials are at most 1; this is what
    # the largest entry can be in terms of that norm.
    to_largest = math.sqrt(len(columns) * links)
    tolerance = torch.finfo(columns.dtype).eps / to_largest
    coefficients = chebyshev_coefficients(power, tolerance)
    # Nothing could be left out: plain powers need as many products and no extra maps.
    if len(coefficients) > power:
        for _ in range(power):
            columns = matrix @ columns
        return columns
    # Three-term recurrence C_(k+1) = 2 T C_k - C_(k-1), from C_0 = 1 and C_1 = T.
    previous, current = columns, matrix @ columns
    total = previous * coefficients[0] + current * coefficients[1]
    previous = previous.clone()
    for coefficient in coefficients[2:]:
        torch.addmm(previous, matrix, current, beta=-1, alpha=2, out=previous)
        previous, current = current, previous
        if coefficient:
            total.add_(current, alpha=coefficient)
    return total


@lru_cache(maxsize=32)
def chebyshev_coefficients(power: int, tolerance: float) -> tuple[float, ...]:
    r"""Coefficients of ``x^power`` in Chebyshev polynomials on [-1, 1], without a tail.

    .. math::
        c_0 = 2^{-t} \binom{t}{t / 2}, \quad c_k = 2^{1 - t} \binom{t}{(t - k) / 2}
        \text{ for } k > 0, \quad c_k = 0 \text{ for odd } t - k.

    Args:
        power: At least 1.
        tolerance: Largest sum of what is left out, which bounds the error.

    Returns:
        ``c_0, c_1, ...``: every second one is zero; all ``power + 1`` where none can
        be left out.

    Example:
        >>> chebyshev_coefficients(2, 0.0)  # x^2 = 1/2 + C_2(x) / 2
        (0.5, 0.0, 0.5)
    """
    # Each second binomial from the middle one on, relative to it, by their ratio
    # (t - k) / (t + k + 2), until nothing is left of 192 binary places: about
    # sqrt(266 t) / 2 of them. A float of c_k has 53 places and none below 2^-80 is
    # used, so that they are those of the binomials themselves, rounded once.
    first = power % 2
    weights = [1 << PLACES if first else 1 << (PLACES - 1)]
    term = 1 << PLACES
    for k in range(first, power - 1, 2):
        term = term * (power - k) // (power + k + 2)
        if not term:
            break
        weights.append(term)
    total = sum(weights)
    coefficients = [0.0] * first
    for weight in weights:
        coefficients += [weight / total, 0.0]
    if len(coefficients) > power + 1:
        coefficients.pop()
    tail = 0.0
    while len(coefficients) > 2 and tail + coefficients[-1] <= tolerance:
        tail += coefficients.pop()
    return tuple(coefficients)
