"""Put corrected masks in the place of pseudo labels: one mixed file to train on."""

import argparse
from collections.abc import Sequence

from mmwsis.dataset_converters.command_line import parser_with_examples
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.correction_files import (
    CorrectionSettings,
    apply_corrections,
    simulate_file,
    summary_path,
)
from mmwsis.dataset_converters.correction_report import (
    SECONDS_PER_MASK,
    correction_table,
)
from mmwsis.dataset_converters.corrections import SAME_IOU
from mmwsis.dataset_converters.review_order import ORDERS
from mmwsis.engine.user_errors import user_errors

EXAMPLES = """examples:
  # what came back from LabelMe, and then the labels to train on
  python tools/dataset_converters/import_labels.py --from labelme to_correct \\
      --img-dir bolts/images --classes bolt nut --keep-ids --out corrected.json
  python tools/dataset_converters/apply_corrections.py \\
      bolts/pseudo_labels/exits.json corrected.json \\
      --out bolts/pseudo_labels/exits_corrected.json

  # as if a person had drawn the 100 worst anew
  python tools/dataset_converters/apply_corrections.py \\
      bolts/pseudo_labels/exits.json --simulate bolts/instances_train.json \\
      --review review.csv --worst 100 --out mixed.json

  # the labeler's own labels, too: to train it again
  python tools/dataset_converters/apply_corrections.py \\
      bolts/pseudo_labels/exits.json corrected.json --out mixed.json \\
      --weak bolts/clicks.json --weak-out bolts/corrected_clicks.json

Objects are matched by id, images by file name, classes by name. An object with a known
id is unchanged or changed, one whose id is gone is deleted, one without an id is new;
labels of all other images stay. Labels of people have annotations[].correction, images
whose labels have all been reviewed have images[].supervision 'masks'. A summary goes
beside the result, as OUT.corrections.json. Exit code 1: nothing was written.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('pseudo', metavar='PSEUDO', help='COCO JSON of pseudo labels')
    parser.add_argument(
        'corrected',
        nargs='?',
        metavar='CORRECTED',
        help='COCO JSON of the corrected images, by import_labels.py --keep-ids; or a '
        'MIXED of before, whose corrections go into new pseudo labels',
    )
    parser.add_argument('--out', required=True, metavar='MIXED', help='file to write')
    parser.add_argument(
        '--simulate',
        metavar='GT',
        help='COCO JSON with masks, which a perfect person draws, instead of CORRECTED',
    )
    parser.add_argument(
        '--review',
        metavar='CSV',
        help='review.csv of tools/analysis_tools/review_list.py: what was looked at. '
        'Default: all objects of the corrected images; of simulated corrections those '
        'with the lowest score',
    )
    parser.add_argument(
        '--worst', type=int, metavar='N', help='only the first N of the review list'
    )
    parser.add_argument(
        '--weak',
        metavar='WEAK',
        help='labels that the labeler was trained on; with the corrections they go to',
    )
    parser.add_argument('--weak-out', metavar='FILE', help='this file')
    parser.add_argument(
        '--order',
        default='worst',
        choices=ORDERS,
        help='of simulated corrections (default: %(default)s)',
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of the random order (default: %(default)s)'
    )
    parser.add_argument(
        '--same-iou',
        type=float,
        default=SAME_IOU,
        metavar='IOU',
        help='from this IoU with its pseudo label on, a mask is unchanged '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--seconds-per-mask',
        type=float,
        default=SECONDS_PER_MASK,
        metavar='SECONDS',
        help='what a corrected mask costs (default: %(default)g)',
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace files that are there'
    )
    args = parser.parse_args(argv)
    if (args.weak is None) != (args.weak_out is None):
        parser.error('--weak WEAK and --weak-out FILE go together')
    if (args.corrected is None) == (args.simulate is None):
        parser.error('give either CORRECTED or --simulate GT')
    if args.corrected is not None and args.order != 'worst':
        parser.error('--order is for --simulate')
    if args.corrected is not None and args.worst is not None and not args.review:
        parser.error('--worst needs the --review list that it counts in')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Apply corrections, and say what they changed."""
    args = parse_args(argv)
    settings = CorrectionSettings(
        review=args.review,
        count=args.worst,
        weak=args.weak,
        weak_out=args.weak_out,
        order=args.order,
        seed=args.seed,
        same_iou=args.same_iou,
        seconds=args.seconds_per_mask,
    )
    run = RunOptions(overwrite=args.overwrite)
    if args.simulate is not None:
        summary = simulate_file(args.pseudo, args.simulate, args.out, settings, run)
    else:
        summary = apply_corrections(
            args.pseudo, args.corrected, args.out, settings, run
        )
    print(correction_table(summary))
    print(
        f'\n{args.out}: {summary["reviewed"]} labels of {summary["images"]} images '
        f'reviewed, {summary["masks_drawn"]} masks drawn: {summary["minutes"]:g} '
        f'minutes at {summary["seconds_per_mask"]:g} s each\n'
        f'minutes are of {summary["minutes_are"]}\n'
        f'{summary_path(args.out)}: every object'
    )


if __name__ == '__main__':
    with user_errors():
        main()
