r"""Draw the point retrieval of an EXITS labeler on crops of its training set.

Example::

    python tools/analysis_tools/show_retrieval.py configs/exits/labeler_vit-b_coco.py \
        work_dirs/labeler_vit-b_coco/epoch_10.pth --out retrieval.png
"""

from mmwsis.apis.figure_tool import figure_parser, labeler_of
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.retrieval_figure import draw_retrieval


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of an EXITS labeler', 'retrieval.png')
    parser.add_argument('--seed', type=int, default=0, help='seed of the crops')
    args = parser.parse_args()
    print(draw_retrieval(labeler_of(args), args.out, args.num, args.seed))


if __name__ == '__main__':
    with user_errors():
        main()
