"""What the fields of a sample cost in the geometric transforms of whole images.

A VOC photograph (375x500) through BESTIE's training pipeline: resize, random factor,
crop of 416 pixels, mirror. Image and semantic map alone, and with an instance map, 20
objects (points, boxes, bitmaps), two class maps of the image's size and 1,000
proposals. MMDetection's transforms, with the fields that they know, are the comparison.

Examples:
    python benchmarks/bench_whole_image_transforms.py
    python benchmarks/bench_whole_image_transforms.py --rounds 15 --samples 50
"""

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from photograph_like import photograph
from pycocotools import mask as coco_mask
from side_by_side import alternate, announce, argument_parser, table_header, table_row

from mmwsis.registry import TRANSFORMS
from mmwsis.structures.proposals import Proposals

HEIGHT, WIDTH = 375, 500
OPENCV = dict(interpolation='bilinear', backend='cv2')
OURS = (
    dict(type='mmwsis.ResizeToStride', **OPENCV),
    dict(type='mmwsis.RandomChoiceRescale', **OPENCV),
    dict(type='mmwsis.RandomCropOrPad', crop_size=416, pad_value=(123, 116, 103)),
    dict(type='mmwsis.RandomFlip'),
)
THEIRS = (
    dict(type='mmdet.Resize', scale=(449, 353), keep_ratio=False),
    dict(
        type='mmdet.RandomResize',
        resize_type='mmdet.Resize',
        scale=(449, 353),
        ratio_range=(0.7, 1.3),
        keep_ratio=True,
    ),
    dict(type='mmdet.RandomCrop', crop_size=(416, 416), allow_negative_crop=True),
    dict(type='mmdet.RandomFlip', prob=0.5),
    dict(type='mmdet.Pad', size=(416, 416)),
)
KNOWN = 'img', 'img_shape', 'gt_seg_map'
OBJECTS = 'gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags', 'gt_masks'


def make_sample(objects: int, proposals: int) -> dict[str, Any]:
    """A photograph with discs as objects and proposals."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((HEIGHT, WIDTH))
    centres = rng.uniform(0, (WIDTH, HEIGHT), (max(objects, proposals), 2))
    radii = 2 ** rng.uniform(3, 6.5, len(centres))
    discs = np.array(
        [
            (columns - x) ** 2 + (rows - y) ** 2 < radius**2
            for (x, y), radius in zip(centres, radii, strict=True)
        ]
    )
    boxes = np.concatenate([centres - radii[:, None], centres + radii[:, None]], axis=1)
    boxes = boxes[:objects].clip(0, (WIDTH, HEIGHT) * 2).astype(np.float32)
    numbers = np.arange(1, objects + 1)[:, None, None]
    return dict(
        img=photograph(rng, WIDTH, HEIGHT),
        img_shape=(HEIGHT, WIDTH),
        gt_seg_map=rng.integers(0, 21, (HEIGHT, WIDTH), dtype=np.uint8),
        gt_instance_map=(discs[:objects] * numbers).max(axis=0).astype(np.int32),
        class_maps=dict(
            labels=np.arange(2), cam=rng.random((2, HEIGHT, WIDTH)).astype(np.float16)
        ),
        gt_points=centres[:objects].astype(np.float32),
        gt_bboxes=HorizontalBoxes(boxes),
        gt_bboxes_labels=np.arange(objects) % 20,
        gt_ignore_flags=np.zeros(objects, bool),
        gt_masks=BitmapMasks(discs[:objects].astype(np.uint8), HEIGHT, WIDTH),
        mask_proposals=Proposals(
            coco_mask.encode(np.asfortranarray(discs.transpose(1, 2, 0), np.uint8)),
            np.linspace(1, 0, len(discs)),
            (HEIGHT, WIDTH),
        ),
    )


def runner(
    steps: Sequence[dict[str, Any]], sample: dict[str, Any], samples: int
) -> Callable[[], None]:
    """A call that transforms the sample several times, with the same random numbers."""
    built: list[BaseTransform] = [TRANSFORMS.build(step) for step in steps]

    def run() -> None:
        np.random.seed(0)
        for _ in range(samples):
            results = dict(sample)
            for step in built:
                results = step(results)

    return run


def main() -> None:
    parser = argument_parser(__doc__, rounds=9)
    parser.add_argument('--samples', type=int, default=20, help='samples a round')
    parser.add_argument('--objects', type=int, default=20)
    parser.add_argument('--proposals', type=int, default=1000)
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    cv2.setNumThreads(0)  # as in a worker
    full = make_sample(args.objects, args.proposals)
    some = {name: full[name] for name in (*KNOWN, *OBJECTS)}
    bare = {name: full[name] for name in KNOWN}
    pairs = {
        'all fields / image and map': ((OURS, full), (OURS, bare)),
        'image and map: ours / MMDetection': ((OURS, bare), (THEIRS, bare)),
        'with boxes and masks: ours / MMDetection': ((OURS, some), (THEIRS, some)),
    }
    print(table_header('compared', 'first, ms', 'second, ms', 'second / first'))
    for name, sides in pairs.items():
        first, second = (runner(*side, args.samples) for side in sides)
        ratio = alternate(first, second, args.rounds)
        times = (
            f'{time / args.samples * 1e3:.2f}' for time in (ratio.first, ratio.second)
        )
        print(table_row(name, *times, str(ratio)))


if __name__ == '__main__':
    main()
