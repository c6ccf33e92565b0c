r"""Draw what BESTIE learns from: pseudo labels, and refined ones as training goes on.

Example::

    python tools/analysis_tools/show_bestie.py configs/bestie/bestie_r50_voc.py \
        work_dirs/bestie_r50_voc/iter_50000.pth --out bestie.png

A row per training crop: semantic map and cues, centres and offsets of the pseudo
labels, and those of the refined labels at several moments of training, like Fig. 5 of
the paper. Of one checkpoint, earlier ones in its folder are drawn, too.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.engine.run_config import load_run_config
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.refinement_figure import draw_refinement


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of BESTIE')
    parser.add_argument('checkpoints', nargs='+', help='one or more checkpoints of it')
    parser.add_argument('--out', default='bestie.png', help='image file to write')
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
    cfg = load_run_config(args.config, args.cfg_options, args.dataset)
    figure = draw_refinement(
        cfg, args.checkpoints, args.out, args.num, args.seed, args.device
    )
    print(figure)


if __name__ == '__main__':
    with user_errors():
        main()
