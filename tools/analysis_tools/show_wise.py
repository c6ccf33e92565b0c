r"""Draw how WISE comes from an image to its instances.

Example::

    python tools/analysis_tools/show_wise.py configs/wise/wise_r50_voc.py \
        work_dirs/wise_r50_voc/iter_200000.pth --out wise.png

A row per training image: blobs and their peaks; the embedding in the colours of its
three principal components, with the objects and the representatives of the background;
the object of every pixel; the instances, most of them chosen proposals; and the truth
where the dataset has masks.
"""

from mmwsis.apis.figure_tool import figure_parser, labeler_of
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.wise_figure import draw_wise


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of WISE', 'wise.png')
    args = parser.parse_args()
    print(draw_wise(labeler_of(args), args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
