r"""Draw the Grad-CAM of crops and the label maps that a classifier makes of their tags.

Example::

    python tools/analysis_tools/show_grad_cam.py \
        configs/weak_panoptic/classifier_r50_cityscapes.py \
        work_dirs/classifier_r50_cityscapes/iter_27890.pth --out grad_cam.png

A row per image: its crops, the maps of the surest classes of one of them, the label map
of that crop, and that of the image, where all crops over a pixel agree.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.apis import LabelInferencer
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.grad_cam_figure import draw_grad_cam


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a classifier of crops')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', default='grad_cam.png', help='image file to write')
    parser.add_argument('--num', type=int, default=4, help='number of images')
    parser.add_argument('--classes', type=int, default=3, help='maps for each of them')
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
    print(draw_grad_cam(labeler, args.out, args.num, args.classes))


if __name__ == '__main__':
    with user_errors():
        main()
