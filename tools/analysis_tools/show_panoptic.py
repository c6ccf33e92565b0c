r"""Draw how WeakPanoptic comes from an image and detections to its segments.

Example::

    python tools/analysis_tools/show_panoptic.py \
        configs/weak_panoptic/weak_panoptic_r101_voc.py \
        work_dirs/weak_panoptic_r101_voc/iter_30000.pth --out panoptic.png

A row per image that the network is tested on: the image with its detections; the map of
the semantic network; the segments, whose pixels no two share; and the truth where the
evaluator names it; of a semantic network (``semantic_*.py``) its map and the truth. A
class has one colour, things are told apart by lines.
"""

from mmwsis.apis.figure_tool import figure_parser, labeler_of
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.panoptic_network_figure import draw_network


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of WeakPanoptic', 'panoptic.png')
    args = parser.parse_args()
    print(draw_network(labeler_of(args), args.out, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
