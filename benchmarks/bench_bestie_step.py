"""The share of self-refinement in a training step of BESTIE.

Crops of 416x416 pixels with 14 ellipses of 5 classes, random weights, the optimizer's
step included. Processor time, as every benchmark here.

Examples:
    python benchmarks/bench_bestie_step.py --rounds 3
    python benchmarks/bench_bestie_step.py --config bestie/bestie_r50_voc.py
"""

import statistics
import time
from typing import Any

from gpu_steps import config, guided_crops, step
from mmengine.registry import DefaultScope
from side_by_side import announce, argument_parser, table_header, table_row


def shares(name: str, rounds: int, batch_size: int, tiny: bool = False) -> list[float]:
    """Run steps, print each as a row, and return the shares of refinement in them.

    Args:
        name: Config below ``configs``.
        rounds: Number of steps, after one to warm up.
        batch_size: Crops in a step.
        tiny: Small crops, two of them.
    """
    cfg = config(name)
    cfg.train_dataloader.batch_size = batch_size
    timed = step(cfg, guided_crops(cfg, tiny), 'cpu', amp=False)
    refined, spent = timed.model.refined, 0.0

    def measured(*args: Any) -> Any:
        nonlocal spent
        start = time.process_time()
        found = refined(*args)
        spent = time.process_time() - start
        return found

    timed.model.refined = measured
    print(table_header('config', 'batch', 'step, s', 'refinement, ms', 'share'))
    found = []
    for _ in range(rounds + 1):
        start = time.process_time()
        timed.call()
        whole = time.process_time() - start
        found.append(spent / whole)
        row = f'{whole:.2f}', f'{1000 * spent:.0f}', f'{100 * spent / whole:.1f} %'
        if len(found) > 1:
            print(table_row(name, str(timed.size), *row), flush=True)
    return found[1:]


def main() -> None:
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument(
        '--config', default='bestie/bestie_hrnet-w48_voc.py', help='below configs/'
    )
    parser.add_argument('--batch-size', type=int, default=1, help='crops in a step')
    args = parser.parse_args()
    announce('cpu', args.threads, args.rounds)
    with DefaultScope.overwrite_default_scope('mmdet'):
        found = shares(args.config, args.rounds, args.batch_size)
    print(f'\nmedian {100 * statistics.median(found):.1f} %')


if __name__ == '__main__':
    main()
