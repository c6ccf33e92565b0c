"""Time and memory of IRNet's tensor algorithms against the usual way.

Every row runs both implementations alternately in one process on the same input,
after a warm-up, and checks that they agree. The ratio is the median of the ratios of
neighbouring runs, so that a load on the machine hits both. Times are processor seconds
of all threads, memory how far a call raises the resident memory of the process; on a
GPU wall-clock seconds and allocated tensors.

Examples:
    python benchmarks/bench_irnet_ops.py --rounds 5
    python benchmarks/bench_irnet_ops.py --rounds 5 --threads 2 --only walk_voc
    python benchmarks/bench_irnet_ops.py --device cuda --only losses
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import plain_irnet as plain
import torch
import torch.nn.functional as F
from side_by_side import (
    alternate,
    announce,
    argument_parser,
    mib,
    peak_resident_mib,
    peak_tensor_mib,
    table_header,
    table_row,
)
from torch import Tensor

from mmwsis.models.losses import inter_pixel_relation_loss
from mmwsis.ops import affinity_walk, refine_centroids, synthesize_instances

VOC_SIZE = (375, 500)


class Row(NamedTuple):
    """One comparison; ``agree`` gets both results and says how they compare."""

    name: str
    baseline_name: str
    ours: Callable[[], Any]
    baseline: Callable[[], Any]
    agree: Callable[[Any, Any], str]
    wanted: str


class Scene(NamedTuple):
    """Maps at stride 4 as a trained network gives them, and the objects behind."""

    edge: Tensor
    displacement: Tensor
    cams: Tensor
    objects: np.ndarray


def scene(height: int, width: int, num_objects: int, classes: int, seed: int) -> Scene:
    """Ellipses with boundaries, displacements towards their centres, and CAMs."""
    rng = np.random.default_rng(seed)
    grid = np.stack(np.mgrid[:height, :width], -1).astype(np.float64)
    objects = np.zeros((height, width), dtype=np.int64)
    centres = [np.zeros(2)]
    for number in range(1, num_objects + 1):
        centre = rng.uniform([0.2, 0.2], [0.8, 0.8]) * [height, width]
        axes = rng.uniform(0.12, 0.25, 2) * min(height, width)
        objects[np.square((grid - centre) / axes).sum(-1) < 1] = number
        centres.append(centre)
    edge = np.zeros((height, width), dtype=bool)
    edge[1:] |= objects[1:] != objects[:-1]
    edge[:, 1:] |= objects[:, 1:] != objects[:, :-1]
    noise = torch.from_numpy(rng.normal(size=(4, height, width))).float()
    noise = F.avg_pool2d(noise[None], 3, 1, 1)[0]
    logit = 6 * torch.from_numpy(edge).float() - 3 + 2 * noise[0]
    # Displacements fall short of the centre, as those of a trained network do.
    towards = 0.6 * (np.array(centres)[objects] - grid) * (objects > 0)[..., None]
    displacement = torch.from_numpy(towards).permute(2, 0, 1).float() + noise[1:3]
    cams = []
    for index in range(classes):
        own = [n for n in range(1, num_objects + 1) if n % classes == index]
        inside = torch.from_numpy(np.isin(objects, own)).float()
        cams.append((inside * 0.6 + 0.15 * noise[3] + 0.05).clamp(min=0))
    return Scene(logit.sigmoid()[None], displacement, torch.stack(cams), objects)


def walk_row(size: tuple[int, int], channels: int, dense: bool) -> Row:
    maps = scene(*size, 6, channels, 0)
    x = maps.cams
    name = f'random walk, 256 steps, {size[0]}x{size[1]}, {channels} channels'

    def agree(ours: Tensor, theirs: Tensor) -> str:
        exact = affinity_walk(x.double(), maps.edge)
        errors = [(one - exact).abs().max().item() for one in (ours, theirs)]
        return 'error against float64: ours {:.0e}, theirs {:.0e}'.format(*errors)

    walk = plain.dense_walk if dense else plain.sparse_walk
    return Row(
        name,
        'eight dense squarings' if dense else "256 products of SciPy's sparse matrix",
        lambda: affinity_walk(x, maps.edge),
        lambda: walk(x, maps.edge),
        agree,
        '≥ 20×' if dense else '≤ 1 s',
    )


def losses_row(device: str, batch: int = 4, size: int = 128, radius: int = 10) -> Row:
    maps = [scene(size, size, 6, 1, seed) for seed in range(batch)]
    edge = torch.stack([one.edge for one in maps]).to(device).logit()
    field = torch.stack([one.displacement for one in maps]).to(device)
    labels = torch.from_numpy(np.stack([one.objects for one in maps])).to(device)
    # A belt around the objects is ignored, as in the labels from CAMs.
    labels[edge[:, 0] > 0.5] = 255
    inputs = edge.requires_grad_(), field.requires_grad_()

    def step(loss: Callable) -> tuple[Tensor, ...]:
        total = loss(*inputs, labels, radius, 20)
        total = sum(total.values()) if isinstance(total, dict) else total
        return total.detach(), *torch.autograd.grad(total, inputs)

    def agree(ours, theirs) -> str:
        loss = abs(ours[0] / theirs[0] - 1).item()
        gradients = zip(ours[1:], theirs[1:])
        error = max((abs(a - b).max() / b.abs().max()).item() for a, b in gradients)
        return f'loss within {loss:.0e}, gradients {error:.0e}, relative'

    return Row(
        f'affinity and losses with gradients, radius {radius}, {batch}x{size}x{size}',
        'one gather per pixel of a path',
        lambda: step(inter_pixel_relation_loss),
        lambda: step(plain.loop_loss),
        agree,
        '≥ 3×',
    )


def centroids_row() -> Row:
    displacement = scene(94, 125, 6, 1, 0).displacement
    return Row(
        'centroids, 300 updates, 94x125',
        'map_coordinates, all updates',
        lambda: refine_centroids(displacement),
        lambda: plain.scipy_centroids(displacement),
        lambda ours, theirs: f'{(ours.numpy() != theirs).sum()} coordinates differ',
        '≥ 3×',
    )


def synthesis_row(classes: int = 3) -> Row:
    maps = scene(94, 125, 6, classes, 0)
    arguments = (maps.cams, torch.arange(classes), maps.edge, maps.displacement)

    def agree(ours, theirs) -> str:
        scores, masks, labels = theirs
        if len(scores) != len(ours.scores):
            return f'{len(ours.scores)} and {len(scores)} instances'
        pixels = (ours.masks.numpy() != masks).sum()
        error = np.abs(ours.scores.numpy() - scores).max()
        wrong = (ours.labels.numpy() != labels).sum()
        return (
            f'{len(scores)} instances, {pixels} pixels and {wrong} classes differ, '
            f'scores within {error:.0e}'
        )

    return Row(
        f'whole synthesis, 375x500, {classes} classes',
        'sum of the plain steps (walk with SciPy)',
        lambda: synthesize_instances(*arguments, VOC_SIZE),
        lambda: plain.plain_synthesis(*arguments, VOC_SIZE),
        agree,
        '≥ 5×',
    )


def build_rows(device: str) -> dict[str, list[Row]]:
    torch.manual_seed(0)
    return {
        'walk': [walk_row((48, 48), 20, True)],
        'walk_voc': [walk_row((94, 125), channels, False) for channels in (6, 20)],
        'losses': [losses_row(device)],
        'centroids': [centroids_row()],
        'synthesis': [synthesis_row()],
    }


def measure(row: Row, rounds: int, device: str) -> str:
    """Run one comparison and return its line of the table."""
    agreement = row.agree(row.ours(), row.baseline())
    ratio = alternate(row.ours, row.baseline, rounds, device)
    start = time.perf_counter()
    row.ours()
    wall = time.perf_counter() - start
    if device == 'cpu':
        peaks = [peak_resident_mib(side) for side in (row.ours, row.baseline)]
    else:
        peaks = [peak_tensor_mib(side, device) for side in (row.ours, row.baseline)]
    return table_row(
        row.name,
        row.baseline_name,
        f'{1e3 * ratio.first:.1f}',
        f'{1e3 * wall:.0f}',
        f'{1e3 * ratio.second:.0f}',
        str(ratio),
        row.wanted,
        *map(mib, peaks),
        agreement,
    )


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument(
        '--device', default='cpu', help='cpu or cuda; cuda for the losses only'
    )
    parser.add_argument(
        '--only',
        nargs='+',
        metavar='ROW',
        help='walk, walk_voc, losses, centroids, synthesis',
    )
    args = parser.parse_args()
    announce(args.device, args.threads, args.rounds)
    print(
        table_header(
            *('step', 'against', 'ours, ms', 'ours, wall ms', 'theirs, ms'),
            *('faster (range)', 'wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    for name, rows in build_rows(args.device).items():
        if args.only is None or name in args.only:
            for row in rows:
                print(measure(row, args.rounds, args.device), flush=True)


if __name__ == '__main__':
    main()
