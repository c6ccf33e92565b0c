"""How many training crops a data loader worker makes, and what each transform costs.

The dataset and pipeline are those of configs/exits/labeler_vit-b_coco.py, on made-up
640x480 photographs in random order, so that every sample decodes its image. Times are
processor seconds of one worker; workers share nothing, so a GPU with four of them gets
four times the rate as long as there are cores.

Examples:
    python benchmarks/bench_labeler_loader.py
    python benchmarks/bench_labeler_loader.py --images 64 --rounds 9
"""

import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import init_default_scope
from photograph_like import CLASSES, write_photographs
from side_by_side import (
    announce,
    argument_parser,
    seconds,
    table_header,
    table_row,
)

from mmwsis.registry import DATASETS

CONFIG = Path(__file__).parents[1] / 'configs/exits/labeler_vit-b_coco.py'
READING = 'reading the annotation'


def build_dataset(folder: Path, images: int, size: tuple[int, int]) -> Any:
    """The config's training dataset on made-up photographs."""
    ann_file = write_photographs(folder, images, [size])
    cfg = Config.fromfile(str(CONFIG)).train_dataloader.dataset
    cfg.update(data_root=f'{folder}/', ann_file=ann_file.name, data_prefix=dict(img=''))
    cfg.metainfo = dict(classes=CLASSES)
    return DATASETS.build(cfg)


def measure(dataset: Any, samples: int) -> dict[str, float]:
    """Mean seconds a sample of every transform, over random samples."""
    spent: dict[str, float] = defaultdict(float)
    order = np.random.permutation(len(dataset))
    for index in np.resize(order, samples):
        box: list[Any] = []
        spent[READING] += seconds(
            lambda index=index, box=box: box.append(dataset.get_data_info(int(index)))
        )
        for transform in dataset.pipeline.transforms:
            spent[type(transform).__name__] += seconds(
                lambda transform=transform, box=box: box.append(transform(box.pop()))
            )
    return {name: total / samples for name, total in spent.items()}


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument('--images', type=int, default=24, help='images')
    parser.add_argument('--samples', type=int, default=60, help='samples a round')
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    cv2.setNumThreads(0)  # as in a worker
    init_default_scope('mmdet')
    np.random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        dataset = build_dataset(Path(folder), args.images, (640, 480))
        measure(dataset, 8)
        rounds = [measure(dataset, args.samples) for _ in range(args.rounds)]
    report(rounds)


def report(rounds: list[dict[str, float]]) -> None:
    """Print medians over the rounds, and the rate with its range."""
    print(table_header('step of the training pipeline', 'ms a sample'))
    for name in rounds[0]:
        middle = statistics.median(parts[name] for parts in rounds)
        print(table_row(name, f'{1e3 * middle:.2f}'))
    rates = sorted(1 / sum(parts.values()) for parts in rounds)
    print(table_row('whole', f'{1e3 / statistics.median(rates):.2f}'))
    print(
        f'\n{statistics.median(rates):.0f} samples a second and worker '
        f'({rates[0]:.0f}–{rates[-1]:.0f})'
    )


if __name__ == '__main__':
    main()
