"""List the objects that an occluder cuts into several components (Separated COCO)."""

import argparse
import sys
from collections.abc import Sequence

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    running,
)
from mmwsis.dataset_converters.separated import separated_file
from mmwsis.engine.user_errors import user_errors
from mmwsis.ops.connected_components import SEPARATED_MIN_AREA

EXAMPLES = """examples:
  # the published benchmark: a list of objects of COCO val2017
  python tools/dataset_converters/separated_coco.py \\
      data/coco/annotations/instances_val2017.json --pickle separated_coco.pkl \\
      --out data/coco/annotations/separated_val2017.json

  # any dataset: masks of two or more components of at least 16 pixels
  python tools/dataset_converters/separated_coco.py data/voc/annotations/val.json \\
      --out data/voc/annotations/separated_val.json

The output is the input with these objects alone, ids unchanged: derive weak labels from
it with coco2weak.py, or measure pseudo labels of the whole dataset with
  python tools/analysis_tools/pseudo_label_quality.py PSEUDO GT --separated FILE ...
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('input', help='COCO JSON with masks')
    parser.add_argument('--out', required=True, help='file to write')
    parser.add_argument('--pickle', metavar='FILE', help='the published list')
    parser.add_argument(
        '--min-part',
        type=int,
        default=SEPARATED_MIN_AREA,
        metavar='PIXELS',
        help='without --pickle: smaller components do not count (default: %(default)s)',
    )
    add_run_options(
        parser, 'pass over broken masks and over entries without an annotation'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Look for the objects, and say how many there are."""
    args = parse_args(argv)
    with running(args, 'masks') as run:
        result, problems = separated_file(
            args.input, args.out, published=args.pickle, min_part=args.min_part, run=run
        )
    for problem in problems:
        print(f'passed over: {problem}', file=sys.stderr)
    print(
        f'{args.out}: {len(result["annotations"])} separated objects in '
        f'{len(result["images"])} images'
    )


if __name__ == '__main__':
    with user_errors():
        main()
