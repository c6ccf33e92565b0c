r"""Draw the instance cues of a classifier, without and with its peak attention.

Example::

    python tools/analysis_tools/show_cues.py configs/bestie/pam_vgg16_voc.py \
        work_dirs/pam_vgg16_voc/epoch_15.pth --out cues.png

A row per image: maps and cues of the classifier with a ReLU in place of peak attention,
then with it, and the ground truth where the dataset has one. `--plain CONFIG
CHECKPOINT` takes another classifier for the first, such as one trained without it.
"""

import argparse

from mmengine.config import DictAction

from mmwsis.apis import LabelInferencer
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.cue_figure import draw_cues


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config of a classifier')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument(
        '--plain',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='classifier to compare with',
    )
    parser.add_argument('--out', default='cues.png', help='image file to write')
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
    plain = None
    if args.plain:
        plain = LabelInferencer(*args.plain, args.device, dataset=args.dataset)
    print(draw_cues(labeler, args.out, plain, args.num))


if __name__ == '__main__':
    with user_errors():
        main()
