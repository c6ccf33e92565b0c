"""Fully-connected CRF with Gaussian kernels, by mean field.

Krähenbühl and Koltun, `Efficient Inference in Fully Connected CRFs with Gaussian Edge
Potentials <https://arxiv.org/abs/1210.5644>`__, NeurIPS 2011. All pairs of pixels are
joined; equal labels are rewarded by a kernel of position and one of position and colour
(Potts model).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .crf_kernels import (
    BACKENDS,
    NORMALIZATIONS,
    Kernel,
    kernel_filter,
    resolve_kernels,
)
from .crf_unaries import unary_from_labels
from .tensor_checks import (
    as_integer,
    check_choice,
    check_finite,
    check_integers,
    check_shape,
    check_tensor,
    check_within,
    full_precision,
)

# A kernel's filter of (pixels, values) rows, and its weight.
Term = tuple[Callable[[Tensor], Tensor], float | Tensor]


class DenseCRF:
    r"""The pairwise terms of images, built once and used for any number of unaries.

    The energy of `Krähenbühl and Koltun <https://arxiv.org/abs/1210.5644>`__ (Eq. 1 to
    3) with Potts compatibility,

    .. math::
        E(x) = \sum_i U_i(x_i) + \sum_{i < j} [x_i \ne x_j]
               \sum_m w_m k_m(f_i, f_j),

    whose marginals Q are found by mean field (Eq. 4, Algorithm 1), all pixels at once:

    .. math::
        Q_i \leftarrow \mathrm{softmax}\Big(-U_i + \sum_m w_m (F_m Q)_i\Big), \quad
        (F_m Q)_i = \sum_j k_m(f_i, f_j) \, Q_j.

    As in the usual library the pixel itself counts in :math:`F_m`, and the filter is
    normalised.

    Args:
        image: (H, W, 3) or (B, H, W, 3) RGB of 0 to 255, uint8 or float.
        kernels: Kernels, or a name in ``CRF_PRESETS``.
        normalization: What the filter F of a kernel is divided by, with ``n = F(1)``:
            'symmetric' ``n_i^-1/2 F n_j^-1/2``, 'after' ``n_i^-1 F``, 'none' ``F``.
            Defaults to 'symmetric'.
        backend: 'lattice', linear in the pixels, or 'exact', quadratic. They are two
            models: some labels differ. Defaults to 'lattice'.
        dtype: torch.float32 or torch.float64. Defaults to torch.float32.

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
        kernels = resolve_kernels(kernels)
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f'dtype: expected torch.float32 or torch.float64, got {dtype}.'
            )
        check_tensor('image', image)
        self._batched = image.dim() == 4
        shape = ('B', 'H', 'W', 3) if self._batched else ('H', 'W', 3)
        check_shape('image', image, shape)
        check_finite('image', image)
        images = image if self._batched else image.unsqueeze(0)
        self._size = tuple(images.shape)[:3]
        self._device = image.device
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
                    for kernel in kernels
                ]
                for group in images.split(self._together)
            ]

    def marginals(
        self, unary: Tensor, num_iters: int = 10, recompute: bool = False
    ) -> Tensor:
        """Run mean field from ``Q = softmax(-U)``.

        Differentiable in ``unary`` and in the kernels' weights.

        Args:
            unary: Finite energies, (n, H, W) or (B, n, H, W), n at least 1. For an
                image without batch dimension the B unaries share that image. Converted
                to the CRF's type.
            num_iters: Parallel updates, at least 0. Defaults to 10.
            recompute: For gradients keep the probabilities after every update alone,
                and compute the rest again: less memory, more time. Defaults to False.

        Returns:
            Probabilities of the same shape, summing to 1 over the n labels.

        Raises:
            ValueError: A shape that does not fit the image, another device, energies
                that are not finite, or no number of updates.
        """
        q = self._mean_field(unary, num_iters, recompute).permute(0, 2, 3, 1)
        return q.reshape(unary.shape)

    def labels(self, unary: Tensor, num_iters: int = 10) -> Tensor:
        """Return the most probable label of each pixel, the lowest of equal ones.

        Args:
            unary: As for :meth:`marginals`.
            num_iters: Parallel updates, at least 0. Defaults to 10.

        Returns:
            (H, W) or (B, H, W) int64.
        """
        with torch.no_grad():
            best = self._mean_field(unary, num_iters).argmax(3).transpose(1, 2)
        return best.reshape(*unary.shape[:-3], *unary.shape[-2:])

    def _mean_field(
        self, unary: Tensor, num_iters: int, recompute: bool = False
    ) -> Tensor:
        """Return (images, pixels, unaries per image, n) probabilities."""
        num_iters = as_integer('num_iters', num_iters, 0)
        images, height, width = self._size
        check_tensor('unary', unary)
        expected: tuple[int | str, ...] = ('n', height, width)
        if self._batched:
            expected = (images, *expected)
        elif unary.dim() == 4:
            expected = ('B', *expected)
        check_shape('unary', unary, expected)
        if unary.device != self._device:
            raise ValueError(
                f'unary: expected on the device of the image, {self._device}, got '
                f'{unary.device}.'
            )
        if not unary.shape[-3]:
            raise ValueError(
                f'unary: expected at least one label, got {tuple(unary.shape)}.'
            )
        check_finite(
            'unary', unary, 'Of probabilities make them by unary_from_probabilities.'
        )
        labels, pixels = unary.shape[-3], height * width
        sharing = unary.shape[0] if unary.dim() == 4 and not self._batched else 1
        with full_precision(unary):
            energy = unary.to(self._dtype).reshape(images, sharing, labels, pixels)
            groups = zip(energy.split(self._together), self._terms, strict=True)
            found = [
                _iterate(group, terms, num_iters, recompute) for group, terms in groups
            ]
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

    The formula and the paper are :class:`DenseCRF`'s. Differentiable in ``unary`` and
    in the kernels' weights, not in the image. For several calls on one image build
    :class:`DenseCRF` once.

    Args:
        unary: Energies (negative log probabilities), (n, H, W) or (B, n, H, W).
        image: RGB of 0 to 255, uint8 or float: (H, W, 3), which all unaries then
            share, or (B, H, W, 3).
        kernels: Kernels, or a name in ``CRF_PRESETS``.
        num_iters: Mean-field updates, at least 0. Defaults to 10.
        normalization: 'symmetric', 'after' or 'none', see :class:`DenseCRF`. Defaults
            to 'symmetric'.
        backend: 'lattice' or 'exact', see :class:`DenseCRF`. Defaults to 'lattice'.

    Returns:
        Marginals of the shape of ``unary``; float64 if it is, else float32, under
        autocast too.

    Raises:
        ValueError: Wrong shapes, an unknown name, or an image too large for 'exact'.

    Example:
        >>> image = torch.zeros(8, 12, 3, dtype=torch.uint8)
        >>> image[:, 6:] = 200
        >>> unary = torch.zeros(2, 8, 12)
        >>> unary[1, 2:4, 1:3] = 2.0  # a few pixels are known: label 0 on the left,
        >>> unary[0, 4:6, 9:11] = 2.0  # label 1 on the right
        >>> dense_crf(unary, image, 'irnet').argmax(0)[0]
        tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    """
    check_tensor('unary', unary)
    check_tensor('image', image)
    dtype = torch.float64 if unary.dtype == torch.float64 else torch.float32
    image = image.to(unary.device)
    crf = DenseCRF(image, kernels, normalization, backend, dtype)
    return crf.marginals(unary, num_iters)


def crf_refine_labels(
    image: Tensor,
    labels: Tensor,
    num_labels: int,
    preset: str | Sequence[Kernel] = 'irnet',
    num_iters: int = 10,
    gt_prob: float = 0.7,
    backend: str = 'lattice',
) -> Tensor:
    """Refine a label map by the dense CRF, for example the argmax of CAMs.

    The energies are those of :func:`unary_from_labels`, the CRF is :class:`DenseCRF`.
    Several label maps of one image cost less in one call: they share its lattice.

    Args:
        image: RGB of 0 to 255: (H, W, 3), which all label maps then share, or
            (B, H, W, 3).
        labels: (H, W) or (B, H, W) integers in [0, num_labels).
        num_labels: Number of labels n, background included, at least 1. With one
            label there is nothing to decide, and ``labels`` comes back.
        preset: A name in ``CRF_PRESETS``, or kernels. Defaults to 'irnet'.
        num_iters: Mean-field updates, at least 0. Defaults to 10.
        gt_prob: Probability that a given label is right, in (0, 1). Defaults to 0.7.
        backend: 'lattice' or 'exact', see :class:`DenseCRF`. Defaults to 'lattice'.

    Returns:
        Refined labels, of the shape and type of ``labels``.

    Raises:
        TypeError: Labels that are no integers.
        ValueError: Wrong shapes or settings, labels out of range or an unknown name.

    Example:
        >>> image = torch.zeros(6, 10, 3, dtype=torch.uint8)
        >>> image[:, 5:] = 200
        >>> labels = torch.zeros(6, 10, dtype=torch.int64)
        >>> labels[:, 4:] = 1  # one column too far to the left
        >>> crf_refine_labels(image, labels, num_labels=2)[0]
        tensor([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    """
    num_labels = as_integer('num_labels', num_labels, 1)
    num_iters = as_integer('num_iters', num_iters, 0)
    check_tensor('labels', labels)
    size = ('B', 'H', 'W') if labels.dim() == 3 else ('H', 'W')
    check_shape('labels', labels, size)
    check_integers('labels', labels)
    largest = 1 if labels.dtype == torch.bool else torch.iinfo(labels.dtype).max
    if num_labels - 1 > largest:
        raise ValueError(
            f'labels: {num_labels} labels do not fit the type {labels.dtype}; use '
            'torch.int64.'
        )
    check_tensor('image', image)
    batch = labels.shape[:1] if image.dim() == 4 else ()
    check_shape('image', image, (*batch, *labels.shape[-2:], 3))
    if num_labels == 1:
        check_within('labels', labels, 0, 0)
        return labels.clone()
    unary = unary_from_labels(labels, num_labels, gt_prob)
    crf = DenseCRF(image.to(labels.device), preset, backend=backend)
    return crf.labels(unary, num_iters).to(labels.dtype)


def _iterate(
    energy: Tensor, terms: Sequence[Term], num_iters: int, recompute: bool
) -> Tensor:
    """Mean field of images that are filtered together.

    Args:
        energy: (images, unaries per image, n, pixels).
        terms: Filter and weight of each kernel.
        num_iters: Parallel updates.
        recompute: Whether backward repeats the updates.

    Returns:
        Probabilities (images, pixels, unaries per image, n).
    """
    # Labels last, (images, pixels, unaries, n): the filters move whole rows.
    energy = -energy.permute(0, 3, 1, 2).contiguous()
    shape = energy.shape

    def update(q: Tensor) -> Tensor:
        # One row per pixel of all images: (images * pixels, unaries * n).
        rows = q.reshape(shape[0] * shape[1], -1)
        logits = energy.view(rows.shape)
        for linear, weight in terms:
            logits = _add_message(logits, linear(rows), weight)
        return _softmax(logits.view(shape))

    q = _softmax(energy)
    recompute = recompute and torch.is_grad_enabled()
    for _ in range(num_iters if q.numel() else 0):
        q = checkpoint(update, q, use_reentrant=False) if recompute else update(q)
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
