"""Measure how many objects class-agnostic mask proposals find, before training on them.

PROPOSALS is a folder with one JSON per image, as generate_pseudo_labels.py and
import_proposals.py write it, or one JSON of COCO results. GT is a COCO JSON with masks
of the same images.
"""

import argparse

from mmwsis.engine.user_errors import user_errors
from mmwsis.evaluation.proposal_recall import proposal_recall
from mmwsis.evaluation.proposal_recall_report import write_recall_report

EXAMPLES = """examples:
  python tools/analysis_tools/proposal_recall.py data/coco/proposals/built_in \\
      data/coco/annotations/instances_train2017.json \\
      --out-dir work_dirs/proposal_recall/coco

Writes proposal_recall.json, .md and .png: the share of objects that a proposal overlaps
with an IoU of at least .5 and .7, the mean IoU with the best proposal, of masks and of
boxes, by size, by class and over the number of proposals. Crowds are left out.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('proposals', help='folder of proposals, or COCO results')
    parser.add_argument('gt', help='COCO JSON with masks')
    parser.add_argument('--out-dir', required=True, help='folder for the report')
    parser.add_argument(
        '--max-num', type=int, default=1000, help='proposals of an image that count'
    )
    parser.add_argument(
        '--allow-missing',
        action='store_true',
        help='images without a file have no proposals',
    )
    args = parser.parse_args()
    if args.max_num < 1:
        parser.error('--max-num must be at least 1')
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    recall = proposal_recall(args.proposals, args.gt, args.max_num, args.allow_missing)
    write_recall_report(recall, args.out_dir)
    print(f'{"size":10}{"objects":>8}{"recall.5":>10}{"recall.7":>10}{"IoU":>10}')
    for name, row in {'all': recall['all'], **recall['per_size']}.items():
        values = row['mask'].values()
        cells = (f'{"-" if v is None else f"{v:.3f}":>10}' for v in values)
        print(f'{name:10}{row["objects"]:8}' + ''.join(cells))
    number = recall['per_image']['mean']
    print(f'{number:.0f} proposals per image; report in {args.out_dir}')


if __name__ == '__main__':
    with user_errors():
        main()
