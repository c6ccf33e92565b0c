"""Give COCO's panoptic labels the classes of PASCAL VOC, for pretraining."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.coco_voc import convert_file
from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    print_summary,
    running,
)
from mmwsis.engine.user_errors import user_errors

EXAMPLES = """expected files:
  data/coco/annotations/panoptic_train2017.json
  data/coco/annotations/panoptic_train2017/000000000009.png

examples:
  # data/coco/annotations/{instances,panoptic}_train2017_voc.json and a folder of PNGs
  python tools/dataset_converters/coco2voc.py \\
      data/coco/annotations/panoptic_train2017.json --workers 8

  # images with at least 1000 pixels of VOC's classes
  python tools/dataset_converters/coco2voc.py \\
      data/coco/annotations/panoptic_train2017.json --min-pixels 1000 --workers 8

VOC's twenty classes stay objects with their masks; all other things and stuff of COCO
are VOC's background. Pixels without a label of COCO have none.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('input', type=Path, help='COCO panoptic JSON')
    parser.add_argument(
        '--panoptic-dir',
        metavar='DIR',
        help='its PNGs (default: the folder beside it of its name)',
    )
    parser.add_argument(
        '--min-pixels',
        type=int,
        default=1,
        metavar='N',
        help="leave out images with fewer pixels of VOC's classes (default: "
        '%(default)s, those that show none)',
    )
    parser.add_argument(
        '--out-dir', type=Path, help='folder to write (default: that of the input)'
    )
    add_run_options(parser, 'leave images with broken labels out instead of stopping')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert, and say what was written."""
    args = parse_args(argv)
    folder = args.out_dir or args.input.parent
    split = args.input.stem.removeprefix('panoptic_')
    output = folder / f'instances_{split}_voc.json'
    panoptic = folder / f'panoptic_{split}_voc'
    with running(args, output.name) as run:
        summary = convert_file(
            args.input,
            output,
            panoptic,
            png_dir=args.panoptic_dir,
            min_pixels=args.min_pixels,
            run=run,
        )
    annotations = summary.document['annotations']
    crowds = sum(annotation['iscrowd'] for annotation in annotations)
    counts = f', {len(annotations) - crowds} objects, {crowds} group regions'
    print_summary(output, summary, counts, panoptic)


if __name__ == '__main__':
    with user_errors():
        main()
