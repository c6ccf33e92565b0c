"""Make the synthetic scenes: a small data set with labels of every kind."""

import argparse
import sys
from collections.abc import Sequence

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from mmwsis.datasets.synthetic import SyntheticSettings, make_synthetic
from mmwsis.datasets.synthetic.statistics import format_summary

EXAMPLES = """examples:
  # 400 training and 100 validation scenes of 128 x 128
  python tools/dataset_converters/make_synthetic.py --out data/synthetic

  # a handful for a test
  python tools/dataset_converters/make_synthetic.py --out /tmp/few --train 8 --val 4

Written: {train,val}/*.png, annotations/instances_*.json, annotations/panoptic_*.json
with panoptic_*/*.png, voc/ in the layout of PASCAL VOC, and weak/<level>_<split>.json
for every supervision level. The same settings give the same bytes. A data set with the
same settings is kept; another one is replaced only with --overwrite.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    defaults = SyntheticSettings()
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--out', default='data/synthetic', help='(default: %(default)s)'
    )
    parser.add_argument('--train', type=int, default=defaults.train)
    parser.add_argument('--val', type=int, default=defaults.val)
    parser.add_argument('--size', type=int, default=defaults.size, help='in pixels')
    parser.add_argument('--seed', type=int, default=defaults.seed)
    parser.add_argument('--workers', type=int, default=1)
    parser.add_argument('--overwrite', action='store_true')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data set and print its statistics."""
    args = parse_args(argv)
    bar = Progress(
        TextColumn('scenes'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    )
    try:
        settings = SyntheticSettings(args.train, args.val, args.size, args.seed)
        with bar:
            task = bar.add_task('', total=args.train + args.val)
            manifest, is_new = make_synthetic(
                args.out,
                settings,
                workers=args.workers,
                overwrite=args.overwrite,
                progress=lambda done: bar.advance(task, done),
            )
            if not is_new:
                bar.update(task, completed=args.train + args.val)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.out}: {"written" if is_new else "already there"}')
    for split, statistics in manifest['statistics'].items():
        print(format_summary(split, statistics))


if __name__ == '__main__':
    main()
