r"""Draw the point retrieval of an EXITS labeler on crops of its training set.

Example::

    python tools/analysis_tools/show_retrieval.py configs/exits/labeler_vit-b_coco.py \
        work_dirs/labeler_vit-b_coco/epoch_10.pth --out retrieval.png
"""

import argparse

from mmengine.config import DictAction

from mmwsis.apis import LabelInferencer
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.retrieval_figure import draw_retrieval


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Draw EXITS point retrieval.')
    parser.add_argument('config', help='config of an EXITS labeler')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', default='retrieval.png', help='image file to write')
    parser.add_argument('--num', type=int, default=4, help='number of crops')
    parser.add_argument('--seed', type=int, default=0, help='seed of the crops')
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
    print(draw_retrieval(labeler, args.out, args.num, args.seed))


if __name__ == '__main__':
    with user_errors():
        main()
