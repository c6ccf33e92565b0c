"""Speed and memory of tools/dataset_converters/coco2weak.py on a COCO-size file.

python benchmarks/bench_coco2weak.py --count 100000 --workers 1 2

Each run is the tool itself in a process of its own. Times include start-up, reading
and writing: wall clock, and processor time summed over all processes, which says what
the work costs even on a busy machine. Memory is the peak of the sum over all its
processes of the proportional set size, which counts shared pages once. The last row is
the usual one-process loop over pycocotools' ``annToMask``, for extreme points too.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
TOOL = ROOT / 'tools/dataset_converters/coco2weak.py'
LEVELS = ['image_tags', 'points', 'boxes', 'extreme_points']
SAMPLE_SECONDS = 0.2
USUAL_WAY = """
import json, sys
import numpy as np
from pycocotools.coco import COCO
coco = COCO(sys.argv[1])
for a in coco.dataset['annotations']:
    m = coco.annToMask(a)
    y, x = np.nonzero(m)
    def middle(band, free):
        return int((free[band].min() + free[band].max()) // 2)
    h, w = 0.02 * (np.ptp(y) + 1), 0.02 * (np.ptp(x) + 1)
    t, b, l, r = y.min(), y.max(), x.min(), x.max()
    a['extreme_points'] = [
        [middle(y - t <= h, x), int(t)], [int(l), middle(x - l <= w, y)],
        [middle(b - y <= h, x), int(b)], [int(r), middle(r - x <= w, y)]]
    del a['segmentation']
json.dump(coco.dataset, open(sys.argv[2], 'w'))
"""


class PeakMemory(threading.Thread):
    """Samples the memory of a process and its children until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.process = psutil.Process(pid)
        self.peak = 0

    def run(self):
        """Sample until the process is gone."""
        while self.process.is_running():
            try:
                family = [self.process, *self.process.children(recursive=True)]
                total = sum(p.memory_full_info().pss for p in family)
            except psutil.Error:
                total = 0
            self.peak = max(self.peak, total)
            time.sleep(SAMPLE_SECONDS)


def measure(command):
    """Wall seconds, processor seconds and peak MiB of a command."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    start, used = time.perf_counter(), processor_seconds()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    memory = PeakMemory(process.pid)
    memory.start()
    if process.wait():
        sys.exit(f'failed: {" ".join(map(str, command))}')
    wall = time.perf_counter() - start
    return wall, processor_seconds() - used, memory.peak / 2**20


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--count', type=int, default=100_000)
    parser.add_argument('--workers', type=int, nargs='+', default=[1, 2])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / 'instances_made_up.json'
        subprocess.run(
            [sys.executable, Path(__file__).with_name('coco_size_file.py'), source]
            + ['--count', str(args.count)],
            check=True,
        )
        with open(source) as file:
            images = len(json.load(file)['images'])
        print(
            f'{args.count} annotations in {images} images, '
            f'{source.stat().st_size / 2**20:.0f} MiB'
        )
        print(
            '| levels | processes | s | masks / s | CPU s | masks / CPU s | peak MiB |'
        )
        print('| --- | --- | --- | --- | --- | --- | --- |')
        for levels in [*([level] for level in LEVELS), LEVELS]:
            for workers in args.workers:
                command = [sys.executable, TOOL, source, '--level', *levels]
                command += ['--out-dir', Path(folder) / 'weak', '--overwrite']
                report(levels, workers, args.count, command + ['--workers', workers])
        usual = [sys.executable, '-c', USUAL_WAY, source, Path(folder) / 'usual.json']
        report(['extreme_points, usual loop'], 1, args.count, usual)


def report(levels, workers, count, command):
    seconds, processor, peak = measure([str(part) for part in command])
    name = 'all four' if len(levels) > 1 else levels[0]
    print(
        f'| {name} | {workers} | {seconds:.1f} | {count / seconds:.0f} '
        f'| {processor:.1f} | {count / processor:.0f} | {peak:.0f} |',
        flush=True,
    )


if __name__ == '__main__':
    main()
