"""Speed and memory of tools/analysis_tools/check_dataset.py on a large file.

python benchmarks/bench_check_dataset.py --count 1000000

The file is benchmarks/coco_size_file.py's with 100,000 annotations, repeated with new
image and annotation ids. Each run is the tool itself, one process and one thread;
times include start-up and reading. Memory is the peak resident size. The other
rows are what reading alone costs: the standard library's ``json.load``, and
``pycocotools.coco.COCO``, which every training with MMDetection does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
TOOL = ROOT / 'tools/analysis_tools/check_dataset.py'
PART = 100_000
SECONDS_BETWEEN = 0.05
READ = 'import json, sys; json.load(open(sys.argv[1]))'
COCO = 'import sys; from pycocotools.coco import COCO; COCO(sys.argv[1])'


def write_large_file(part, target, count):
    """Repeat a file until it has ``count`` annotations."""
    coco = json.loads(part.read_text())
    images, annotations = coco['images'], coco['annotations']
    copies = -(-count // len(annotations))
    with open(target, 'w') as file:
        file.write('{"images":[')
        for copy in range(copies):
            entries = []
            for image in images:
                number = image['id'] + copy * len(images)
                entries.append({**image, 'id': number, 'file_name': f'{number}.jpg'})
            file.write((',' if copy else '') + json.dumps(entries)[1:-1])
        file.write('],"annotations":[')
        for copy in range(copies):
            entries = [
                {
                    **annotation,
                    'id': annotation['id'] + copy * len(annotations),
                    'image_id': annotation['image_id'] + copy * len(images),
                }
                for annotation in annotations[: count - copy * len(annotations)]
            ]
            file.write((',' if copy else '') + json.dumps(entries)[1:-1])
        file.write('],"categories":' + json.dumps(coco['categories']) + '}')


def measure(command):
    """Wall seconds, processor seconds, peak MiB and exit status of a command."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'}
    start = time.perf_counter()
    process = psutil.Popen(
        [str(part) for part in command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = used = 0
    while process.poll() is None:
        try:
            peak = max(peak, process.memory_info().rss)
            times = process.cpu_times()
            used = times.user + times.system
        except psutil.Error:
            break
        time.sleep(SECONDS_BETWEEN)
    return time.perf_counter() - start, used, peak / 2**20, process.wait()


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--count', type=int, default=1_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        part, source = Path(folder) / 'part.json', Path(folder) / 'labels.json'
        generator = Path(__file__).with_name('coco_size_file.py')
        command = [sys.executable, generator, part, '--count', min(args.count, PART)]
        subprocess.run([str(word) for word in command], check=True)
        write_large_file(part, source, args.count)
        print(f'{args.count} annotations, {source.stat().st_size / 2**20:.0f} MiB')
        print('| what | s | CPU s | annotations / CPU s | peak MiB | exit status |')
        print('| --- | --- | --- | --- | --- | --- |')
        python = sys.executable
        for name, command in (
            ('check_dataset.py', [python, TOOL, source]),
            ('check_dataset.py --no-masks', [python, TOOL, source, '--no-masks']),
            ('json.load alone', [python, '-c', READ, source]),
            ('pycocotools.coco.COCO alone', [python, '-c', COCO, source]),
        ):
            wall, used, peak, status = measure(command)
            print(
                f'| {name} | {wall:.1f} | {used:.1f} | {args.count / used:.0f} '
                f'| {peak:.0f} | {status} |',
                flush=True,
            )


if __name__ == '__main__':
    main()
