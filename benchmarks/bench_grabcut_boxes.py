r"""GrabCut in the boxes of photographs: what a smaller context gains and changes.

For every setting of `grabcut_context` the processor time per box, the overlap (IoU)
with what GrabCut finds when it looks at the whole image, and with the true mask.
Settings take turns box by box. Then images per second of label generation, on the
clock, and its peak memory in one process; with `--proposals` as the configs do it, else
of GrabCut alone.

    OMP_NUM_THREADS=1 python benchmarks/bench_grabcut_boxes.py \
        data/coco/annotations/instances_val2017.json data/coco/val2017 \
        --images 20 --contexts 0.5 1 2 --processes 1 2 \
        --proposals data/coco/proposals/built_in_val

`--scale 3` enlarges images first; `--max-boxes` limits those of an image.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from side_by_side import announce, peak_resident_mib, table_header, table_row

from mmwsis.ops import grab_cut, pixel_boxes
from mmwsis.pseudo_labels import generate_pseudo_labels
from mmwsis.visualization.coco_files import LabelFile, read_image

Context = float | None


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('ann_file', help='COCO JSON with masks')
    parser.add_argument('img_dir', help='folder of its images')
    parser.add_argument('--images', type=int, default=20, help='drawn with seed 0')
    parser.add_argument('--max-boxes', type=int, default=10, help='of an image')
    parser.add_argument('--contexts', type=float, nargs='+', default=[0.5, 1, 2])
    parser.add_argument('--scale', type=float, default=1.0, help='of images')
    parser.add_argument(
        '--processes', type=int, nargs='+', default=[], help='images per second with N'
    )
    parser.add_argument('--proposals', help='their folder or file, for --processes')
    parser.add_argument('--rounds', type=int, default=3, help='of every number')
    return parser.parse_args()


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two masks; 1 if both are empty."""
    union = (first | second).sum()
    return float((first & second).sum() / union) if union else 1.0


def measure(
    image: np.ndarray,
    boxes: np.ndarray,
    masks: list[np.ndarray],
    contexts: list[Context],
    found: dict[Context, list[tuple[float, float, float]]],
) -> None:
    """Add (seconds, IoU with the first context, IoU with the truth) of each box."""
    for box, mask in zip(boxes, masks, strict=True):
        whole = None
        for context in contexts:
            start = time.process_time()
            cut = grab_cut(image, box, context=context)
            used = time.process_time() - start
            whole = cut if whole is None else whole
            found[context].append((used, overlap(cut, whole), overlap(cut, mask)))


def enlarged(array: np.ndarray, scale: float, how: int) -> np.ndarray:
    return array if scale == 1 else cv2.resize(array, None, None, scale, scale, how)


def chosen_objects(
    labels: LabelFile, image_id: Any, max_boxes: int
) -> list[dict[str, Any]]:
    """Up to so many objects of an image, spread over the file's order."""
    own = [one for one in labels.masked(image_id) if not one.get('iscrowd')]
    places = np.linspace(0, len(own) - 1, min(len(own), max_boxes))
    return [own[place] for place in places.round().astype(int)]


def config(
    ann_file: str,
    img_dir: str,
    classes: list[str],
    processes: int,
    proposals: str | None = None,
) -> Config:
    """Label generation from boxes."""
    load = dict(
        type='mmwsis.LoadProposals',
        path=proposals,
        max_num=None,
        resize=False,
        allow_missing=True,
    )
    dataset = dict(
        type='mmwsis.CocoWeakDataset',
        supervision='boxes',
        ann_file=ann_file,
        data_prefix=dict(img=img_dir),
        metainfo=dict(classes=classes),
        test_mode=True,
        pipeline=[
            dict(type='mmwsis.LoadCachedImage', max_images=0),
            *([load] if proposals else []),
            dict(type='mmwsis.LoadWeakAnnotations', with_bbox=True, with_point=False),
            dict(type='mmwsis.PackWeakInputs', with_tags=False),
        ],
    )
    return Config(
        dict(
            model=dict(type='mmwsis.GrabCutProposals', num_things_classes=len(classes)),
            artifact='semantic_maps',
            pseudo_label_dataloader=dict(
                batch_size=1, num_workers=processes, dataset=dataset
            ),
        )
    )


def images_per_second(cfg: Config, count: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        generate_pseudo_labels(cfg, None, Path(folder, 'maps'))
        return count / (time.perf_counter() - start)


def report_contexts(found: dict[Context, list[tuple[float, float, float]]]) -> None:
    columns = 'ms per box', 'gain', 'IoU with none', 'IoU with the truth'
    print(table_header('grabcut_context', *columns))
    whole = np.array(found[None])
    for context, values in found.items():
        table = np.array(values)
        ratios = whole[:, 0].sum() / table[:, 0].sum()
        cells = f'{1000 * table[:, 0].mean():.0f}', f'{ratios:.1f}×'
        cells += tuple(f'{value:.3f}' for value in table[:, 1:].mean(axis=0))
        print(table_row('none' if context is None else str(context), *cells))


def report_processes(args: argparse.Namespace, labels: LabelFile, ids: list) -> None:
    """Print images per second of the drawn images, numbers of processes in turns."""
    chosen = {
        image_id: chosen_objects(labels, image_id, args.max_boxes) for image_id in ids
    }
    content = json.loads(Path(args.ann_file).read_text())
    images = [image for image in content['images'] if image['id'] in chosen]
    kept = {one['id'] for own in chosen.values() for one in own}
    annotations = [one for one in content['annotations'] if one['id'] in kept]
    rates = defaultdict(list)
    given = args.proposals
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'boxes.json')
        part = {**content, 'images': images, 'annotations': annotations}
        file.write_text(json.dumps(part))
        names = [category['name'] for category in content['categories']]
        for _ in range(args.rounds):
            for number in args.processes:
                cfg = config(str(file), args.img_dir, names, number, given)
                rates[number].append(images_per_second(cfg, len(ids)))
        cfg = config(str(file), args.img_dir, names, 0, given)
        peak = peak_resident_mib(lambda: images_per_second(cfg, len(ids)))
    print(f'\nlabel generation {"with" if given else "without"} proposals')
    for number, found in rates.items():
        shown = f'{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})'
        print(f'{number} processes: {shown} images per second')
    if peak is not None:
        print(f'peak memory in one process: {peak:.0f} MiB')


def main() -> None:
    args = parse_args()
    announce('cpu', 1, 1)
    cv2.setNumThreads(1)
    labels = LabelFile.read(args.ann_file)
    ids = [key for key in labels.images if chosen_objects(labels, key, 1)]
    ids = random.Random(0).sample(ids, min(args.images, len(ids)))
    contexts: list[Context] = [None, *args.contexts]
    found: dict[Context, list] = {context: [] for context in contexts}
    for image_id in ids:
        image = read_image(Path(args.img_dir, labels.images[image_id]['file_name']))
        own = chosen_objects(labels, image_id, args.max_boxes)
        masks = [labels.mask(one, image.shape[:2]).astype(np.uint8) for one in own]
        masks = [enlarged(one, args.scale, cv2.INTER_NEAREST) > 0 for one in masks]
        image = enlarged(image, args.scale, cv2.INTER_LINEAR)
        corners = np.array([one['bbox'] for one in own], float) * args.scale
        corners[:, 2:] += corners[:, :2]
        boxes = pixel_boxes(corners, image.shape[:2])
        measure(image, boxes, masks, contexts, found)
    print(f'{len(found[None])} boxes on {len(ids)} images, the last {image.shape}\n')
    report_contexts(found)
    peak = peak_resident_mib(lambda: grab_cut(image, boxes[0]))
    if peak is not None:
        print(f'\npeak memory of one call on the last image: {peak:.0f} MiB')
    if args.processes:
        report_processes(args, labels, ids)


if __name__ == '__main__':
    main()
