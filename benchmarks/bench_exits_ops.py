"""Time and memory of the tensor algorithms of MAL and EXITS against the usual way.

Every row runs both implementations alternately in one process on the same input,
after a warm-up, and checks that they agree. The ratio is the median of the ratios of
neighbouring runs, so that a load on the machine hits both. Peak memory is the largest
sum of live tensor bytes that a call allocates, inputs not counted.

Example:
    python benchmarks/bench_exits_ops.py --rounds 7
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from mmwsis.ops import mean_field_refine, propagation_scores, sinkhorn_scaling

BATCH, GRID, BETA = 8, 32, 0.25


class Row(NamedTuple):
    """One comparison; ``agree`` gets both results and says how they compare."""

    name: str
    baseline_name: str
    ours: Callable[[], Any]
    baseline: Callable[[], Any]
    agree: Callable[[Any, Any], str]
    wanted: float


def transition_matrix(similarity: Tensor, r: Tensor, c: Tensor) -> Tensor:
    scaled = r[:, :, None] * similarity * c[:, None]
    return (scaled + scaled.transpose(1, 2)) / 2


def matrix_power_scores(similarity, seeds, r, c):
    transition = transition_matrix(similarity, r, c)
    return seeds @ (transition @ transition @ transition)


def inverse_scores(similarity, seeds, r, c):
    transition = transition_matrix(similarity, r, c)
    eye = torch.eye(transition.shape[1], device=transition.device)
    return seeds @ ((1 - BETA) * torch.linalg.inv(eye - BETA * transition))


def full_matrix_sinkhorn(similarity, max_iters=100, tol=1e-3):
    matrix, count = similarity, 0
    while count < max_iters:
        count += 1
        matrix = matrix / matrix.sum(2, keepdim=True).clamp(min=1e-12)
        matrix = matrix / matrix.sum(1, keepdim=True).clamp(min=1e-12)
        if (matrix.sum(2) - 1).abs().max() < tol:
            break
    return matrix, count


def unfold_mean_field(image, prob, target, num_iters=100, zeta=0.1):
    batch, channels, height, width = image.shape

    def windows(maps):
        return F.unfold(maps, 3, padding=1).view(batch, -1, 9, height * width)

    # Shifted colours give the zero padding a weight of zero.
    image = image + 10
    squared = (windows(image) - image.view(batch, channels, 1, -1)).square().sum(1)
    kernel = torch.exp(-squared / (2 * zeta**2))[:, None]
    q = (prob * target).clamp(0.1, 0.9)
    for _ in range(num_iters):
        logs = windows(torch.stack([q.log(), (1 - q).log()], 1))
        energy = (logs * kernel).sum(2).view(batch, 2, height, width).exp()
        f = energy[:, 0] * target
        q = (f / (f + energy[:, 1] + 1e-6)).clamp(0.1, 0.9)
    return q > 0.5, q


def attention_like(device: str) -> Tensor:
    """Row-stochastic similarity that needs about ten Sinkhorn iterations."""
    q, k = torch.randn(2, BATCH, GRID**2, 6)
    return (q @ k.transpose(1, 2)).softmax(2).to(device)


def crop_like(device: str) -> tuple[Tensor, Tensor, Tensor]:
    """A smooth image with noise, a rough mask and a box, 4 x 3 x 128 x 128."""
    coarse = torch.randn(4, 3, 16, 16)
    image = F.interpolate(coarse, size=(128, 128), mode='bicubic')
    image = image + 0.05 * torch.randn(4, 3, 128, 128)
    rough = torch.rand(4, 1, 12, 12)
    prob = F.interpolate(rough, size=(128, 128), mode='bilinear')[:, 0]
    target = torch.zeros(4, 128, 128)
    for index in range(4):
        target[index, 10 + 5 * index : 110, 8 : 120 - 6 * index] = 1
    return image.to(device), prob.to(device), target.to(device)


def largest_error(ours: Tensor, baseline: Tensor) -> str:
    return f'largest difference {(ours - baseline).abs().max().item():.0e}'


def sinkhorn_agreement(similarity, ours, theirs) -> str:
    """Compare after equally many iterations; ours stops each sample on its own."""
    matrix, count = theirs
    r, c = sinkhorn_scaling(similarity, max_iters=count, tol=0)
    error = largest_error(r[:, :, None] * similarity * c[:, None], matrix)
    rows = ours[0] * torch.einsum('bij,bj->bi', similarity, ours[1])
    residual = (rows - 1).abs().max().item()
    return f'{error} after {count} iterations; row sums within {residual:.0e}'


def build_rows(device: str) -> list[Row]:
    torch.manual_seed(0)
    similarity = attention_like(device)
    r, c = sinkhorn_scaling(similarity)
    seeds = torch.rand(BATCH, 2, GRID**2, device=device)
    seeds = seeds / seeds.sum(2, keepdim=True)
    walk = (similarity, seeds, r, c)
    crop = crop_like(device)
    return [
        Row(
            'propagation, N=32, batch 8, 3 hops',
            'matrix powers',
            lambda: propagation_scores(*walk),
            lambda: matrix_power_scores(*walk),
            largest_error,
            20,
        ),
        Row(
            'absorbing chain, N=32, batch 8',
            'dense inverse',
            lambda: propagation_scores(*walk, hops='inf', beta=BETA),
            lambda: inverse_scores(*walk),
            largest_error,
            10,
        ),
        Row(
            'Sinkhorn, N=32, batch 8, tolerance 1e-3',
            'full-matrix normalisation',
            lambda: sinkhorn_scaling(similarity),
            lambda: full_matrix_sinkhorn(similarity),
            lambda ours, theirs: sinkhorn_agreement(similarity, ours, theirs),
            2,
        ),
        Row(
            'mean field, 4x3x128x128, 100 iterations',
            'unfold',
            lambda: mean_field_refine(*crop),
            lambda: unfold_mean_field(*crop),
            lambda ours, other: f'{int((ours[0] != other[0]).sum())} labels differ',
            5,
        ),
    ]


def seconds(function: Callable[[], Any], device: str) -> float:
    """Time one call."""
    if device != 'cpu':
        torch.cuda.synchronize()
    start = time.perf_counter()
    function()
    if device != 'cpu':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_mib(function: Callable[[], Any], device: str) -> float:
    """Return the peak of the bytes that one call allocates, in MiB."""
    if device != 'cpu':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        result = function()
    del result
    live = peak = 0
    for event in run.profiler.kineto_results.events():
        if event.name() == '[memory]':
            live += event.nbytes()
            peak = max(peak, live)
    return peak / 2**20


def measure(row: Row, rounds: int, device: str) -> str:
    """Run one comparison and return its line of the table."""
    agreement = row.agree(row.ours(), row.baseline())
    times = []
    for _ in range(rounds):
        times.append((seconds(row.ours, device), seconds(row.baseline, device)))
    ours, baseline = (1e3 * statistics.median(column) for column in zip(*times))
    ratios = sorted(theirs / own for own, theirs in times)
    memory = [peak_mib(function, device) for function in (row.ours, row.baseline)]
    return (
        f'| {row.name} | {row.baseline_name} | {ours:.1f} | {baseline:.0f} | '
        f'**{statistics.median(ratios):.1f}×** ({ratios[0]:.1f}–{ratios[-1]:.1f}) | '
        f'≥ {row.wanted:g}× | {memory[0]:.1f} | {memory[1]:.1f} | {agreement} |'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=7, help='timed runs of each')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(
        f'torch {torch.__version__}, {args.device}, {args.threads} thread(s), '
        f'{platform.machine()}, {args.rounds} rounds\n'
    )
    print(
        '| step | against | ours, ms | theirs, ms | faster (range) | wanted '
        '| ours, MiB | theirs, MiB | agreement |\n' + '|---' * 9 + '|'
    )
    for row in build_rows(args.device):
        print(measure(row, args.rounds, args.device), flush=True)


if __name__ == '__main__':
    main()
