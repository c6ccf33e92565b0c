"""Doubly stochastic scaling of similarity matrices (Sinkhorn and Knopp, 1967)."""

import torch
from torch import Tensor

from .tensor_checks import (
    as_integer,
    as_number,
    check_shape,
    full_precision,
    to_full_precision,
)

MIN_MARGINAL = 1e-12


class NonFiniteSimilarityError(ValueError):
    """A similarity matrix holds NaN or infinity.

    Attributes:
        batch_indices: Positions of the broken samples in the batch, from which the
            caller can name the annotations.
    """

    def __init__(self, batch_indices: list[int]) -> None:
        self.batch_indices = batch_indices
        super().__init__(
            f'similarity: expected finite values, got NaN or infinity in the '
            f'samples {batch_indices} of the batch. Check the weights of the '
            f'similarity extractor and the input images.'
        )


def sinkhorn_scaling(
    similarity: Tensor, max_iters: int = 100, tol: float = 1e-3
) -> tuple[Tensor, Tensor]:
    r"""Scale square matrices to row and column sums of one.

    The :math:`\mathrm{Sinkhorn}(\cdot)` of Eq. 2 of `EXITS
    <https://arxiv.org/abs/2405.20729>`__ (Sinkhorn and Knopp, `Concerning nonnegative
    matrices and doubly stochastic matrices
    <https://doi.org/10.2140/pjm.1967.21.343>`__, 1967):

    .. math::
        A = \mathrm{diag}(r) \, S \, \mathrm{diag}(c), \quad
        r \leftarrow \frac{1}{S c}, \quad c \leftarrow \frac{1}{S^\top r}.

    One iteration divides the rows, then the columns, by their sums (never by less
    than 1e-12). A sample stops after the iteration that leaves
    ``max|row sum - 1| < tol``, or after ``max_iters``; what other samples of the
    batch need does not change it. Only the two scaling vectors are kept, which
    costs two matrix-vector products per iteration and never writes a matrix. An
    all-zero row or column stays zero.

    Args:
        similarity: (B, n, n) non-negative matrices ``S``, e.g. head-mean attention.
        max_iters: Largest number of iterations, at least 1. Defaults to 100.
        tol: Tolerance on the row sums. Defaults to 1e-3.

    Returns:
        ``(r, c)``, each (B, n): ``diag(r) S diag(c)`` is the scaled matrix. float64
        for float64 input, else float32, under autocast too.

    Raises:
        NonFiniteSimilarityError: ``S`` holds NaN or infinity.
        ValueError: Wrong shape or settings.

    Example:
        >>> similarity = torch.tensor([[[2.0, 1.0], [1.0, 2.0]]])
        >>> r, c = sinkhorn_scaling(similarity)
        >>> r[:, :, None] * similarity * c[:, None]
        tensor([[[0.6667, 0.3333],
                 [0.3333, 0.6667]]])
    """
    check_shape('similarity', similarity, ('B', 'n', 'n'))
    max_iters = as_integer('max_iters', max_iters, 1)
    tol = as_number('tol', tol, '[0, inf)')
    with torch.no_grad(), full_precision(similarity):
        similarity = to_full_precision(similarity)
        if not similarity.numel():
            ones = similarity.new_ones(similarity.shape[:2])
            return ones, ones.clone()
        return _scale(similarity, max_iters, tol)


def _scale(similarity: Tensor, max_iters: int, tol: float) -> tuple[Tensor, Tensor]:
    """Run the iteration on the whole batch, freezing each sample as it converges."""
    transposed = similarity.transpose(1, 2)
    rows = similarity.sum(2)  # S c with c = 1, (B, n)
    _check_finite(rows)
    r, c = torch.ones_like(rows), torch.ones_like(rows)
    running = torch.ones_like(rows[:, :1], dtype=torch.bool)
    # Asking a CUDA device whether all samples are done makes the host wait for it.
    # Frozen samples keep their values, so asking less often changes no result.
    check_every = 1 if similarity.device.type == 'cpu' else 8
    for iteration in range(1, max_iters + 1):
        # Rows first, by S c, then columns, by S^T r.
        r = torch.where(running, _rescale(r, rows), r)
        c = torch.where(running, _rescale(c, _multiply(r, similarity)), c)
        if iteration == max_iters:
            break
        # S c serves the test of the row sums and the next iteration.
        rows = _multiply(c, transposed)
        running = running & ((r * rows - 1).abs().amax(1, keepdim=True) >= tol)
        if iteration % check_every == 0 and not bool(running.any()):
            break
    return r, c


def _multiply(vector: Tensor, matrix: Tensor) -> Tensor:
    """Multiply (B, n) row vectors by (B, n, n) matrices."""
    # Always as row vectors. On the CPU bmm with a column vector is ten times slower or,
    # given as a transposed row, rounds differently in a batch of one: then a sample's
    # result would depend on the batch.
    return torch.bmm(vector.unsqueeze(1), matrix).squeeze(1)


def _rescale(scale: Tensor, product: Tensor) -> Tensor:
    """Divide ``scale`` by the marginal ``scale * product``, at least 1e-12."""
    # Below the smallest normal number the marginal counts as zero and the scale is
    # kept: dividing on would overflow to infinity, and infinity times zero is NaN.
    tiny = torch.finfo(product.dtype).tiny
    divided = scale / (scale * product).clamp(min=MIN_MARGINAL)
    return torch.where(product >= tiny, divided, scale)


def _check_finite(row_sums: Tensor) -> None:
    """Refuse non-finite samples; a row sum is non-finite if one entry is."""
    broken = ~row_sums.isfinite().all(1)
    if bool(broken.any()):
        raise NonFiniteSimilarityError(broken.nonzero().flatten().tolist())
