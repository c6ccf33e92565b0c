"""Derive weakly labelled COCO files from a fully labelled one."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.coco2weak import convert_file, output_name
from mmwsis.dataset_converters.command_line import (
    add_protocol_options,
    add_run_options,
    parser_with_examples,
    protocol_of,
    running,
)
from mmwsis.dataset_converters.conversion import is_made_by
from mmwsis.dataset_converters.crop_tags import parse_crop_size
from mmwsis.engine.user_errors import user_errors
from mmwsis.structures.supervision import Supervision

EXAMPLES = """examples:
  # extreme points of COCO, four processes
  python tools/dataset_converters/coco2weak.py \\
      data/coco/annotations/instances_train2017.json \\
      --level extreme_points \\
      --out data/coco/weak/extreme_points_train2017.json --workers 4

  # all levels at once, as data/coco/weak/<level>_train2017.json
  python tools/dataset_converters/coco2weak.py \\
      data/coco/annotations/instances_train2017.json \\
      --level image_tags points boxes extreme_points --out-dir data/coco/weak

  # random clicks instead of the most interior pixel
  python tools/dataset_converters/coco2weak.py instances.json \\
      --level points --points-mode uniform --seed 7 --out points.json

  # clicks that miss by 2 % of the object, with the same errors for both levels
  python tools/dataset_converters/coco2weak.py instances.json \\
      --level extreme_points boxes --click-noise 0.02 --seed 7 --out-dir weak/noise2

  # COCO panoptic: boxes of the things, tags of things and stuff; no PNG is read
  python tools/dataset_converters/coco2weak.py \\
      data/coco/annotations/panoptic_train2017.json \\
      --level image_tags boxes --out-dir data/coco/weak

  # the objects of an instances file, with stuff tags from panoptic files
  python tools/dataset_converters/coco2weak.py \\
      data/coco/annotations/instances_train2014.json --level boxes \\
      --stuff-tags data/coco/annotations/panoptic_train2017.json \\
      data/coco/annotations/panoptic_val2017.json \\
      --out data/coco/weak/boxes_stuff_train2014.json

  # boxes of the things of Cityscapes, and the classes of 15 crops of every image
  python tools/dataset_converters/coco2weak.py \\
      data/cityscapes/annotations/panoptic_train.json --level boxes \\
      --crop-tags 400x500 --out data/cityscapes/weak/boxes_train.json

A file of a level holds that level's labels and nothing stronger: no segmentation, and
no area but that of the box. Crowd regions (iscrowd 1) have no point and no extreme
points; they keep their box from level boxes on. LVIS files keep the frequency group of
every class and the lists of absent and of not exhaustively annotated classes.
"""
LEVELS = [level.label for level in Supervision]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('input', help='COCO or LVIS JSON with masks, or COCO panoptic')
    parser.add_argument(
        '--level',
        nargs='+',
        required=True,
        choices=LEVELS,
        help='masks: of panoptic files, and with --stuff-tags or --crop-tags',
    )
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument('--out', help='file to write (one level)')
    target.add_argument('--out-dir', help='folder for <level>_<split>.json')
    add_protocol_options(parser, seed='of --points-mode uniform and --click-noise')
    parser.add_argument(
        '--panoptic-dir',
        metavar='DIR',
        help='PNGs of a panoptic file (default: the folder beside it of its name)',
    )
    parser.add_argument(
        '--stuff-tags',
        nargs='+',
        default=[],
        metavar='FILE',
        help='COCO panoptic JSONs that stuff tags are taken from, by image id',
    )
    parser.add_argument(
        '--crop-tags',
        metavar='HxW',
        help='also write the classes of each crop of HxW pixels: of things and stuff '
        'from a panoptic file, of objects from their masks',
    )
    add_run_options(parser)
    parser.add_argument(
        '--keep-handmade',
        action='store_true',
        help='leave output files alone that this tool has not made, such as clicks of '
        'people, whatever --overwrite says',
    )
    args = parser.parse_args(argv)
    if args.out and len(args.level) > 1:
        parser.error('--out takes one level; use --out-dir for several')
    try:
        args.crop_tags = args.crop_tags and parse_crop_size(args.crop_tags)
    except ValueError as error:
        parser.error(f'--crop-tags: {error}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Convert, and say what was written."""
    args = parse_args(argv)
    levels = [Supervision.parse(name) for name in args.level]
    outputs = {
        level: Path(args.out or Path(args.out_dir) / output_name(args.input, level))
        for level in levels
    }
    if args.keep_handmade:
        for level, path in list(outputs.items()):
            if path.exists() and not is_made_by('coco2weak', path):
                print(f'{path}: kept, coco2weak has not made it')
                del outputs[level]
        if not outputs:
            return
    with running(args, 'weak labels') as run:
        results = convert_file(
            args.input,
            outputs,
            protocol_of(args),
            panoptic_dir=args.panoptic_dir,
            stuff_tags=args.stuff_tags,
            crop_size=args.crop_tags,
            run=run,
        )
    for level, path in outputs.items():
        result = results[level]
        skipped = result['info']['mmwsis'].get('skipped_annotations')
        note = f', {skipped} invalid left out' if skipped else ''
        print(
            f'{path}: {level.label}, {len(result["images"])} images, '
            f'{len(result.get("annotations", []))} annotations{note}'
        )


if __name__ == '__main__':
    with user_errors():
        main()
