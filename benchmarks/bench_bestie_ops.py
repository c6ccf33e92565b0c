"""Time and memory of BESTIE's refined labels, inference and cues, and the usual way's.

The other side is that of the paper's listing: component after component and instance
after instance, each by masks, max pooling and distances of the full image. Maps are
made up, of the size of a training crop and of a VOC image, with 14 ellipses of 5
classes. Every row runs both sides alternately in one process on the same input, after a
warm-up, and checks that they agree, as ``bench_irnet_ops.py`` does.

Examples:
    python benchmarks/bench_bestie_ops.py --rounds 5
    python benchmarks/bench_bestie_ops.py --rounds 5 --only inference
"""

from typing import NamedTuple

import numpy as np
import plain_bestie as plain
import torch
import torch.nn.functional as F
from bench_instance_ops import objects, smooth_maps
from bench_irnet_ops import Row, measure
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from side_by_side import announce, argument_parser, table_header
from torch import Tensor

from mmwsis.models.detectors import BESTIE
from mmwsis.models.detectors.dense_maps import DenseMaps
from mmwsis.ops import (
    average_flipped,
    draw_centers,
    find_peaks,
    keep_tagged,
    point_targets,
    refined_targets,
)

NAMES = ('refinement', 'points', 'inference', 'peaks')
CROP, VOC = (416, 416), (375, 500)
CLASSES = 20


class Maps(NamedTuple):
    """Outputs of a network for B images as they are after some training.

    Attributes:
        semantic_map: (B, H, W) int64.
        seg_logits: (B, C + 1, H, W)
        centers: (B, C, H, W)
        offsets: (B, 2, H, W)
        tags: (B, C) bool.
        points: B tensors (N, 2), the centroids of the components.
        labels: B tensors (N,)
    """

    semantic_map: Tensor
    seg_logits: Tensor
    centers: Tensor
    offsets: Tensor
    tags: Tensor
    points: list[Tensor]
    labels: list[Tensor]


def network_maps(size: tuple[int, int], batch: int) -> Maps:
    """Ellipses with a blurred centre in each, and offsets that miss it by a pixel."""
    offsets, found = objects(size)
    generator = torch.Generator().manual_seed(0)
    labels, points = found.classes - 1, found.centroids.long()
    semantic_map = F.pad(found.classes, (1, 0))[found.labels.long()]
    logits = 2 * torch.randn(CLASSES + 1, *size, generator=generator)
    logits.scatter_add_(0, semantic_map[None], torch.full((1, *size), 8.0))
    centers = 0.8 * draw_centers(points, labels, CLASSES, size)
    centers += 0.1 * smooth_maps(CLASSES, size, 12)
    offsets = offsets + torch.randn(2, *size, generator=generator)
    tags = torch.zeros(CLASSES, dtype=torch.bool).index_fill_(0, labels, True)
    return Maps(
        *(
            entry[None].repeat(batch, *[1] * entry.ndim)
            for entry in (semantic_map, logits, centers, offsets, tags)
        ),
        [points] * batch,
        [labels] * batch,
    )


def largest_difference(ours: tuple[Tensor, ...], theirs: tuple[Tensor, ...]) -> str:
    pairs = list(zip(ours, theirs, strict=True))
    error = max((one - other).abs().max().item() for one, other in pairs)
    labelled = (theirs[-1] > 0).sum()
    return f'{labelled} pixels labelled, largest difference {error:.0e}'


def refinement_row(size: tuple[int, int], batch: int, wanted: str) -> Row:
    maps = network_maps(size, batch)
    call = maps[:5]
    crops = 'a crop' if batch == 1 else f'a batch of {batch} crops'
    return Row(
        f'refined labels of {crops}, {size[0]}x{size[1]}',
        'each instance on the full image',
        lambda: refined_targets(*call),
        lambda: plain.refined_targets(*call, plain.Settings()),
        largest_difference,
        wanted,
    )


def points_row(size: tuple[int, int]) -> Row:
    maps = network_maps(size, 1)
    call = maps.semantic_map, maps.offsets, maps.points, maps.labels, maps.tags
    return Row(
        f'refined offsets of a crop with points, {size[0]}x{size[1]}',
        'each point on the full image',
        lambda: point_targets(*call),
        lambda: plain.point_targets(*call),
        largest_difference,
        '–',
    )


def network(num_classes: int, flip: bool) -> BESTIE:
    """A network of which nothing runs but what comes after its heads."""
    head = dict(type='mmwsis.PixelHead', in_channels=4, feat_channels=4)
    backbone = dict(
        **dict(type='mmdet.ResNet', depth=18, num_stages=1, out_indices=(0,)),
        **dict(base_channels=4, strides=(1,), dilations=(1,)),
    )
    model = BESTIE(
        num_classes,
        backbone,
        *(head, head, head),
        loss_seg=dict(type='mmwsis.HardPixelCrossEntropy'),
        loss_center=dict(type='mmwsis.CenterLoss'),
        loss_offset=dict(type='mmwsis.OffsetLoss'),
        test_cfg=dict(flip=flip),
    )
    return model.eval()


def inference_row(size: tuple[int, int], flip: bool, tagged: bool = False) -> Row:
    """From the outputs of stride 4 of one image, and of its mirror image.

    Ours is all that the detector does after its heads, boxes and scores of the
    predictions included; of training images, whose tags are known, in the form of
    pseudo labels.
    """
    resized = tuple(-(-side // 32) * 32 for side in size)
    maps = network_maps(size, 1)
    heads = DenseMaps(
        *(
            F.interpolate(one, [side // 4 for side in resized], mode='bilinear')
            for one in maps[1:4]
        )
    )
    if flip:
        heads = DenseMaps(*(torch.cat([one, one.flip(-1)]) for one in heads))
    model, image = network(CLASSES, flip), torch.zeros(3, *resized)
    model.head_maps = lambda images: heads
    model.artifact = 'instances' if tagged else None
    tags = maps.tags[0]

    def detector() -> InstanceData:
        sample = DetDataSample(
            metainfo=dict(img_id=1, img_shape=resized, ori_shape=size)
        )
        sample.gt_tags = tags.float()
        with torch.no_grad():
            model.predict_image(image, sample)
        return sample.pred_instances

    def full_size() -> tuple[Tensor, Tensor, Tensor]:
        # Means of linear maps are the same before they are enlarged as after it.
        logits, centers, offsets = heads
        centers = average_flipped(centers)[None] if flip else centers
        probabilities, centers, steps = (
            F.interpolate(one, size, mode='bilinear')
            for one in (logits, centers, offsets[:1])
        )
        probabilities = probabilities.softmax(1)
        merged = average_flipped(probabilities) if flip else probabilities[0]
        if tagged:
            merged = keep_tagged(merged, tags)
        return merged, centers[0], steps[0]

    def one_by_one() -> list[tuple[int, float, Tensor]]:
        return plain.scored_instances(
            *full_size(), plain.Settings(threshold=0.1, keep_centerless=True)
        )

    def agree(ours: InstanceData, theirs: list) -> str:
        pairs = [
            float(score) - other
            for label, score, mask in zip(ours.labels, ours.scores, ours.masks)
            for name, other, own in theirs
            if label == name and torch.equal(mask, own)
        ]
        error = np.abs(pairs).max(initial=0)
        return f'{len(pairs)} of {len(theirs)} equal, scores differ by {error:.0e}'

    mirror = ' and its mirror image' if flip else ''
    what = 'pseudo labels' if tagged else 'instances'
    return Row(
        f'{what} of an image{mirror} from stride 4, {size[0]}x{size[1]}',
        'each instance on the full image',
        detector,
        one_by_one,
        agree,
        '≤ 100 ms',
    )


def peaks_row(size: tuple[int, int]) -> Row:
    """Cues: at most 25 peaks of each of 20 class maps."""
    maps = smooth_maps(CLASSES, size, 12)

    def pooled() -> list[Tensor]:
        kept = []
        for heat in maps[:, None]:
            largest = F.max_pool2d(heat, 15, 1, 7)
            scores = torch.where(heat == largest, heat, 0).flatten()
            kept.append(scores.topk(25).values)
        return kept

    def agree(ours: tuple[Tensor, ...], theirs: list[Tensor]) -> str:
        theirs = torch.cat(theirs)
        theirs = theirs[theirs >= 0.1]
        return f'{len(theirs)} found, equal: {torch.equal(ours[2], theirs)}'

    return Row(
        f'cues of {CLASSES} class maps, 15x15, {size[0]}x{size[1]}',
        'max_pool2d of each map',
        lambda: find_peaks(maps, 15, min_score=0.1, max_per_class=25),
        pooled,
        agree,
        '≥ 3×',
    )


def build_rows(name: str, shrink: int = 1) -> list[Row]:
    """The comparisons of a name; ``shrink`` divides the sides of all maps."""
    crop, voc = (tuple(side // shrink for side in size) for size in (CROP, VOC))
    build = dict(
        refinement=lambda: [
            refinement_row(crop, batch, wanted)
            for batch, wanted in ((1, '≥ 30×'), (4, '–'))
        ],
        points=lambda: [points_row(crop)],
        inference=lambda: [
            *(inference_row(voc, flip) for flip in (False, True)),
            inference_row(voc, True, tagged=True),
        ],
        peaks=lambda: [peaks_row(voc)],
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
