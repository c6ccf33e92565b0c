r"""Draw what IRNet sees in training images: boundaries, displacements, instances, walk.

Example::

    python tools/analysis_tools/show_irnet.py configs/irnet/irnet_r50_voc.py \
        work_dirs/irnet_r50_voc/epoch_3.pth --out irnet.png

A row per image: class maps, boundary map, displacement field with its colour wheel,
instance map, the strongest of the channels after the random walk, pseudo instances, and
the ground truth where the dataset has one.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.apis import LabelInferencer
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.relation_figure import draw_relations


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of an IRNet labeler')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', default='irnet.png', help='image file to write')
    parser.add_argument('--num', type=int, default=4, help='number of images')
    parser.add_argument('--device', default='cpu', help='such as cpu or cuda:0')
    parser.add_argument('--dataset', metavar='FILE', help='config of your own dataset')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override config settings'
    )
    return parser.parse_args()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    labeler = LabelInferencer(
        args.config, args.checkpoint, args.device, args.cfg_options, args.dataset
    )
    print(draw_relations(labeler, args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
