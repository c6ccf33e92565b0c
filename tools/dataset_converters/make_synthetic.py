"""Make the synthetic scenes: a small dataset with labels of every kind."""

import argparse
import sys
from collections.abc import Sequence

from mmwsis.dataset_converters.command_line import (
    add_workers_option,
    parser_with_examples,
)
from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.dataset_converters.synthetic.statistics import format_summary
from mmwsis.engine.user_errors import user_errors
from mmwsis.utils.progress_bar import progress_bar

EXAMPLES = """examples:
  # 400 training and 100 validation scenes of 128 x 128
  python tools/dataset_converters/make_synthetic.py --out data/synthetic

  # a handful for a test
  python tools/dataset_converters/make_synthetic.py --out /tmp/few --train 8 --val 4

Written: {train,val}/*.png, annotations/instances_*.json, annotations/panoptic_*.json
with panoptic_*/*.png, voc/ in the layout of PASCAL VOC, and weak/<level>_<split>.json
for every supervision level. The same settings give the same pixels. A dataset with the
same settings is kept; another one is replaced only with --overwrite. The folder is put
in place when all is drawn, which takes seconds: an interrupted run starts anew.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    defaults = SyntheticSettings()
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument(
        '--out', default='data/synthetic', help='(default: %(default)s)'
    )
    for split in ('train', 'val'):
        parser.add_argument(
            f'--{split}',
            type=int,
            default=getattr(defaults, split),
            help='number of scenes (default: %(default)s)',
        )
    parser.add_argument(
        '--size',
        type=int,
        default=defaults.size,
        help='side of a scene in pixels (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=defaults.seed, help='of the scenes')
    add_workers_option(parser)
    parser.add_argument(
        '--overwrite', action='store_true', help='replace what is there'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Make the dataset and print its statistics."""
    args = parse_args(argv)
    try:
        settings = SyntheticSettings(args.train, args.val, args.size, args.seed)
        with progress_bar('scenes') as open_progress:
            advance = open_progress(args.train + args.val)
            manifest, is_new = make_synthetic(
                args.out,
                settings,
                workers=args.workers,
                overwrite=args.overwrite,
                progress=advance,
            )
            if not is_new:
                advance(args.train + args.val)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{args.out}: {"written" if is_new else "already there"}')
    for split, statistics in manifest['statistics'].items():
        print(format_summary(split, statistics))


if __name__ == '__main__':
    with user_errors():
        main()
