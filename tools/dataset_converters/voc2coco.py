"""Convert PASCAL VOC 2012 and SBD to COCO JSON with masks, void and image tags."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsis.dataset_converters.command_line import (
    add_run_options,
    parser_with_examples,
    print_summary,
    running,
)
from mmwsis.dataset_converters.voc import TAGS, VocOptions, convert_split
from mmwsis.dataset_converters.voc_clicks import convert_clicks
from mmwsis.dataset_converters.voc_layout import SPLITS, find_layout
from mmwsis.engine.user_errors import user_errors

EXAMPLES = """expected folders:
  VOC_ROOT (or the folder VOCdevkit around VOC2012)
    JPEGImages/2007_000032.jpg
    SegmentationClass/2007_000032.png     classes, 255 = void
    SegmentationObject/2007_000032.png    objects, 255 = void
    Annotations/2007_000032.xml           boxes; tells which objects are difficult
    ImageSets/Segmentation/{train,val,trainval}.txt
  SBD_ROOT (or the folder benchmark_RELEASE around dataset)
    inst/2008_000002.mat  cls/2008_000002.mat  train.txt  val.txt

examples:
  # the training set of the papers (10,582 images) and val, into data/voc/annotations/
  python tools/dataset_converters/voc2coco.py data/voc --sbd data/sbd \\
      --split train_aug val --workers 8

  # panoptic JSON and PNG, too: the objects, and background as the one class of stuff
  python tools/dataset_converters/voc2coco.py data/voc --sbd data/sbd \\
      --split train_aug val --panoptic --workers 8

  # a list of your own, with image tags from the XML as IRNet takes them
  python tools/dataset_converters/voc2coco.py data/voc --sbd data/sbd \\
      --list my_images.txt --tags xml --out-dir work/annotations

  # the published clicks on VOC (Bearman et al.) as data/voc/weak/points_train.json
  python tools/dataset_converters/voc2coco.py data/voc --split train \\
      --clicks whats_the_point.json

train_aug is built from the lists: SBD's train and val with VOC's train, without VOC's
val. Where VOC has masks they are taken, else SBD's. Void pixels are in no mask and are
kept as images[].void.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = parser_with_examples(__doc__, EXAMPLES)
    parser.add_argument('voc_root', help='folder of VOC 2012')
    parser.add_argument('--sbd', metavar='SBD_ROOT', help='folder of SBD')
    parser.add_argument(
        '--split', nargs='+', default=[], choices=SPLITS, help='splits to convert'
    )
    parser.add_argument(
        '--list',
        nargs='+',
        default=[],
        metavar='FILE',
        help='text files with one image name per line, instead of or besides --split',
    )
    parser.add_argument(
        '--out-dir',
        help='folder of instances_<split>.json (default: VOC_ROOT/annotations), with '
        '--clicks of points_<split>.json (default: VOC_ROOT/weak)',
    )
    parser.add_argument(
        '--tags',
        default='masks',
        choices=TAGS,
        help='image tags from the class map or from the XML (default: %(default)s)',
    )
    parser.add_argument(
        '--semantic-dir',
        metavar='DIR',
        help='write semantic maps there, for VOC and SBD alike, as <name>.png',
    )
    parser.add_argument(
        '--panoptic',
        action='store_true',
        help='also write panoptic_<split>.json and a folder of PNGs',
    )
    parser.add_argument(
        '--clicks',
        metavar='FILE',
        help='write the points that people clicked instead, from a JSON of image -> '
        'list of {"cls": 1 to 20, "x": ..., "y": ...}',
    )
    add_run_options(parser, 'leave images with broken labels out instead of stopping')
    args = parser.parse_args(argv)
    if not args.split and not args.list:
        parser.error('give --split or --list')
    if args.clicks and args.panoptic:
        parser.error('--clicks makes points, which have no panoptic files')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Convert, and say what was written."""
    args = parse_args(argv)
    for split in [*args.split, *args.list]:
        (convert_points if args.clicks else convert_masks)(args, split)


def convert_masks(args: argparse.Namespace, split: str) -> None:
    """Convert the masks of a split."""
    title = f'instances_{Path(split).stem}.json'
    with running(args, title) as run:
        layout = find_layout(args.voc_root, args.sbd)
        folder = Path(args.out_dir or layout.voc / 'annotations')
        panoptic = folder / f'panoptic_{Path(split).stem}' if args.panoptic else None
        options = VocOptions(args.tags, args.semantic_dir, panoptic and str(panoptic))
        summary = convert_split(layout, split, folder / title, options, run)
    annotations = summary.document['annotations']
    sources = summary.document['info']['mmwsis']['images_from']
    difficult = sum(annotation.get('difficult', 0) for annotation in annotations)
    void = sum('void' in image for image in summary.document['images'])
    counts = (
        f' ({sources["voc"]} with masks of VOC, {sources["sbd"]} of SBD), '
        f'{len(annotations)} objects, {difficult} of them difficult, void in {void} '
        'images'
    )
    print_summary(folder / title, summary, counts, panoptic)


def convert_points(args: argparse.Namespace, split: str) -> None:
    """Convert the clicks of a split."""
    title = f'points_{Path(split).stem}.json'
    with running(args, title) as run:
        layout = find_layout(args.voc_root, args.sbd)
        output = Path(args.out_dir or layout.voc / 'weak', title)
        summary = convert_clicks(layout, args.clicks, split, output, run)
    print_summary(output, summary, f', {len(summary.document["annotations"])} clicks')


if __name__ == '__main__':
    with user_errors():
        main()
