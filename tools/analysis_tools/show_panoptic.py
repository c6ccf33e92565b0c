r"""Draw how WeakPanoptic comes from an image and detections to its segments.

Example::

    python tools/analysis_tools/show_panoptic.py \
        configs/weak_panoptic/weak_panoptic_r101_voc.py \
        work_dirs/weak_panoptic_r101_voc/iter_30000.pth --out panoptic.png

A row per image that the network is tested on: the image with its detections; the map of
the semantic network; the segments, whose pixels no two share; and the truth where the
evaluator names it. A class has one colour, things are told apart by lines.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.apis import LabelInferencer
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.panoptic_network_figure import draw_network


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of WeakPanoptic with its instance_head')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', default='panoptic.png', help='image file to write')
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
    print(draw_network(labeler, args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
