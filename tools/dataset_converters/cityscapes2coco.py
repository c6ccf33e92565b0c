"""Convert Cityscapes (fine or coarse) to COCO JSON: instances, panoptic, tags."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.cityscapes import (
    CATEGORY_IDS,
    KINDS,
    LABEL_FILES,
    SPLITS,
    CityscapesOptions,
    convert_split,
)
from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    print_summary,
    running,
)
from mmwsis.engine.user_errors import user_errors

EXAMPLES = """expected folders:
  ROOT
    leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png
    gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png
    gtCoarse/train_extra/augsburg/augsburg_000000_000000_gtCoarse_instanceIds.png

examples:
  # data/cityscapes/annotations/instances_gtFine_{train,val}.json
  python tools/dataset_converters/cityscapes2coco.py data/cityscapes \\
      --split train val --workers 8

  # panoptic JSON and PNG, and labelTrainIds maps, too
  python tools/dataset_converters/cityscapes2coco.py data/cityscapes \\
      --split train val --panoptic --semantic --workers 8

  # the coarsely annotated images
  python tools/dataset_converters/cityscapes2coco.py data/cityscapes \\
      --annotations coarse --split train_extra --panoptic --workers 8

Things (8 classes) become objects with mask and box, groups of things crowd regions
(iscrowd 1). images[].tags has the classes present, stuff too; images[].void the pixels
that are neither trained nor measured on.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('root', type=Path, help='folder of Cityscapes')
    parser.add_argument('--split', nargs='+', required=True, choices=SPLITS)
    parser.add_argument(
        '--annotations',
        default='fine',
        choices=sorted(KINDS),
        help='gtFine or gtCoarse (default: %(default)s)',
    )
    parser.add_argument(
        '--panoptic',
        action='store_true',
        help='also write panoptic_<kind>_<split>.json and a folder of PNGs',
    )
    parser.add_argument(
        '--semantic',
        action='store_true',
        help='also write labelTrainIds maps beside the label files',
    )
    parser.add_argument(
        '--ids',
        default='ids',
        choices=CATEGORY_IDS,
        help='category ids: 7 to 33 or 0 to 18 (default: %(default)s)',
    )
    parser.add_argument(
        '--label-files',
        default='instanceIds',
        choices=LABEL_FILES,
        help='which files to read (default: %(default)s, those of the archive)',
    )
    parser.add_argument(
        '--out-dir', type=Path, help='folder to write (default: ROOT/annotations)'
    )
    add_run_options(parser, 'leave images with broken labels out instead of stopping')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert, and say what was written."""
    args = parse_args(argv)
    kind = KINDS[args.annotations]
    folder = args.out_dir or args.root / 'annotations'
    for split in args.split:
        output = folder / f'instances_{kind}_{split}.json'
        panoptic = folder / f'panoptic_{kind}_{split}' if args.panoptic else None
        with running(args, output.name) as run:
            options = CityscapesOptions(
                args.root,
                kind,
                split,
                args.label_files,
                args.ids,
                panoptic,
                args.root / kind / split if args.semantic else None,
            )
            summary = convert_split(options, output, run)
        annotations = summary.document['annotations']
        crowds = sum(annotation['iscrowd'] for annotation in annotations)
        counts = f', {len(annotations) - crowds} objects, {crowds} group regions'
        print_summary(output, summary, counts, panoptic)


if __name__ == '__main__':
    with user_errors():
        main()
