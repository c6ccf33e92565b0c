r"""Draw how WISE comes from an image to its instances.

Example::

    python tools/analysis_tools/show_wise.py configs/wise/wise_r50_voc.py \
        work_dirs/wise_r50_voc/iter_200000.pth --out wise.png

A row per training image: blobs and their peaks; the embedding in the colours of its
three principal components, with the objects and the representatives of the background;
the object of every pixel; the instances, most of them chosen proposals; and the truth
where the dataset has masks.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.apis import LabelInferencer
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.wise_figure import draw_wise


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of WISE')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('--out', default='wise.png', help='image file to write')
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
    print(draw_wise(labeler, args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
