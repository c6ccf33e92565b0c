"""Fully-connected CRF with Gaussian kernels, by mean field.

Krähenbühl and Koltun, *Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials*, NeurIPS 2011. All pairs of pixels are joined; equal labels are rewarded by
a kernel of position and one of position and colour (Potts model).
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .crf_kernels import (
    BACKENDS,
    NORMALIZATIONS,
    Kernel,
    check_choice,
    kernel_filter,
    resolve_kernels,
)
from .tensor_checks import check_shape, full_precision, to_full_precision

# A kernel's filter of (pixels, values) rows, and its weight.
Term = tuple[Callable[[Tensor], Tensor], float | Tensor]


class DenseCRF:
    """The pairwise terms of images, built once and used for any number of unaries.

    Args:
        image: (H, W, 3) or (B, H, W, 3) RGB of 0 to 255, uint8 or float.
        kernels: Kernels, or a name in ``CRF_PRESETS``.
        normalization: What the filter F of a kernel is divided by, with ``n = F(1)``:
            'symmetric' ``n_i^-1/2 F n_j^-1/2``, 'after' ``n_i^-1 F``, 'none' ``F``.
        backend: 'lattice', linear in the pixels, or 'exact', quadratic. They are two
            models: some labels differ.
        dtype: torch.float32 or torch.float64.

    Raises:
        ValueError: Wrong shape, an unknown name, colours that are not finite, or an
            image too large for 'exact'.

    Example:
        >>> image = torch.randint(256, (60, 80, 3), dtype=torch.uint8)
        >>> crf = DenseCRF(image, 'irnet')
        >>> crf.marginals(torch.rand(4, 60, 80)).shape
        torch.Size([4, 60, 80])
    """

    def __init__(
        self,
        image: Tensor,
        kernels: str | Sequence[Kernel],
        normalization: str = 'symmetric',
        backend: str = 'lattice',
        dtype: torch.dtype = torch.float32,
    ) -> None:
        check_choice('normalization', normalization, NORMALIZATIONS)
        check_choice('backend', backend, BACKENDS)
        self._batched = image.dim() == 4
        shape = ('B', 'H', 'W', 3) if self._batched else ('H', 'W', 3)
        check_shape('image', image, shape)
        if image.is_floating_point() and not image.isfinite().all():
            raise ValueError('image: expected finite colours, got NaN or Inf.')
        images = image if self._batched else image.unsqueeze(0)
        self._size = tuple(images.shape)[:3]
        self._dtype = dtype
        # On a CPU one after the other: the rows of several do not fit its caches.
        self._together = 1 if image.device.type == 'cpu' else max(1, len(images))
        with torch.no_grad(), full_precision(image):
            self._terms = [
                [
                    (
                        kernel_filter(kernel, group, normalization, backend, dtype),
                        kernel.weight,
                    )
                    for kernel in resolve_kernels(kernels)
                ]
                for group in images.split(self._together)
            ]

    def marginals(self, unary: Tensor, num_iters: int = 10) -> Tensor:
        """Run mean field, ``Q <- softmax(-U + sum_m w_m F_m(Q))`` from ``softmax(-U)``.

        Differentiable in ``unary`` and in the kernels' weights.

        Args:
            unary: Energies, (n, H, W) or (B, n, H, W). For an image without batch
                dimension the B unaries share that image. Converted to the CRF's type.
            num_iters: Parallel updates, at least 0.

        Returns:
            Probabilities of the same shape, summing to 1 over the n labels.

        Raises:
            ValueError: A shape that does not fit the image.
        """
        q = self._mean_field(unary, num_iters).permute(0, 2, 3, 1)
        return q.reshape(unary.shape)

    def labels(self, unary: Tensor, num_iters: int = 10) -> Tensor:
        """Return the most probable label of each pixel, the lowest of equal ones.

        Args:
            unary: As for :meth:`marginals`.
            num_iters: Parallel updates, at least 0.

        Returns:
            (H, W) or (B, H, W) int64.
        """
        with torch.no_grad():
            best = self._mean_field(unary, num_iters).argmax(3).transpose(1, 2)
        return best.reshape(*unary.shape[:-3], *unary.shape[-2:])

    def _mean_field(self, unary: Tensor, num_iters: int) -> Tensor:
        """Return (images, pixels, unaries an image, n) probabilities."""
        images, height, width = self._size
        expected: tuple[int | str, ...] = ('n', height, width)
        if self._batched:
            expected = (images, *expected)
        elif unary.dim() == 4:
            expected = ('B', *expected)
        check_shape('unary', unary, expected)
        if num_iters < 0:
            raise ValueError(f'num_iters: expected at least 0, got {num_iters}.')
        labels, pixels = unary.shape[-3], height * width
        sharing = unary.shape[0] if unary.dim() == 4 and not self._batched else 1
        with full_precision(unary):
            energy = unary.to(self._dtype).reshape(images, sharing, labels, pixels)
            groups = zip(energy.split(self._together), self._terms, strict=True)
            found = [_iterate(group, terms, num_iters) for group, terms in groups]
        return torch.cat(found) if len(found) > 1 else found[0]


def dense_crf(
    unary: Tensor,
    image: Tensor,
    kernels: str | Sequence[Kernel],
    num_iters: int = 10,
    normalization: str = 'symmetric',
    backend: str = 'lattice',
) -> Tensor:
    """Refine label energies by a fully-connected CRF on the image.

    Differentiable in ``unary`` and in the kernels' weights, not in the image. For
    several calls on one image build :class:`DenseCRF` once.

    Args:
        unary: Energies (negative log probabilities), (n, H, W) or (B, n, H, W).
        image: RGB of 0 to 255, uint8 or float: (H, W, 3), which all unaries then
            share, or (B, H, W, 3).
        kernels: Kernels, or a name in ``CRF_PRESETS``.
        num_iters: Mean-field updates, at least 0.
        normalization: 'symmetric', 'after' or 'none', see :class:`DenseCRF`.
        backend: 'lattice' or 'exact', see :class:`DenseCRF`.

    Returns:
        Marginals of the shape of ``unary``; float64 if it is, else float32, under
        autocast too.

    Raises:
        ValueError: Wrong shapes, an unknown name, or an image too large for 'exact'.
    """
    dtype = torch.float64 if unary.dtype == torch.float64 else torch.float32
    image = image.to(unary.device)
    crf = DenseCRF(image, kernels, normalization, backend, dtype)
    return crf.marginals(unary, num_iters)


def unary_from_labels(
    labels: Tensor,
    num_labels: int,
    gt_prob: float = 0.7,
    ignore_index: int | None = None,
) -> Tensor:
    """Make energies of a label map that is right with a given probability.

    ``-ln(gt_prob)`` for the given label, ``-ln((1 - gt_prob) / (n - 1))`` for others.

    Args:
        labels: (..., H, W) integers in [0, num_labels).
        num_labels: n, at least 2.
        gt_prob: Probability of the given label, in (0, 1).
        ignore_index: Value of pixels without a label, outside [0, num_labels); all
            their energies are ``ln(n)``.

    Returns:
        (..., n, H, W) float32.

    Raises:
        ValueError: Fewer than two labels, a label or probability out of range.
    """
    if num_labels < 2:
        raise ValueError(
            f'num_labels: expected at least 2, got {num_labels}; a single label '
            'needs no CRF.'
        )
    if not 0 < gt_prob < 1:
        raise ValueError(f'gt_prob: expected in (0, 1), got {gt_prob}.')
    labels = labels.long()
    unsure = None if ignore_index is None else labels == ignore_index
    if unsure is not None:
        labels = labels.masked_fill(unsure, 0)
    _check_labels(labels, num_labels)
    shape = (*labels.shape[:-2], num_labels, *labels.shape[-2:])
    other = -math.log((1 - gt_prob) / (num_labels - 1))
    energy = torch.full(shape, other, device=labels.device)
    energy.scatter_(-3, labels.unsqueeze(-3), -math.log(gt_prob))
    if unsure is not None:
        energy.masked_fill_(unsure.unsqueeze(-3), math.log(num_labels))
    return energy


def unary_from_probabilities(prob: Tensor, floor: float = 1e-5) -> Tensor:
    """Make energies ``-ln(max(prob, floor))`` of probabilities.

    Args:
        prob: Probabilities in [0, 1] of any shape.
        floor: Smallest probability, above 0.

    Returns:
        Energies of the same shape; float64 if ``prob`` is, else float32.

    Raises:
        ValueError: A floor that is not above 0.
    """
    if not 0 < floor < 1:
        raise ValueError(f'floor: expected in (0, 1), got {floor}.')
    with full_precision(prob):
        return -to_full_precision(prob).clamp(min=floor).log()


def crf_refine_labels(
    image: Tensor,
    labels: Tensor,
    num_labels: int,
    preset: str | Sequence[Kernel] = 'irnet',
    num_iters: int = 10,
    gt_prob: float = 0.7,
    backend: str = 'lattice',
) -> Tensor:
    """Refine a label map by the dense CRF, e.g. the argmax of class maps.

    Several label maps of one image cost less in one call: they share its lattice.

    Args:
        image: RGB of 0 to 255: (H, W, 3), which all label maps then share, or
            (B, H, W, 3).
        labels: (H, W) or (B, H, W) integers in [0, num_labels).
        num_labels: Number of labels n, background included, at least 1. With one
            label there is nothing to decide, and ``labels`` comes back.
        preset: A name in ``CRF_PRESETS``, or kernels.
        num_iters: Mean-field updates.
        gt_prob: Probability that a given label is right, in (0, 1).
        backend: 'lattice' or 'exact', see :class:`DenseCRF`.

    Returns:
        Refined labels, of the shape and type of ``labels``.

    Raises:
        ValueError: Wrong shapes, labels out of range or an unknown name.
    """
    size = ('B', 'H', 'W') if labels.dim() == 3 else ('H', 'W')
    check_shape('labels', labels, size)
    batch = labels.shape[:1] if image.dim() == 4 else ()
    check_shape('image', image, (*batch, *labels.shape[-2:], 3))
    if num_labels == 1:
        _check_labels(labels, 1)
        return labels.clone()
    unary = unary_from_labels(labels, num_labels, gt_prob)
    crf = DenseCRF(image.to(labels.device), preset, backend=backend)
    return crf.labels(unary, num_iters).to(labels.dtype)


def _iterate(energy: Tensor, terms: Sequence[Term], num_iters: int) -> Tensor:
    """Mean field of images that are filtered together.

    Args:
        energy: (images, unaries an image, n, pixels).
        terms: Filter and weight of each kernel.
        num_iters: Parallel updates.

    Returns:
        Probabilities (images, pixels, unaries an image, n).
    """
    # Labels last: the filters move whole rows.
    energy = -energy.permute(0, 3, 1, 2).contiguous()
    shape = energy.shape
    q = _softmax(energy)
    for _ in range(num_iters if q.numel() else 0):
        rows = q.reshape(shape[0] * shape[1], -1)
        logits = energy.view(rows.shape)
        for linear, weight in terms:
            logits = _add_message(logits, linear(rows), weight)
        q = _softmax(logits.view(shape))
    return q


def _softmax(logits: Tensor) -> Tensor:
    """Softmax over the last dimension."""
    # PyTorch's CPU kernel for the last dimension leaves short rows unvectorised and
    # takes up to five times as long as the one for the first dimension.
    if logits.device.type == 'cpu' and logits.shape[-1] < 16:
        rows = logits.flatten(0, -2)
        return rows.t().softmax(0).t().contiguous().view(logits.shape)
    return logits.softmax(-1)


def _add_message(logits: Tensor, message: Tensor, weight: float | Tensor) -> Tensor:
    """Return ``logits + weight * message``; the message's memory is reused."""
    if isinstance(weight, Tensor):
        weight = weight.to(message)
        return logits + weight * message
    if torch.is_grad_enabled() and (message.requires_grad or logits.requires_grad):
        return torch.add(logits, message, alpha=weight)
    return torch.add(logits, message, alpha=weight, out=message)


def _check_labels(labels: Tensor, num_labels: int) -> None:
    if labels.numel() == 0:
        return
    low, high = (int(value) for value in labels.aminmax())
    if low < 0 or high >= num_labels:
        raise ValueError(
            f'labels: expected integers in [0, {num_labels}), got {low} to {high}.'
        )
