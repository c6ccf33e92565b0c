r"""Draw the instance cues of a classifier, without and with its peak attention.

Example::

    python tools/analysis_tools/show_cues.py configs/bestie/pam_vgg16_voc.py \
        work_dirs/pam_vgg16_voc/epoch_15.pth --out cues.png

A row per image: maps and cues of the classifier with a ReLU in place of peak attention,
then with it, and the ground truth where the dataset has one. `--plain CONFIG
CHECKPOINT` takes another classifier for the first, such as one trained without it.
"""

from mmwsis.apis import LabelInferencer
from mmwsis.apis.figure_tool import figure_parser, labeler_of
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.cue_figure import draw_cues


def main() -> None:
    """Run the command line."""
    parser = figure_parser(__doc__, 'config of a classifier', 'cues.png')
    parser.add_argument(
        '--plain',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='classifier to compare with',
    )
    args = parser.parse_args()
    plain = None
    if args.plain:
        plain = LabelInferencer(*args.plain, args.device, dataset=args.dataset)
    print(draw_cues(labeler_of(args), args.out, plain, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
