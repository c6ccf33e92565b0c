"""Write pseudo labels or other COCO masks for labelling tools and trainers."""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    running,
)
from mmwsis.dataset_converters.conversion import shorten
from mmwsis.dataset_converters.exporters.export_labels import FORMATS, export_labels
from mmwsis.dataset_converters.exporters.settings import (
    IMAGES,
    LOCAL_FILES,
    PARTS,
    SHAPES,
    ExportSettings,
)
from mmwsis.engine.user_errors import user_errors

EXAMPLES = """examples:
  # a folder that LabelMe opens, with links to the images
  python tools/export_labels.py work_dirs/labels/pseudo_labels.json --to labelme \\
      --img-dir data/bolts/images --images link --out work_dirs/to_correct

  # plain COCO for another trainer
  python tools/export_labels.py work_dirs/labels/pseudo_labels.json --to coco \\
      --out work_dirs/coco
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('file', type=Path, help='COCO JSON with masks')
    parser.add_argument('--to', required=True, choices=FORMATS)
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--img-dir', type=Path, help='image folder')
    parser.add_argument(
        '--shape',
        choices=SHAPES,
        help='polygon: outlines that can be edited, and masks only where no outline '
        'says the same; mask: masks (default: polygon; coco: what FILE has)',
    )
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.0,
        metavar='PIXELS',
        help='simplify outlines that stay within so many pixels (default: not at all)',
    )
    parser.add_argument(
        '--parts',
        default='bridge',
        choices=PARTS,
        help='yolo-seg: components of an object are bridged, or split into objects '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--images',
        default='none',
        choices=IMAGES,
        help='put links to the images, or copies, beside the labels '
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--image-url',
        default=LOCAL_FILES,
        metavar='URL',
        help='labelstudio: what stands before the file names in the addresses of the '
        'images (default: %(default)s, local storage)',
    )
    parser.add_argument(
        '--val',
        type=Path,
        metavar='FILE',
        help='yolo-seg and coco: label file of the validation images, for the same '
        'folder',
    )
    parser.add_argument(
        '--val-img-dir',
        type=Path,
        metavar='DIR',
        help='folder of the validation images (default: --img-dir)',
    )
    parser.add_argument(
        '--report',
        type=Path,
        metavar='FILE',
        help='read the export back, compare every mask, and write what was lost',
    )
    parser.add_argument(
        '--annotation-ids', type=int, nargs='+', metavar='ID', help='only these'
    )
    parser.add_argument(
        '--image-ids', type=int, nargs='+', metavar='ID', help='only these images'
    )
    add_run_options(parser, 'leave labels without a usable mask out')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Export, and say what was written and what was not."""
    args = parse_args(argv)
    with running(args, 'images') as run:
        names = [field.name for field in dataclasses.fields(ExportSettings)]
        settings = ExportSettings(**{name: getattr(args, name) for name in names})
        report = export_labels(
            args.file,
            args.to,
            args.out,
            settings,
            args.annotation_ids,
            args.image_ids,
            report=args.report,
            run=run,
        )
    print(f'{args.out}: {report.objects} objects of {report.images} images')
    if args.report is not None:
        figures = report.round_trip
        print(
            f'{args.report}: of {figures["objects"]} objects {figures["back_as_one"]} '
            f'came back as one, {figures["back_as_several"]} as several, '
            f'{figures["lost"]} not at all, {figures["other_class"]} in another class'
        )
        for key in ('iou', 'iou_opencv'):
            if key in figures:
                line = 'mean {mean:.4f}, smallest {min:.4f}, {below_1} below 1'
                print(f'{key}: {line.format(**figures[key])}')
    if report.simplified:
        print(_cost(args.tolerance, report.simplified))
    if report.turned and args.images == 'link':
        print(
            f'{report.turned} images are turned by EXIF data and the labels are those '
            'of the upright images: a reader that passes over EXIF sees them on their '
            'side; --images copy writes upright ones',
            file=sys.stderr,
        )
    if report.left_out:
        lines = [f'annotation id {number}: {why}' for number, why in report.left_out]
        print(f'left out: {len(lines)}\n{shorten(lines)}', file=sys.stderr)


def _cost(tolerance: float, figures: Mapping[str, Any]) -> str:
    """What leaving out corners has cost, in a line."""
    text = f'tolerance {tolerance:g}: no object has corners to leave out'
    if figures['objects']:
        text = (
            f'tolerance {tolerance:g}: {figures["objects"]} objects, IoU with their '
            'masks mean {mean_iou:.4f}, smallest {min_iou:.4f}'.format(**figures)
        )
    if figures['bitmaps']:
        text += (
            f'; {figures["bitmaps"]} went over as bitmaps, to which it does not apply '
            '(--shape polygon makes outlines)'
        )
    return text


if __name__ == '__main__':
    with user_errors():
        main()
