"""Make a semi-supervised set: some images with masks, others with weaker labels."""

import argparse
from collections.abc import Sequence

from mmwsis.dataset_converters.command_line import (
    add_protocol_options,
    add_run_options,
    parser_with_examples,
    protocol_of,
    running,
)
from mmwsis.dataset_converters.crop_tags import parse_crop_size
from mmwsis.dataset_converters.mixture import (
    Share,
    mix_file,
    parse_amount,
    summarize_levels,
)
from mmwsis.engine.user_errors import user_errors
from mmwsis.structures.supervision import Supervision

EXAMPLES = """examples:
  # masks for a tenth of COCO, one click per object for the rest
  python tools/dataset_converters/mix_supervision.py \\
      data/coco/annotations/instances_train2017.json \\
      --masks 10% --points rest --seed 0 \\
      --out data/coco/weak/masks10_points90_train2017.json

  # 500 images with masks, 2000 with boxes, the others left out
  python tools/dataset_converters/mix_supervision.py instances_train.json \\
      --masks 500 --boxes 2000 --out mixed.json

  # Cityscapes: a quarter fully labelled, boxes of things and tags of crops for the rest
  python tools/dataset_converters/mix_supervision.py \\
      data/cityscapes/annotations/panoptic_gtFine_train.json \\
      --masks 25% --boxes rest --crop-tags 400x500 \\
      --out data/cityscapes/weak/masks25_boxes75_train.json

An amount is a share (0.1 or 10%), a number of images (500), or 'rest'. With the same
seed, the images of a smaller share are among those of a larger one. Every image says
its level in images[].supervision and holds no label that is stronger; declare the
dataset with supervision='masks' (or the strongest level in it) to train on it.
"""
SHOWN_CLASSES = 10


def amount(text: str) -> int | float | None:
    """Type of the amounts, for argparse."""
    try:
        return parse_amount(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('input', help='COCO or LVIS JSON with masks, or panoptic JSON')
    parser.add_argument('--out', required=True, help='file to write')
    for level in sorted(Supervision, reverse=True):
        parser.add_argument(
            f'--{level.label.replace("_", "-")}',
            dest=level.label,
            type=amount,
            default=argparse.SUPPRESS,
            metavar='AMOUNT',
            help=f'images of level {level.label}',
        )
    parser.add_argument(
        '--panoptic-dir',
        metavar='DIR',
        help='PNGs of a panoptic file; default: the folder of its name beside it',
    )
    parser.add_argument(
        '--crop-tags',
        metavar='HxW',
        help='also write the classes of each crop of HxW pixels, as coco2weak.py does',
    )
    add_protocol_options(parser, seed='of the draw')
    add_run_options(parser)
    args = parser.parse_args(argv)
    try:
        args.crop_tags = args.crop_tags and parse_crop_size(args.crop_tags)
    except ValueError as error:
        parser.error(f'--crop-tags: {error}')
    args.shares = [
        Share(level, getattr(args, level.label))
        for level in sorted(Supervision, reverse=True)
        if hasattr(args, level.label)
    ]
    if not args.shares:
        parser.error('give the amount of at least one level, such as --masks 10%')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Mix, and say what each level got."""
    args = parse_args(argv)
    with running(args, 'annotations') as run:
        protocol = protocol_of(args)
        mixture = mix_file(
            args.input,
            args.out,
            args.shares,
            protocol,
            seed=args.seed,
            panoptic_dir=args.panoptic_dir,
            crop_size=args.crop_tags,
            run=run,
        )
    left_out = mixture['info']['mmwsis']['images_left_out']
    print(f'{args.out}: {len(mixture["images"])} images, {left_out} left out')
    for level, row in summarize_levels(mixture).items():
        print(f'  {level:15}{row["images"]:8} images {row["objects"]:9} objects')
        absent = row['absent_classes']
        if absent:
            more = ', ...' if len(absent) > SHOWN_CLASSES else ''
            names = ', '.join(absent[:SHOWN_CLASSES])
            print(f'    shows no object of {len(absent)} classes: {names}{more}')


if __name__ == '__main__':
    with user_errors():
        main()
