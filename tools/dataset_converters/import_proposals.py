"""Import mask proposals of other projects as a folder of proposals."""

import argparse
import sys
from collections.abc import Sequence

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    running,
)
from mmwsis.dataset_converters.conversion import shorten
from mmwsis.dataset_converters.proposal_files import SAM_SCORES
from mmwsis.dataset_converters.proposal_import import FORMATS, import_proposals
from mmwsis.engine.user_errors import user_errors
from mmwsis.formats.proposals import MAX_NUM

EXAMPLES = """examples:
  # one JSON of COCO results, of any length (DeepMask, SharpMask, any detector)
  python tools/dataset_converters/import_proposals.py sharpmask_train2017.json \\
      --from coco --labels data/coco/annotations/instances_train2017.json \\
      --out data/coco/proposals/sharpmask

  # a folder of MATLAB files with superpixels, labels and scores (MCG, SCG, COB)
  python tools/dataset_converters/import_proposals.py MCG-Pascal/trainval \\
      --from mcg --labels data/voc/weak/points_train_aug.json \\
      --out data/voc/proposals/mcg

  # a folder of JSONs of SAM's automatic mask generator, or of SA-1B
  python tools/dataset_converters/import_proposals.py sam_masks --from sam \\
      --labels data/bolts/points.json --out data/bolts/proposals/sam

Images are found by their id (--from coco; by name if the ids there are texts) or by
the name of their file without suffix. A folder with one JSON of COCO results per image
needs no import. mmwsis.LoadProposals reads both. Exit code 1: nothing was written.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('source', help='file (--from coco) or folder of proposals')
    parser.add_argument('--from', dest='format', required=True, choices=FORMATS)
    parser.add_argument(
        '--labels',
        required=True,
        metavar='FILE',
        help='COCO JSON that lists the images; its annotations are not read',
    )
    parser.add_argument('--out', required=True, help='folder to write')
    parser.add_argument(
        '--max-num',
        type=int,
        default=MAX_NUM,
        help='proposals kept of an image, the best (default: %(default)s)',
    )
    parser.add_argument(
        '--sam-score',
        default=SAM_SCORES[0],
        choices=SAM_SCORES,
        help='what ranks the masks of SAM (default: %(default)s)',
    )
    add_run_options(parser, 'leave broken images out instead of stopping')
    args = parser.parse_args(argv)
    if args.max_num < 1:
        parser.error(f'--max-num must be at least 1, got {args.max_num}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Import, and say what was written and what was not."""
    args = parse_args(argv)
    with running(args, 'images') as run:
        result = import_proposals(
            args.format,
            args.source,
            args.labels,
            args.out,
            max_num=args.max_num,
            sam_score=args.sam_score,
            run=run,
        )
    mean = result.proposals / max(result.images, 1)
    print(
        f'{args.out}: {result.images} images, {result.proposals} proposals, '
        f'{mean:.0f} per image'
    )
    for title, lines in (
        ('images without proposals', result.missing),
        ('proposals of no image', result.extra),
        ('broken, left out', result.left_out),
    ):
        if lines:
            print(f'{title}: {len(lines)}\n{shorten(lines)}', file=sys.stderr)


if __name__ == '__main__':
    with user_errors():
        main()
