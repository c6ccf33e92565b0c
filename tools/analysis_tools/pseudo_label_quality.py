"""Measure pseudo labels against ground-truth masks before training on them."""

import argparse
import os

from mmwsis.engine.user_errors import user_errors
from mmwsis.evaluation import compare_files, write_quality_report

EXAMPLES = """example:
  python tools/analysis_tools/pseudo_label_quality.py \\
      data/synthetic/pseudo_labels/exits.json \\
      data/synthetic/annotations/instances_train.json \\
      --img-dir data/synthetic/train --out-dir work_dirs/quality/exits_synthetic

Writes quality.json, quality.md, quality.png and worst.png. Ground truth of
some of the images is enough. Masks of known objects are compared by annotation id;
instances that a labeler found in whole images by overlap, with average precision on
top: the file says what it holds, --match overrules it. The column "filled boxes"
says how good the boxes themselves (weak ones, else those of the ground truth)
would be as masks.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('pseudo', help='pseudo labels, COCO JSON')
    parser.add_argument('gt', help='ground truth of the same images, COCO JSON')
    parser.add_argument('--out-dir', required=True, help='folder for the report')
    parser.add_argument(
        '--match',
        choices=('auto', 'id', 'overlap'),
        default='auto',
        help='how objects find their pseudo label',
    )
    parser.add_argument('--img-dir', help='folder of the images, for worst.png')
    parser.add_argument(
        '--worst', type=int, default=20, help='objects in worst.png (0: none)'
    )
    parser.add_argument(
        '--separated-min-part',
        type=int,
        default=16,
        metavar='PIXELS',
        help='least size of a part of a separated object',
    )
    parser.add_argument(
        '--separated',
        metavar='FILE',
        help='COCO JSON of the separated objects, from separated_coco.py (default: '
        'those whose ground truth falls into several parts)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes for files of more than 5000 objects',
    )
    return parser.parse_args()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    comparison = compare_files(
        args.pseudo,
        args.gt,
        args.separated_min_part,
        args.workers,
        separated_path=args.separated,
        match=args.match,
    )
    summary = write_quality_report(comparison, args.out_dir, args.img_dir, args.worst)
    print(f'{"objects":12}{"number":>9}{"IoU":>8}{"boxes":>8}{"recall.5":>10}')
    for group, number in summary['instances'].items():
        print(
            f'{group:12}{number:9}{summary["class_mean_iou"][group]:8.3f}'
            f'{summary["filled_boxes"][group]:8.3f}{summary["recall50"][group]:10.3f}'
        )
    for key, entry in summary.get('average_precision', {}).items():
        if entry['all'] is not None:
            print(f'AP{key:10}{summary["found"]:9}{entry["all"]:8.3f}')
    print(f'coverage {summary["coverage"]:.3f}; report in {args.out_dir}')


if __name__ == '__main__':
    with user_errors():
        main()
