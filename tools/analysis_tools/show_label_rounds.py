r"""Draw panoptic labels of several rounds, beside the truth where there is one.

Example::

    python tools/analysis_tools/show_label_rounds.py \
        data/cityscapes/pseudo_labels/weak_panoptic_round{0,2,5}.json \
        --truth data/cityscapes/annotations/panoptic_gtFine_train.json \
        --img-dir data/cityscapes/leftImg8bit/train --out rounds.png

A row per image: the image, the labels of every file, and with --truth the truth. A
class has one colour in all of them, lines part its segments, and what is not labelled
is white.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmwsis.engine.user_errors import user_errors
from mmwsis.formats.panoptic_files import PanopticFile
from mmwsis.visualization.panoptic_figure import PanopticColumn, panoptic_sheet
from mmwsis.visualization.sheet import save_image


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('labels', nargs='+', help='COCO panoptic JSON of each round')
    parser.add_argument('--truth', help='COCO panoptic JSON')
    parser.add_argument('--truth-seg', help="folder of its PNGs, if not the JSON's")
    parser.add_argument('--img-dir', required=True, help='folder of the images')
    parser.add_argument('--out', default='rounds.png', help='image file to write')
    parser.add_argument('--num', type=int, default=4, help='number of images')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    args = parse_args(argv)
    truth = None
    if args.truth is not None:
        folder = args.truth_seg or Path(args.truth).with_suffix('')
        truth = PanopticFile(args.truth, folder)
    columns = [
        PanopticColumn(Path(file).stem, PanopticFile(file, Path(file).with_suffix('')))
        for file in args.labels
    ]
    sheet = panoptic_sheet(args.img_dir, truth, columns, num=args.num)
    print(save_image(Path(args.out), sheet))


if __name__ == '__main__':
    with user_errors():
        main()
