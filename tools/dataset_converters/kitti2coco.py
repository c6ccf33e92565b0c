"""Convert KITTI to COCO JSON: boxes and points, or masks of the instance maps."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    print_summary,
    running,
)
from mmwsis.dataset_converters.image_records import Summary
from mmwsis.dataset_converters.kitti_boxes import LEVELS, KittiBoxOptions, convert_boxes
from mmwsis.dataset_converters.kitti_classes import (
    KITTI_BOX_CLASSES,
    KITTI_MASK_CLASSES,
)
from mmwsis.dataset_converters.kitti_masks import KittiMaskOptions, convert_masks
from mmwsis.engine.user_errors import user_errors
from mmwsis.structures.supervision import Supervision

EXAMPLES = """expected folders:
  ROOT (object detection)                     ROOT (semantics, 200 images)
    training/image_2/000000.png                 training/image_2/000000_10.png
    training/label_2/000000.txt                 training/instance/000000_10.png
    ImageSets/train.txt  (3,712 names)

examples:
  # WISE: a point at the centre of every car, for the 3,712 training images
  python tools/dataset_converters/kitti2coco.py boxes data/kitti/object \\
      --list data/kitti/object/ImageSets/train.txt --level points \\
      --out-dir data/kitti/weak

  # masks of cars and persons in all images that have an instance map
  python tools/dataset_converters/kitti2coco.py masks data/kitti/semantics \\
      --classes car person --out data/kitti/annotations/instances_val.json
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    commands = parser.add_subparsers(dest='command', required=True)
    boxes = commands.add_parser('boxes', help='boxes and points of label_2')
    boxes.add_argument('root', type=Path, help='folder with training/')
    boxes.add_argument(
        '--list', type=Path, required=True, help='text file, one image name per line'
    )
    boxes.add_argument(
        '--level',
        nargs='+',
        default=['points', 'boxes'],
        choices=[level.label for level in LEVELS],
        help='files to write (default: both)',
    )
    boxes.add_argument(
        '--classes',
        nargs='+',
        default=['car'],
        choices=[one.name for one in KITTI_BOX_CLASSES],
        help='(default: car)',
    )
    boxes.add_argument('--label-dir', type=Path, help='default: ROOT/training/label_2')
    boxes.add_argument(
        '--out-dir', type=Path, help='of <level>_<list>.json (default: ROOT/weak)'
    )
    masks = commands.add_parser('masks', help='masks of the instance maps')
    masks.add_argument('root', type=Path, help='folder with training/')
    masks.add_argument(
        '--list', type=Path, help='text file, one image name per line (default: all)'
    )
    masks.add_argument(
        '--classes',
        nargs='+',
        default=['car'],
        choices=KITTI_MASK_CLASSES,
        help='(default: car)',
    )
    masks.add_argument(
        '--instance-dir', type=Path, help='default: ROOT/training/instance'
    )
    masks.add_argument('--out', type=Path, required=True, help='file to write')
    for command in (boxes, masks):
        command.add_argument(
            '--image-dir', type=Path, help='default: ROOT/training/image_2'
        )
        add_run_options(
            command, 'leave images with broken labels out instead of stopping'
        )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert, and say what was written."""
    args = parse_args(argv)
    images = args.image_dir or args.root / 'training/image_2'
    classes = tuple(args.classes)
    if args.command == 'masks':
        folder = args.instance_dir or args.root / 'training/instance'
        with running(args, args.out.name) as run:
            options = KittiMaskOptions(images, folder, classes)
            result = convert_masks(args.list, args.out, options, run)
        report(args.out, result)
        return
    labels = args.label_dir or args.root / 'training/label_2'
    for level in map(Supervision.parse, args.level):
        folder = args.out_dir or args.root / 'weak'
        output = folder / f'{level.label}_{args.list.stem}.json'
        with running(args, output.name) as run:
            box_options = KittiBoxOptions(images, labels, level, classes)
            result = convert_boxes(args.list, output, box_options, run)
        report(output, result)


def report(output: Path, summary: Summary) -> None:
    """Print what a file holds."""
    annotations = summary.document['annotations']
    crowds = sum(annotation['iscrowd'] for annotation in annotations)
    counts = f', {len(annotations) - crowds} objects, {crowds} ignored regions'
    print_summary(output, summary, counts)


if __name__ == '__main__':
    with user_errors():
        main()
