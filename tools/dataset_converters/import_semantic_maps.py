"""Import a folder of semantic PNGs of another project as a folder of semantic maps."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    running,
)
from mmwsis.dataset_converters.conversion import shorten
from mmwsis.dataset_converters.semantic_import import (
    SemanticImport,
    import_semantic_maps,
)
from mmwsis.dataset_converters.semantic_pixels import PIXELS
from mmwsis.dataset_converters.semantic_tables import SemanticTable, requested_table
from mmwsis.engine.user_errors import user_errors

EXAMPLES = """examples:
  # palette PNGs with the values of PASCAL VOC, such as those of other methods
  python tools/dataset_converters/import_semantic_maps.py wsss_masks/ \\
      data/voc/weak/image_tags_train_aug.json --mmseg PascalVOCDataset \\
      --rename pottedplant='potted plant' --out data/voc/pseudo_labels/wsss

  # *_gtFine_labelTrainIds.png in folders of cities
  python tools/dataset_converters/import_semantic_maps.py \\
      data/cityscapes/gtFine/train data/cityscapes/annotations/train.json \\
      --mmseg CityscapesDataset --out data/cityscapes/semantic_train

  # colours, with the labelmap.txt that CVAT exports beside them
  python tools/dataset_converters/import_semantic_maps.py export/SegmentationClass \\
      bolts/labels.json --classes export/labelmap.txt --out bolts/semantic

  # 0 background, then the categories in the order of the label file
  python tools/dataset_converters/import_semantic_maps.py maps/ bolts/labels.json \\
      --values category-order --background --out bolts/semantic

A map is found by the name of its image, whose size it must have. The result is read by
mmwsis.LoadSemanticMap and, with its values as they are, by MMSegmentation; measure it
with tools/analysis_tools/pseudo_label_quality.py.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('png_dir', metavar='PNG_DIR', help='folder of the maps')
    parser.add_argument(
        'labels', metavar='LABELS.json', help='COCO JSON of the images and categories'
    )
    parser.add_argument('--out', required=True, help='folder to write')
    table = parser.add_argument_group('what the values stand for (one of three)')
    source = table.add_mutually_exclusive_group(required=True)
    source.add_argument(
        '--mmseg',
        metavar='NAME',
        help='dataset of MMSegmentation',
    )
    source.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='names of the values 0, 1, ..., or a file of them: text with one in a '
        "line, CVAT's labelmap.txt, JSON",
    )
    source.add_argument(
        '--values',
        choices=('category-order', 'category-ids'),
        help='the categories of LABELS.json, by their place or by their id',
    )
    table.add_argument(
        '--background',
        action='store_true',
        help='value 0 is the background, which the names do not list',
    )
    table.add_argument(
        '--reduce-zero-label',
        action=argparse.BooleanOptionalAction,
        help='value 0 is no label and the first class is 1 (default: no; with --mmseg: '
        'as the dataset has it)',
    )
    table.add_argument(
        '--rename',
        nargs='+',
        default=[],
        metavar='OLD=NEW',
        help='names of the maps that LABELS.json spells otherwise',
    )
    table.add_argument(
        '--ignore-classes',
        nargs='+',
        default=[],
        metavar='NAME',
        help='classes that become 255',
    )
    table.add_argument(
        '--ignore-values',
        nargs='+',
        type=int,
        default=[],
        metavar='N',
        help='values, besides 255, that become 255',
    )
    table.add_argument(
        '--ignore-colours',
        nargs='+',
        type=_colour,
        default=[],
        metavar='R,G,B',
        help='colours that become 255',
    )
    parser.add_argument(
        '--pixels',
        choices=PIXELS,
        default='auto',
        help='what is read of palette PNGs: the index, unless their colours say '
        'otherwise (default: %(default)s)',
    )
    parser.add_argument(
        '--seg-suffix',
        metavar='TEXT',
        help="what names of maps have behind those of images (default: '.png', or that "
        'of --mmseg)',
    )
    parser.add_argument(
        '--img-suffix',
        metavar='TEXT',
        help='what names of images have in its place (default: any ending, or that of '
        '--mmseg)',
    )
    parser.add_argument(
        '--missing',
        choices=('error', 'skip'),
        default='error',
        help='images without a map (default: %(default)s)',
    )
    add_run_options(parser, 'leave broken maps out instead of stopping')
    return parser.parse_args(argv)


def _colour(text: str) -> tuple[int, ...]:
    parts = tuple(int(part) for part in text.split(','))
    if len(parts) != 3 or not all(0 <= part <= 255 for part in parts):
        raise ValueError(text)
    return parts


def main(argv: Sequence[str] | None = None) -> None:
    """Import, and say what was written and what was not."""
    args = parse_args(argv)
    with running(args, 'maps') as run:
        table = requested_table(
            args.labels,
            mmseg=args.mmseg,
            classes=args.classes,
            values=args.values,
            background=args.background,
            reduce_zero_label=args.reduce_zero_label,
            renames=args.rename,
            ignored_classes=args.ignore_classes,
            ignored=(*args.ignore_values, *args.ignore_colours),
            seg_suffix=args.seg_suffix,
            img_suffix=args.img_suffix,
        )
        result = import_semantic_maps(
            args.png_dir,
            args.labels,
            args.out,
            table,
            pixels=args.pixels,
            skip_missing=args.missing == 'skip',
            run=run,
        )
    print_result(result, Path(args.out), table)


def print_result(result: SemanticImport, out: Path, table: SemanticTable) -> None:
    """Say what was written on stdout, and what was not on stderr."""
    print(f'{out}: semantic maps of {result.images} images')
    print('  ' + ', '.join(f'{k} {name}' for k, name in enumerate(result.classes)))
    if [*table.names] != [*range(len(result.classes))]:
        print('  values were renumbered: MMSegmentation needs these classes')
    for lines, what in (
        (result.missing, 'images without a map'),
        (result.extra, 'maps of no image'),
        (result.unused, 'categories that no value stands for'),
        (result.left_out, 'broken maps, left out'),
        (
            result.untagged,
            'classes are in maps of images that lack their tag; if they are many, is '
            'the class table the right one, and --background said or not',
        ),
    ):
        if lines:
            print(f'{len(lines)} {what}:\n{shorten(lines)}', file=sys.stderr)


if __name__ == '__main__':
    with user_errors():
        main()
