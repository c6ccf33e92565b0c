"""Every tensor algorithm of the package on the same input, for two devices.

Two lists: :func:`parity_cases`, the algorithms at the size of training, and
:func:`table_cases`, one tiny call of everything public, from the table on which the
tests try the contract of operations. A new operation fails those tests until it is in
the table, and so it is here, too.
"""

import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from bench_bestie_ops import network_maps
from bench_exits_ops import attention_like, crop_like
from bench_irnet_ops import scene
from side_by_side import synchronize
from torch import Tensor
from torch.utils._pytree import (
    TreeSpec,
    tree_flatten,
    tree_map_only,
    tree_unflatten,
)

from mmwsis.models.losses import (
    MeanFieldCRFLoss,
    ProjectionMILLoss,
    dice_loss,
    inter_pixel_relation_loss,
)
from mmwsis.ops import (
    affinity_walk,
    cluster_centers,
    connected_components,
    dense_crf,
    draw_centers,
    find_peaks,
    group_pixels,
    mean_field_refine,
    path_affinity,
    propagation_scores,
    refine_centroids,
    refined_targets,
    retrieve_points,
    scored_instances,
    sinkhorn_scaling,
    synthesize_instances,
)

sys.path.append(str(Path(__file__).parents[1] / 'tests/ops'))
from all_cases import CASES


class Case(NamedTuple):
    """A function of tensors; the first ``graded`` arguments get gradients."""

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    graded: int = 0
    tolerance: float = 1e-4


def table_cases() -> tuple[list[Case], list[str]]:
    """One tiny call of everything public, and what of it takes no tensors.

    The first are made of tensors, floating-point ones first and with gradients; the
    others take settings, NumPy arrays or run-length codes and know no device.
    """
    cases, others = [], []
    for title, row in CASES.items():
        leaves, structure = tree_flatten(row.call())
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        if not places:
            others.append(title)
            continue
        places.sort(key=lambda i: not leaves[i].is_floating_point())
        values = tuple(leaves[i] for i in places)
        graded = sum(value.is_floating_point() for value in values)
        call = functools.partial(_call, row.op, leaves, structure, places)
        cases.append(Case(title, call, values, graded))
    return cases, others


def _call(
    function: Callable[..., Any],
    leaves: list[Any],
    structure: TreeSpec,
    places: list[int],
    *values: Tensor,
) -> Any:
    filled = dict(enumerate(leaves)) | dict(zip(places, values, strict=True))
    return function(**tree_unflatten(filled.values(), structure))


@functools.cache
def parity_cases(tiny: bool) -> list[Case]:
    """Every tensor algorithm, at the size of training unless ``tiny``."""
    torch.manual_seed(0)
    grid, side, height, width = (8, 32, 24, 32) if tiny else (32, 128, 94, 125)
    similarity = attention_like(2, grid, 'cpu')
    r, c = sinkhorn_scaling(similarity, 100, 1e-6)
    seeds = torch.rand(2, 2, grid**2)
    seeds = seeds / seeds.sum(2, keepdim=True)
    inside = torch.zeros(2, grid, grid, dtype=torch.bool)
    inside[:, 1:-1, 1:-1] = True
    first = torch.zeros_like(inside)
    first[:, grid // 2, 2:4] = True
    crop = crop_like(side, 'cpu')
    maps = scene(height, width, 6, 3, 0)
    # Smooth, as photographs are: on white noise float32 and float64 differ by 1e-2.
    coarse = torch.rand(1, 3, height // 4, width // 4)
    image = F.interpolate(coarse, (2 * height, 2 * width), mode='bicubic')
    image = (image[0].permute(1, 2, 0).clamp(0, 1) * 255).round()
    unary = -torch.rand(4, 2 * height, 2 * width).log_softmax(0)
    labels = torch.from_numpy(maps.objects)[None]
    logit, field = maps.edge.logit()[None], maps.displacement[None]

    def relation_loss(edge: Tensor, displacement: Tensor, target: Tensor) -> Tensor:
        losses = inter_pixel_relation_loss(edge, displacement, target, 5, 20)
        return sum(losses.values())

    def retrieved(*arguments: Tensor) -> Tensor:
        found = retrieve_points(*arguments, sinkhorn_iters=500, sinkhorn_tol=1e-6)
        return torch.stack([found.score_fg, found.score_bg])

    def walk_values(*arguments: Tensor) -> Tensor:
        return propagation_scores(*arguments)

    def crf_marginals(energies: Tensor, pixels: Tensor) -> Tensor:
        return dense_crf(energies, pixels, 'irnet', 10)

    probability = crop[1].clamp(0.01, 0.99)
    walk = similarity, seeds, r, c
    synthesis = maps.cams, torch.arange(3), maps.edge, field[0]
    size = tuple(4 * extent for extent in (height, width))
    objects = connected_components(labels[0])
    centres = objects.centroids.round().long()
    crops = network_maps((64, 64) if tiny else (416, 416), 2)[:5]
    heat = image[..., 0][None] + torch.rand(3, *image.shape[:2])

    def peaks(maps: Tensor) -> tuple[Tensor, ...]:
        return find_peaks(maps, 15, merge_plateaus=True, min_distance=16)

    return [
        Case('Sinkhorn', lambda s: sinkhorn_scaling(s, 100, 1e-6), (similarity,)),
        Case('propagation', walk_values, walk),
        Case('absorbing chain', lambda *w: propagation_scores(*w, hops='inf'), walk),
        Case('point retrieval, scores', retrieved, (similarity, first, inside)),
        Case('mean field', mean_field_refine, crop),
        Case('path affinity', lambda e: path_affinity(e, 5), (maps.edge[None],)),
        Case('affinity walk', affinity_walk, (maps.cams, maps.edge)),
        Case('centroids', refine_centroids, (maps.displacement,)),
        Case('connected components', connected_components, (labels[0],)),
        Case('peaks', peaks, (heat,)),
        Case(
            'centre maps',
            lambda *a: draw_centers(*a, 99, (height, width)),
            (centres, objects.classes),
        ),
        Case('grouping', group_pixels, (field[0], centres)),
        Case('clustered centres', cluster_centers, (field[0],)),
        Case('refined targets', refined_targets, crops),
        Case(
            'instances with scores',
            lambda logits, *maps: scored_instances(logits.softmax(0), *maps),
            tuple(one[0] for one in crops[1:4]),
        ),
        Case(
            'synthesis, masks',
            lambda *a: synthesize_instances(*a, size).masks,
            synthesis,
        ),
        # Ten updates amplify rounding: float32 and float64 differ by 7e-3 on one CPU.
        Case('dense CRF', crf_marginals, (unary, image), 1, 2e-2),
        Case('dense CRF, float64', crf_marginals, (unary.double(), image), 1, 1e-6),
        Case('dice loss', dice_loss, (probability, crop[2]), 1),
        Case('projection MIL loss', ProjectionMILLoss(), (probability, crop[2]), 1),
        Case(
            'mean-field CRF loss',
            lambda p, image, box: MeanFieldCRFLoss()(image, p, p.detach(), box),
            (probability, crop[0], crop[2]),
            1,
        ),
        Case('inter-pixel relation loss', relation_loss, (logit, field, labels), 2),
    ]


def tensors(value: Any) -> list[Tensor]:
    """All tensors, arrays and numbers of a result, flat, as tensors."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        return [torch.as_tensor(value)]
    if isinstance(value, dict):
        value = value.values()
    if not hasattr(value, '__iter__') or isinstance(value, (str, bytes)):
        return []
    return [tensor for one in value for tensor in tensors(one)]


def weights(values: list[Tensor]) -> list[Tensor]:
    """Numbers in [0, 1) of the shape of each tensor, the same on every device."""
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(v.shape, generator=generator).to(v.device) for v in values]


class Run(NamedTuple):
    """Results and gradients, brought to the CPU, of a call on a device.

    Attributes:
        values: All of them, flat.
        seconds: Wall-clock seconds of a warm call.
        repeats: Whether the call before gave the same to the bit; None on the CPU,
            where there is none.
    """

    values: list[Tensor]
    seconds: float
    repeats: bool | None


def run_case(case: Case, device: str) -> Run:
    """Call a case, twice but on the CPU, whose calls are long."""
    arguments = tree_map_only(Tensor, lambda x: x.detach().to(device), case.arguments)
    graded = [value.requires_grad_() for value in arguments[: case.graded]]

    def call() -> list[Tensor]:
        found = tensors(case.function(*arguments))
        ends = [value for value in found if value.requires_grad]
        if ends:
            # Weighted: the plain sum of CRF marginals has no gradient.
            total = sum((value * w).sum() for value, w in zip(ends, weights(ends)))
            slopes = torch.autograd.grad(total, graded, allow_unused=True)
            found += [slope for slope in slopes if slope is not None]
        return found

    before = call() if device != 'cpu' else None
    synchronize(device)
    start = time.perf_counter()
    results = call()
    synchronize(device)
    spent = time.perf_counter() - start
    repeats = before and all(map(torch.equal, before, results))
    return Run([value.detach().cpu() for value in results], spent, repeats)


def difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value; of integers the share.

    Infinite if one of them holds an infinite number or NaN.
    """
    if found.shape != expected.shape:
        raise AssertionError(f'shapes {found.shape} and {expected.shape}')
    if not expected.numel():
        return 0.0
    if not expected.is_floating_point():
        return float((found != expected).double().mean())
    if not (found.isfinite().all() and expected.isfinite().all()):
        return float('inf')
    scale = expected.abs().max().clamp(min=1e-12)
    return float((found.double() - expected.double()).abs().max() / scale)
