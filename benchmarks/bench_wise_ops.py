"""Time and memory of WISE's steps, and of the usual way to write them.

The other side computes on full images, one object after the other. Every row runs both
sides alternately in one process on the same input, after a warm-up, and checks that
they agree, as ``bench_irnet_ops.py`` does.

Examples:
    python benchmarks/bench_wise_ops.py --rounds 5
    python benchmarks/bench_wise_ops.py --rounds 5 --only localization
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import plain_wise as plain
import torch
from bench_instance_ops import smooth_maps
from bench_irnet_ops import Row, measure
from side_by_side import announce, argument_parser, table_header
from torch import Tensor

from mmwsis.models.losses import lcfcn_loss

NAMES = ('localization',)
VOC = (375, 500)
CLASSES, BLOBS = 20, 80


class Localization(NamedTuple):
    """An image's output of the localization network, and its annotation.

    Attributes:
        logits: (C + 1, H, W)
        points: (N, 2)
        labels: (N,)
    """

    logits: Tensor
    points: Tensor
    labels: Tensor


def localization(size: tuple[int, int], objects: int, classes: int) -> Localization:
    """80 ellipses in 8 rows of 10, four of each of 20 classes.

    Of the first ``classes`` classes, ``objects`` points lie on random pixels.
    """
    height, width = size
    rows, columns = torch.meshgrid(*map(torch.arange, size), indexing='ij')
    cells = 10 * (8 * rows // height) + 10 * columns // width
    across, down = (10 * columns / width) % 1 - 0.5, (8 * rows / height) % 1 - 0.5
    inside = across.square() + down.square() < 0.16
    channels = torch.where(inside, cells % CLASSES + 1, 0)
    logits = 4 * smooth_maps(CLASSES + 1, size, 12)
    logits.scatter_add_(0, channels[None], torch.full((1, *size), 5.0))
    pixels = ((channels > 0) & (channels <= classes)).nonzero()
    chosen = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    points = pixels[chosen[:objects]].flip(1)
    labels = channels[points[:, 1], points[:, 0]] - 1
    return Localization(logits.requires_grad_(), points, labels)


def localization_row(
    size: tuple[int, int], objects: int, classes: int, name: str, mean: Callable
) -> Row:
    scene = localization(size, objects, classes)

    def step(loss: Callable[..., dict[str, Tensor]]) -> tuple[Tensor, ...]:
        terms = loss(*scene)
        gradient = torch.autograd.grad(sum(terms.values()), scene.logits)
        return torch.stack([*terms.values()]).detach(), *gradient

    def agree(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> str:
        losses = (ours[0] / theirs[0].clamp(min=1e-6) - 1).abs().max()
        gradients = (ours[1] - theirs[1]).abs().max()
        return f'terms within {losses:.0e}, relative, gradients {gradients:.0e}'

    return Row(
        f'LCFCN loss and gradient, {objects} points of {classes} classes, {CLASSES} '
        f'classes, {BLOBS} blobs, {size[0]}x{size[1]}',
        name,
        lambda: step(lcfcn_loss),
        lambda: step(partial(plain.lcfcn_loss, mean=mean)),
        agree,
        '≥ 3×',
    )


def build_rows(name: str, shrink: int = 1) -> list[Row]:
    """The comparisons of a name; ``shrink`` divides the sides of all maps."""
    voc = VOC[0] // shrink, VOC[1] // shrink
    build = dict(
        localization=lambda: [
            localization_row(voc, objects, classes, name, mean)
            for name, mean in (
                ('nll_loss of the image for each blob', plain.mean_by_nll),
                ('a mask of the image for each blob', plain.mean_by_mask),
            )
            for objects, classes in ((10, 3), (80, CLASSES))
        ],
    )
    return build[name]()


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument(
        '--only', nargs='+', metavar='ROW', choices=NAMES, help=', '.join(NAMES)
    )
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    print(
        table_header(
            *('step', 'against', 'ours, ms', 'ours, wall ms', 'theirs, ms'),
            *('faster (range)', 'wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    for name in args.only or NAMES:
        for row in build_rows(name):
            print(measure(row, args.rounds, 'cpu'), flush=True)


if __name__ == '__main__':
    main()
