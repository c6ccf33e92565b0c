r"""Draw what BESTIE learns from: pseudo labels, and refined ones as training goes on.

Example::

    python tools/analysis_tools/show_bestie.py configs/bestie/bestie_r50_voc.py \
        work_dirs/bestie_r50_voc/iter_50000.pth --out bestie.png

A row per training crop: semantic map and cues, centres and offsets of the pseudo
labels, and those of the refined labels at several moments of training, like Fig. 5 of
the paper. Of one checkpoint, earlier ones in its folder are drawn, too.
"""

from mmwsis.apis.figure_tool import figure_parser
from mmwsis.engine.run_config import load_run_config
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.refinement_figure import draw_refinement


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of BESTIE', 'bestie.png', many=True)
    parser.add_argument('--seed', type=int, default=0, help='seed of the crops')
    args = parser.parse_args()
    cfg = load_run_config(args.config, args.cfg_options, args.dataset)
    figure = draw_refinement(
        cfg, args.checkpoints, args.out, args.num, args.seed, args.device
    )
    print(figure)


if __name__ == '__main__':
    with user_errors():
        main()
