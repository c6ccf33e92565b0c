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

import numpy as np
import plain_wise as plain
import torch
import torch.nn.functional as F
from bench_instance_ops import smooth_maps
from bench_irnet_ops import Row, measure
from bench_proposals import draw_proposals
from pycocotools import mask as coco_mask
from side_by_side import announce, argument_parser, table_header
from torch import Tensor

from mmwsis.models.detectors.wise_masks import embedded_masks
from mmwsis.models.losses import lcfcn_loss, pixel_embedding_loss
from mmwsis.ops import (
    Peaks,
    ScoredInstances,
    class_blobs,
    draw_pixel_groups,
    enlarged_at,
)
from mmwsis.structures import Proposals

NAMES = ('localization', 'embedding', 'objects')
CITYSCAPES = (1024, 2048)
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


def embedding_row(size: tuple[int, int], objects: int) -> Row:
    """Loss and gradient of a map of stride 8."""
    rng = np.random.default_rng(0)
    points = (rng.random((objects, 2)) * size[::-1]).astype(int)
    groups = draw_pixel_groups(points, Proposals([], [], size), rng)
    anchors, pixels, same = map(torch.from_numpy, groups[:3])
    maps = 3 * smooth_maps(64, tuple(-(-side // 8) for side in size), 6)
    maps.requires_grad_()

    def sampled() -> Tensor:
        own, others = (enlarged_at(maps, one, size) for one in (anchors, pixels))
        return pixel_embedding_loss(own, others, same)

    def step(loss: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
        value = loss()
        return value.detach(), *torch.autograd.grad(value, maps)

    def agree(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> str:
        errors = [(a - b).abs().max() / b.abs().max() for a, b in zip(ours, theirs)]
        return f'loss within {errors[0]:.0e}, relative, gradient {errors[1]:.0e}'

    return Row(
        f'embedding loss and gradient, {objects} objects, {size[0]}x{size[1]}',
        'the map of 64 channels at full size',
        lambda: step(sampled),
        lambda: step(lambda: plain.embedding_loss(maps, size, anchors, pixels, same)),
        agree,
        '≤ 1/20 of the memory',
    )


class Outputs(NamedTuple):
    """An image's outputs of both networks, and its proposals.

    Attributes:
        logits: (C + 1, H, W)
        embeddings: (64, h, w)
        proposals: N
    """

    logits: Tensor
    embeddings: Tensor
    proposals: Proposals


def outputs(size: tuple[int, int], count: int) -> Outputs:
    """Ten ellipses in two rows of five, each of its own class and embedding."""
    height, width = size
    rows, columns = torch.meshgrid(*map(torch.arange, size), indexing='ij')
    cells = 5 * (2 * rows // height) + 5 * columns // width
    across, down = (5 * columns / width) % 1 - 0.5, (2 * rows / height) % 1 - 0.5
    squared = across.square() + down.square()
    objects = torch.where(squared < 0.16, cells + 1, 0)
    logits = smooth_maps(CLASSES + 1, size, 12)
    # Highest in the middle of each.
    logits.scatter_add_(0, objects[None], 8 - 20 * squared[None].clamp(max=0.16))
    masks = F.one_hot(objects).permute(2, 0, 1)
    small = tuple(-(-side // 8) for side in size)
    embeddings = 2 * smooth_maps(64, small, 6)
    embeddings[: len(masks)] += 6 * F.interpolate(masks[None].float(), small)[0]
    return Outputs(
        logits, embeddings, object_proposals(masks[1:].bool().numpy(), count)
    )


def object_proposals(masks: np.ndarray, count: int) -> Proposals:
    """K masks, 29 of each moved a little, and unlikely ones of all sizes.

    The first two are candidates of a point, their score is above 0.5.
    """
    rng = np.random.default_rng(0)
    size = masks.shape[1:]
    likely = list(masks)
    for mask in masks:
        for part in rng.uniform(-0.03, 0.03, (29, 2)):
            likely.append(np.roll(mask, (part * size).astype(int), (0, 1)))
    stack = np.asfortranarray(np.stack(likely, axis=2), np.uint8)
    unlikely = draw_proposals(count - len(likely), size)
    scores = np.linspace(0.95, 0.55, len(likely)), unlikely.scores / 2
    rles = [*coco_mask.encode(stack), *unlikely.rles]
    return Proposals.ranked(rles, np.concatenate(scores), size)


def objects_row(size: tuple[int, int], count: int) -> Row:
    scene = outputs(size, count)
    min_score = 0.5

    def ours() -> ScoredInstances:
        blobs = class_blobs(scene.logits.softmax(0))
        return embedded_masks(
            scene.embeddings,
            Peaks(blobs.labels, blobs.points, blobs.scores),
            Proposals(scene.proposals.rles, scene.proposals.scores, size),
            cand_min_score=min_score,
            background_min_score=None,
            single_point=False,
            kmeans_stride=1,
            restrict_to_point=True,
            score='dice',
        ).instances

    def agree(
        ours: ScoredInstances, theirs: list[tuple[int, float, np.ndarray]]
    ) -> str:
        least = min(
            (label == name)
            * (mask.numpy() & other).sum()
            / (mask.numpy() | other).sum()
            for label, mask, (name, _, other) in zip(ours.labels, ours.masks, theirs)
        )
        return f'{len(ours.labels)} objects, IoU {least:.3f} or more'

    return Row(
        f'after the network, 10 objects, {count} proposals, {size[0]}x{size[1]}',
        'decoded proposals, the map of 64 channels at full size',
        ours,
        lambda: plain.masks_of(*scene, min_score),
        agree,
        '≤ 1 s',
    )


def build_rows(name: str, shrink: int = 1) -> list[Row]:
    """The comparisons of a name; ``shrink`` divides the sides of all maps."""
    voc, large = (tuple(side // shrink for side in size) for size in (VOC, CITYSCAPES))
    build = dict(
        localization=lambda: [
            localization_row(voc, objects, classes, name, mean)
            for name, mean in (
                ('nll_loss of the image for each blob', plain.mean_by_nll),
                ('a mask of the image for each blob', plain.mean_by_mask),
            )
            for objects, classes in ((10, 3), (80, CLASSES))
        ],
        embedding=lambda: [embedding_row(large, 20)],
        objects=lambda: [objects_row(voc, 1000 if shrink == 1 else 320)],
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
