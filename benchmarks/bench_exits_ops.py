"""Time and memory of the tensor algorithms of MAL and EXITS against the usual way.

Every row runs both implementations alternately in one process on the same input,
after a warm-up, and checks that they agree. The ratio is the median of the ratios of
neighbouring runs, so that a load on the machine hits both. Peak memory is the largest
sum of live tensor bytes that a call allocates, inputs not counted.

Examples:
    python benchmarks/bench_exits_ops.py --rounds 7
    python benchmarks/bench_exits_ops.py --device cuda --rounds 50
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from side_by_side import (
    alternate,
    announce,
    argument_parser,
    mib,
    peak_tensor_mib,
    table_header,
    table_row,
)
from torch import Tensor

from mmwsis.ops import mean_field_refine, propagation_scores, sinkhorn_scaling

BETA = 0.25


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


def attention_like(batch: int, grid: int, device: str) -> Tensor:
    """Row-stochastic similarity that needs about ten Sinkhorn iterations."""
    q, k = torch.randn(2, batch, grid**2, 6)
    return (q @ k.transpose(1, 2)).softmax(2).to(device)


def crop_like(side: int, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """A smooth image with noise, a rough mask and a box, 4 x 3 x side x side."""
    coarse = torch.randn(4, 3, side // 8, side // 8)
    image = F.interpolate(coarse, size=(side, side), mode='bicubic')
    image = image + 0.05 * torch.randn(4, 3, side, side)
    rough = torch.rand(4, 1, 12, 12)
    prob = F.interpolate(rough, size=(side, side), mode='bilinear')[:, 0]
    target = torch.zeros(4, side, side)
    for index in range(4):
        rows = slice(side * (10 + 5 * index) // 128, side * 110 // 128)
        columns = slice(side // 16, side * (120 - 6 * index) // 128)
        target[index, rows, columns] = 1
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


def build_rows(
    device: str, batch: int = 8, grid: int = 32, crop_side: int = 128
) -> list[Row]:
    torch.manual_seed(0)
    similarity = attention_like(batch, grid, device)
    r, c = sinkhorn_scaling(similarity)
    seeds = torch.rand(batch, 2, grid**2, device=device)
    seeds = seeds / seeds.sum(2, keepdim=True)
    walk = (similarity, seeds, r, c)
    crop = crop_like(crop_side, device)
    size = f'N={grid}, batch {batch}'
    return [
        Row(
            f'propagation, {size}, 3 hops',
            'matrix powers',
            lambda: propagation_scores(*walk),
            lambda: matrix_power_scores(*walk),
            largest_error,
            20,
        ),
        Row(
            f'absorbing chain, {size}',
            'dense inverse',
            lambda: propagation_scores(*walk, hops='inf', beta=BETA),
            lambda: inverse_scores(*walk),
            largest_error,
            10,
        ),
        Row(
            f'Sinkhorn, {size}, tolerance 1e-3',
            'full-matrix normalisation',
            lambda: sinkhorn_scaling(similarity),
            lambda: full_matrix_sinkhorn(similarity),
            lambda ours, theirs: sinkhorn_agreement(similarity, ours, theirs),
            2,
        ),
        Row(
            f'mean field, 4x3x{crop_side}x{crop_side}, 100 iterations',
            'unfold',
            lambda: mean_field_refine(*crop),
            lambda: unfold_mean_field(*crop),
            lambda ours, other: f'{int((ours[0] != other[0]).sum())} labels differ',
            5,
        ),
    ]


def measure(row: Row, rounds: int, device: str) -> str:
    """Run one comparison and return its line of the table."""
    agreement = row.agree(row.ours(), row.baseline())
    ratio = alternate(row.ours, row.baseline, rounds, device)
    return table_row(
        row.name,
        row.baseline_name,
        f'{1e3 * ratio.first:.1f}',
        f'{1e3 * ratio.second:.0f}',
        str(ratio),
        f'≥ {row.wanted:g}×',
        mib(peak_tensor_mib(row.ours, device)),
        mib(peak_tensor_mib(row.baseline, device)),
        agreement,
    )


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    args = parser.parse_args()
    announce(args.device, args.threads, args.rounds)
    print(
        table_header(
            *('step', 'against', 'ours, ms', 'theirs, ms', 'faster (range)'),
            *('wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    for row in build_rows(args.device):
        print(measure(row, args.rounds, args.device), flush=True)


if __name__ == '__main__':
    main()
