r"""Draw what IRNet sees in training images: boundaries, displacements, instances, walk.

Example::

    python tools/analysis_tools/show_irnet.py configs/irnet/irnet_r50_voc.py \
        work_dirs/irnet_r50_voc/epoch_3.pth --out irnet.png

A row per image: class maps, boundary map, displacement field with its colour wheel,
instance map, the strongest of the channels after the random walk, pseudo instances, and
the ground truth where the dataset has one.
"""

from mmwsis.apis.figure_tool import figure_parser, labeler_of
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.relation_figure import draw_relations


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of an IRNet labeler', 'irnet.png')
    args = parser.parse_args()
    print(draw_relations(labeler_of(args), args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
