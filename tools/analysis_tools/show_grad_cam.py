r"""Draw the Grad-CAM of crops and the label maps that a classifier makes of their tags.

Example::

    python tools/analysis_tools/show_grad_cam.py \
        configs/weak_panoptic/classifier_r50_cityscapes.py \
        work_dirs/classifier_r50_cityscapes/iter_27890.pth --out grad_cam.png

A row per image: its crops, the maps of the surest classes of one of them, the label map
of that crop, and that of the image, where all crops over a pixel agree.
"""

from mmwsis.apis.figure_tool import figure_parser, labeler_of
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.grad_cam_figure import draw_grad_cam


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of a classifier of crops', 'grad_cam.png')
    parser.add_argument('--classes', type=int, default=3, help='maps for each of them')
    args = parser.parse_args()
    print(draw_grad_cam(labeler_of(args), args.out, args.num, args.classes))


if __name__ == '__main__':
    with user_errors():
        main()
