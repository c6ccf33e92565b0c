"""Gaussian kernels of the dense CRF, presets by name, and their filters."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from .exact_gaussian import ExactGaussian
from .linear_filter import LinearFilter, RepeatedFilter
from .permutohedral import PermutohedralLattice
from .tensor_checks import as_number, check_choice, check_tensor, divide

NORMALIZATIONS = ('symmetric', 'after', 'none')
BACKENDS = ('lattice', 'exact')
NORM_EPS = 1e-20


@dataclass(frozen=True)
class GaussianKernel:
    r"""Smoothness: a Gaussian of position.

    The second term of Eq. 3 of `Krähenbühl and Koltun
    <https://arxiv.org/abs/1210.5644>`__:

    .. math::
        w \exp\Big(-\frac{|p_i - p_j|^2}{2 s_{xy}^2}\Big).

    Attributes:
        sxy: Width in pixels, above 0.
        weight: Reward of equal labels; a scalar tensor may carry gradients.

    Raises:
        ValueError: A width that is not above 0, a weight that is no finite number.

    Example:
        >>> GaussianKernel(sxy=3, weight=3)
        GaussianKernel(sxy=3, weight=3)
    """

    sxy: float
    weight: float | Tensor

    def __post_init__(self) -> None:
        _check_kernel(self, 'sxy')


@dataclass(frozen=True)
class BilateralKernel:
    r"""Appearance: a Gaussian of position and colour.

    The first term of Eq. 3 of `Krähenbühl and Koltun
    <https://arxiv.org/abs/1210.5644>`__:

    .. math::
        w \exp\Big(-\frac{|p_i - p_j|^2}{2 s_{xy}^2}
                   -\frac{|I_i - I_j|^2}{2 s_{rgb}^2}\Big).

    Attributes:
        sxy: Width in pixels, above 0.
        srgb: Width in the image's units of colour (0 to 255), above 0.
        weight: Reward of equal labels; a scalar tensor may carry gradients.

    Raises:
        ValueError: A width that is not above 0, a weight that is no finite number.

    Example:
        >>> BilateralKernel(sxy=50, srgb=5, weight=10)
        BilateralKernel(sxy=50, srgb=5, weight=10)
    """

    sxy: float
    srgb: float
    weight: float | Tensor

    def __post_init__(self) -> None:
        _check_kernel(self, 'sxy', 'srgb')


Kernel = GaussianKernel | BilateralKernel


def _check_kernel(kernel: Kernel, *widths: str) -> None:
    for name in widths:
        _set_number(kernel, name, '(0, inf)')
    weight = kernel.weight
    if not isinstance(weight, Tensor):
        _set_number(kernel, 'weight', '(-inf, inf)')
        return
    # The value may be on a GPU and change in training: NaN shows in the result.
    check_tensor('weight', weight)
    if weight.numel() != 1:
        raise ValueError(f'weight: expected one number, got {tuple(weight.shape)}.')


def _set_number(kernel: Kernel, name: str, interval: str) -> None:
    """Check a number; those of NumPy and tensors, which no cache takes, become ours."""
    value = getattr(kernel, name)
    number = as_number(name, value, interval)
    if not isinstance(value, (int, float)):
        object.__setattr__(kernel, name, number)


#: Kernels by name: IRNet (CVPR 2019, released code), DeepLab v2 (arXiv 1606.00915,
#: released VOC setting) and the instance sub-network of Li, Arnab and Torr (ECCV 2018).
CRF_PRESETS: Mapping[str, tuple[Kernel, ...]] = MappingProxyType(
    {
        'irnet': (GaussianKernel(3, 3), BilateralKernel(50, 5, 10)),
        'deeplab_v2': (GaussianKernel(1, 3), BilateralKernel(67, 3, 4)),
        'weak_panoptic': (GaussianKernel(3, 3), BilateralKernel(60, 10, 5)),
    }
)


def resolve_kernels(kernels: str | Sequence[Kernel]) -> Sequence[Kernel]:
    """Return the kernels of a preset's name, or the kernels given.

    Raises:
        TypeError: Neither a name nor a list of kernels.
        ValueError: An unknown name.
    """
    if not isinstance(kernels, str):
        if not isinstance(kernels, Sequence) or not all(
            isinstance(kernel, Kernel) for kernel in kernels
        ):
            raise TypeError(
                f'kernels: expected a name of {tuple(CRF_PRESETS)} or a list of '
                f'GaussianKernel and BilateralKernel, got {kernels!r}.'
            )
        return kernels
    check_choice('kernels', kernels, tuple(CRF_PRESETS))
    return CRF_PRESETS[kernels]


def kernel_filter(
    kernel: Kernel,
    image: Tensor,
    normalization: str,
    backend: str,
    dtype: torch.dtype,
) -> LinearFilter:
    """Build the normalised filter of a kernel, without its weight.

    Args:
        kernel: The kernel.
        image: (B, H, W, 3) RGB.
        normalization: One of ``NORMALIZATIONS``.
        backend: One of ``BACKENDS``.
        dtype: Type of the values.

    Returns:
        Filter of (B * H * W, C) values.
    """
    images, height, width, _ = image.shape
    # Positions alone are the same for all images of a size: one filter serves them all.
    if isinstance(kernel, GaussianKernel):
        build = position_lattice if backend == 'lattice' else _position_filter
        linear = build(
            height, width, kernel.sxy, normalization, backend, dtype, image.device
        )
        return RepeatedFilter(linear, images) if images > 1 else linear
    # Features (B, H * W, 5): x, y and the three colours, in units of the widths.
    positions = _positions(height, width, kernel.sxy, image.device)
    colours = divide(image.double().flatten(1, 2), kernel.srgb)
    features = torch.cat([positions.expand(images, -1, -1), colours], 2)
    return _filter(features, normalization, backend, dtype)


def _position_filter(
    height: int,
    width: int,
    sxy: float,
    normalization: str,
    backend: str,
    dtype: torch.dtype,
    device: torch.device,
) -> LinearFilter:
    """Return the filter of positions, which is the same for all images."""
    # A lattice that is kept must be of use outside inference mode, too.
    with torch.inference_mode(False), torch.no_grad():
        positions = _positions(height, width, sxy, device).unsqueeze(0)
        return _filter(positions, normalization, backend, dtype)


# The lattices of positions of the last eight image sizes, used by every image.
position_lattice = functools.lru_cache(maxsize=8)(_position_filter)


def _positions(height: int, width: int, sxy: float, device: torch.device) -> Tensor:
    """Return (H * W, 2) ``(x, y)`` in units of ``sxy``."""
    x = torch.arange(width, dtype=torch.float64, device=device)
    y = torch.arange(height, dtype=torch.float64, device=device)
    y, x = torch.meshgrid(divide(y, sxy), divide(x, sxy), indexing='ij')
    return torch.stack([x, y], 2).flatten(0, 1)


def _filter(
    features: Tensor, normalization: str, backend: str, dtype: torch.dtype
) -> LinearFilter:
    """Build a filter of (B, N, d) features, divided as ``normalization`` says."""
    build = PermutohedralLattice if backend == 'lattice' else ExactGaussian
    linear = build(features, dtype)
    if normalization == 'none':
        return linear
    # n = F(1), the mass that each pixel sees, (B * H * W,).
    ones = torch.ones(len(features) * features.shape[1], 1, dtype=dtype)
    mass = linear(ones.to(features.device)).squeeze(1) + NORM_EPS
    if normalization == 'after':
        return linear.scaled(None, mass.reciprocal())
    root = mass.rsqrt()
    return linear.scaled(root, root)
