r"""The built-in proposal generator beside selective search of opencv-contrib.

Images are taken one after the other, each by both sides in turn; masks and their
encoding are included in ours, the other side gives boxes. That library must not be
installed beside opencv-python, so it runs in a Python of its own:

    python -m venv contrib && contrib/bin/pip install opencv-contrib-python
    OMP_NUM_THREADS=1 python benchmarks/bench_proposal_generator.py \
        data/coco/annotations/instances_val2017.json data/coco/val2017 \
        --images 40 --contrib contrib/bin/python

Without --contrib only ours is run; --threads 0 lets the library use all cores.
`--processes 1 2` adds images per second with so many processes, in turns.
"""

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask
from side_by_side import announce, table_header, table_row

from mmwsis.evaluation.proposal_recall import best_overlaps
from mmwsis.formats.coco_file import annotations_by_image, load_coco
from mmwsis.formats.coco_masks import checked_rle
from mmwsis.ops import generate_proposals

LIGHT = dict(scales=(100, 300), color_spaces=('lab',))
EQUAL = 'selective search, as many'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('ann_file', help='COCO JSON with masks')
    parser.add_argument('img_dir', help='folder of its images')
    parser.add_argument(
        '--images', type=int, default=20, help='images, drawn with seed 0'
    )
    parser.add_argument('--contrib', help='Python that has opencv-contrib-python')
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    parser.add_argument(
        '--processes', type=int, nargs='+', default=[], help='images per second with N'
    )
    parser.add_argument(
        '--light', action='store_true', help='the light setting of ours'
    )
    return parser.parse_args()


class SelectiveSearch:
    """The other side's process; its time to start is not counted."""

    def __init__(self, python: str, threads: int) -> None:
        script = str(Path(__file__).with_name('selective_search.py'))
        self.process = subprocess.Popen(
            [python, script, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, path: str) -> tuple[np.ndarray, list[float]]:
        """Boxes of one image, and CPU seconds and wall clock."""
        self.process.stdin.write(f'{path}\n')
        self.process.stdin.flush()
        found = json.loads(self.process.stdout.readline())
        return np.array(found['boxes'], float).reshape(-1, 4), found['seconds']

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def our_proposals(path: str, settings: dict[str, Any]) -> tuple[list, list[float]]:
    image = np.ascontiguousarray(cv2.imread(path)[..., ::-1])
    cpu, wall = time.process_time(), time.perf_counter()
    found = generate_proposals(image, **settings)
    used = [time.process_time() - cpu, time.perf_counter() - wall]
    return list(found.rles), used


def images_per_second(
    paths: Sequence[str], settings: dict[str, Any], processes: int
) -> float:
    """On the clock, without the start of the processes."""
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        work = partial(our_proposals, settings=settings)
        list(pool.map(work, paths[:processes]))  # start all, and import
        begin = time.perf_counter()
        list(pool.map(work, paths))
        return len(paths) / (time.perf_counter() - begin)


def overlaps(found: Any, truth: Any) -> np.ndarray:
    """Best IoU of every object."""
    if not len(found) or not len(truth):
        return np.zeros(len(truth))
    iou = coco_mask.iou(found, truth, [0] * len(truth))
    return best_overlaps(iou, [len(found)])[0]


def objects_of(image: dict[str, Any], annotations: Sequence[Any]) -> list:
    size = image['height'], image['width']
    whole = [own for own in annotations if not own.get('iscrowd')]
    return [checked_rle(own['segmentation'], *size) for own in whole]


def main() -> None:
    args = parse_args()
    announce('cpu', args.threads or os.cpu_count(), 1)
    coco = load_coco(args.ann_file, 'masks')
    annotations = annotations_by_image(coco)
    images = [image for image in coco['images'] if annotations.get(image['id'])]
    images = random.Random(0).sample(images, min(args.images, len(images)))
    search = SelectiveSearch(args.contrib, args.threads) if args.contrib else None
    best, counts, times = defaultdict(list), defaultdict(list), defaultdict(list)
    for image in images:
        path = str(Path(args.img_dir) / image['file_name'])
        truth = objects_of(image, annotations[image['id']])
        boxes = coco_mask.toBbox(truth) if truth else np.zeros((0, 4))
        rles, used = our_proposals(path, LIGHT if args.light else {})
        own_boxes = coco_mask.toBbox(rles) if rles else np.zeros((0, 4))
        sides = {'ours, masks': (rles, truth), 'ours, boxes': (own_boxes, boxes)}
        times['ours'].append(used)
        if search:
            theirs, used = search(path)
            times['theirs'].append(used)
            sides[EQUAL] = theirs[: len(rles)], boxes
            sides['selective search, all'] = theirs, boxes
        for name, (found, wanted) in sides.items():
            best[name].append(overlaps(found, wanted))
            counts[name].append(len(found))
    if search:
        search.close()
    report(best, counts, times)
    paths = [str(Path(args.img_dir) / image['file_name']) for image in images]
    rates = defaultdict(list)
    for _ in range(3 if args.processes else 0):
        for number in args.processes:
            settings = LIGHT if args.light else {}
            rates[number].append(images_per_second(paths, settings, number))
    for number, found in rates.items():
        shown = f'{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})'
        print(f'{number} processes: {shown} images per second')


def report(best: dict, counts: dict, times: dict) -> None:
    """Print recall and time."""
    columns = 'recall .5', 'recall .7', 'mean best IoU', 'number per image'
    print(table_header('proposals', *columns))
    for name, values in best.items():
        joined = np.concatenate(values)
        figures = (joined >= 0.5).mean(), (joined >= 0.7).mean(), joined.mean()
        cells = [f'{figure:.3f}' for figure in figures]
        print(table_row(name, *cells, f'{np.mean(counts[name]):.0f}'))
    print(f'\n{len(joined)} objects on {len(times["ours"])} images\n')
    for side, used in times.items():
        cpu, wall = np.mean(used, axis=0)
        print(f'{side}: {cpu:.2f} CPU seconds per image, {wall:.2f} on the clock')
    if 'theirs' in times:
        for kind, name in enumerate(('CPU seconds', 'clock')):
            ratios = sorted(
                one[kind] / other[kind]
                for one, other in zip(times['ours'], times['theirs'])
            )
            print(
                f'{name}, ours / theirs: {statistics.median(ratios):.2f} '
                f'({ratios[0]:.2f}-{ratios[-1]:.2f})'
            )


if __name__ == '__main__':
    main()
