r"""Draw how boxes become label maps: GrabCut, proposals, and where they agree.

Example::

    python tools/analysis_tools/show_box_labels.py \
        configs/weak_panoptic/box-labels_voc.py --out box_labels.png

A row per training image: its boxes; what GrabCut finds in them; the proposal that fits
each box best; the instances where both agree, unknown pixels in white.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.engine.run_config import load_run_config
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.box_label_figure import draw_box_labels


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of mmwsis.GrabCutProposals')
    parser.add_argument('--out', default='box_labels.png', help='image file to write')
    parser.add_argument('--num', type=int, default=4, help='number of images')
    parser.add_argument('--dataset', metavar='FILE', help='config of your own dataset')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override config settings'
    )
    return parser.parse_args()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    cfg = load_run_config(args.config, args.cfg_options, args.dataset)
    print(draw_box_labels(cfg, args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
