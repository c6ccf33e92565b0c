"""Time and memory of the refinement of labels, and of the usual way to write it.

The other side makes a mask of the image for each box. Both run alternately in one
process on the same input, after a warm-up, and must give the same labels. ``--crf``
adds the time of the dense CRF that may come before.

Examples:
    python benchmarks/bench_label_refinement.py --rounds 5
    python benchmarks/bench_label_refinement.py --rounds 1 --crf
"""

import numpy as np
import plain_refinement as plain
import torch
from bench_instance_ops import smooth_maps
from bench_irnet_ops import Row, measure
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from photograph_like import photograph
from side_by_side import (
    announce,
    argument_parser,
    mib,
    peak_resident_mib,
    seconds,
    table_header,
    table_row,
)
from torch import Tensor

from mmwsis.models.labelers import LabelRefinement
from mmwsis.ops import DenseCRF, crop_grid, unary_from_probabilities

VOC = (375, 500)
CITYSCAPES = (1024, 2048)
CROP = (400, 500)
THINGS, STUFF, BOXES = 8, 11, 40


def scene(size: tuple[int, int], crop: tuple[int, int]) -> tuple[Tensor, DetDataSample]:
    """Probabilities of a network that is mostly sure, and what is known of the image.

    Returns:
        (C, H, W) and a sample with boxes, a box label map and tags of crops.
    """
    generator = torch.Generator().manual_seed(0)
    prob = (40 * smooth_maps(THINGS + STUFF, size, 12)).softmax(0)
    height, width = size
    corners = torch.rand(2 * BOXES, 2, generator=generator)
    corners = (corners * torch.tensor([width - 3, height - 3])).long()
    first, second = corners.view(2, BOXES, 2)
    extent = (first - second).abs() // 3 + 2
    lower = torch.minimum(first, second)
    boxes = torch.cat([lower, lower + extent], 1).unique(dim=0)
    labels = torch.randint(THINGS, (len(boxes),), generator=generator)
    box_map = torch.full(size, -1, dtype=torch.int16)
    for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist()):
        box_map[y1:y2, x1:x2] = 255
        box_map[y1 : (y1 + y2) // 2, x1:x2] = label
    crops = crop_grid(size, crop)
    allowed = torch.rand(len(crops), THINGS + STUFF, generator=generator) < 0.8
    tags = [row.nonzero().flatten().tolist() for row in allowed]
    sample = DetDataSample(
        metainfo=dict(img_id=0, crop_tags=dict(size=crop, tags=tags))
    )
    sample.gt_instances = InstanceData(bboxes=boxes.float(), labels=labels)
    sample.gt_box_map = PixelData(box_map=box_map[None])
    return prob, sample


def refinement_row(size: tuple[int, int], crop: tuple[int, int]) -> Row:
    prob, sample = scene(size, crop)
    image = torch.zeros(3, *size, dtype=torch.uint8)
    refinement = LabelRefinement(THINGS, STUFF)
    known = sample.gt_instances
    tags = sample.crop_tags['tags']
    allowed = np.array([np.isin(range(THINGS + STUFF), row) for row in tags])

    def ours() -> np.ndarray:
        refinement(image, prob, sample)
        return sample.pred_panoptic_seg.sem_seg[0].numpy()

    def theirs() -> np.ndarray:
        scores, labels = prob.max(0)
        return plain.refine(
            labels.numpy(),
            scores.numpy(),
            sample.gt_box_map.box_map[0].numpy(),
            known.bboxes.long().numpy(),
            known.labels.numpy(),
            crop_grid(size, crop).numpy(),
            allowed,
            THINGS,
        )

    def agree(first: np.ndarray, second: np.ndarray) -> str:
        different = int((first != second).sum())
        unknown = (first == THINGS + STUFF).mean()
        return f'{different} pixels differ, {100 * unknown:.0f} % unknown'

    return Row(
        f'all steps but the CRF, {len(known)} boxes, {THINGS + STUFF} classes, '
        f'{size[0]}x{size[1]}',
        'a mask of the image for each box',
        ours,
        theirs,
        agree,
        '≤ 1 s',
    )


def crf_line(size: tuple[int, int], num_iters: int = 10) -> str:
    """Time and memory of the dense CRF with DeepLab's kernels, lattice included."""
    prob, _ = scene(size, size)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(photograph(rng, width=size[1], height=size[0]))

    def run() -> None:
        crf = DenseCRF(image, 'deeplab_v2')
        crf.marginals(unary_from_probabilities(prob), num_iters)

    spent: list[float] = []
    peak = peak_resident_mib(lambda: spent.append(seconds(run)))
    name = (
        f'dense CRF, {num_iters} iterations, {len(prob)} classes, {size[0]}x{size[1]}'
    )
    return table_row(name, f'{spent[0]:.1f}', mib(peak))


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument('--crf', action='store_true', help='time the dense CRF, too')
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    print(
        table_header(
            *('step', 'against', 'ours, ms', 'ours, wall ms', 'theirs, ms'),
            *('faster (range)', 'wanted', 'ours, MiB', 'theirs, MiB', 'agreement'),
        )
    )
    print(measure(refinement_row(CITYSCAPES, CROP), args.rounds, 'cpu'), flush=True)
    if args.crf:
        print('\n' + table_header('step', 'CPU time, s', 'MiB'))
        for size in (VOC, CITYSCAPES):
            print(crf_line(size), flush=True)


if __name__ == '__main__':
    main()
