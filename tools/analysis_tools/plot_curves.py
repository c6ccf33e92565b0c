"""Plot the training curves of one or more work dirs.

Example::

    python tools/analysis_tools/plot_curves.py work_dirs/labeler_vit-b_coco
"""

import argparse
from pathlib import Path

from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.curves import plot_curves, read_scalars


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Plot training curves.')
    parser.add_argument('work_dirs', nargs='+', help='work dirs of training runs')
    parser.add_argument('--out', help='image file (one work dir) or folder (several)')
    parser.add_argument('--keys', nargs='+', default=(), help='only these scalars')
    return parser.parse_args()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    for work_dir in args.work_dirs:
        name = Path(work_dir).resolve().name
        if args.out is None:
            out_file = Path(work_dir, 'curves.png')
        elif len(args.work_dirs) == 1 and Path(args.out).suffix:
            out_file = Path(args.out)
        else:
            out_file = Path(args.out, f'{name}.png')
        print(plot_curves(read_scalars(work_dir), out_file, name, args.keys))


if __name__ == '__main__':
    with user_errors():
        main()
