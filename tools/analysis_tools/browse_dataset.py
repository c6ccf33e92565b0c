"""Draw what a config's dataset yields, as contact sheets."""

import argparse

from mmengine.config import DictAction

from mmwsis.engine.image_loaders import check_loaded_images
from mmwsis.engine.run_config import load_run_config
from mmwsis.engine.user_errors import user_errors
from mmwsis.visualization.browse import MODES, browse_to_files

EXAMPLES = """examples:
  # samples as training sees them
  python tools/analysis_tools/browse_dataset.py configs/exits/labeler_vit-b_coco.py \\
      --dataset bolts.py --out-dir browse --not-show

  # the labels (masks, boxes, points with their scores) on the stored images
  python tools/analysis_tools/browse_dataset.py CONFIG --mode original --not-show
"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config of a labeler or of a final model')
    parser.add_argument('--dataset', metavar='FILE', help='config of your own dataset')
    parser.add_argument(
        '--out-dir',
        '--output-dir',
        default='work_dirs/browse',
        help='folder of the figures',
    )
    parser.add_argument('--not-show', action='store_true', help='open no window')
    parser.add_argument('--num', type=int, default=12, help='samples; 0 means all')
    parser.add_argument(
        '--mode',
        choices=MODES,
        default='transformed',
        help='what the pipeline yields, or the labels on the stored image',
    )
    parser.add_argument(
        '--loader', default='train_dataloader', help='which data loader of the config'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='override config settings'
    )
    return parser.parse_args()


def main() -> None:
    """Run the command line."""
    args = parse_args()
    cfg = load_run_config(args.config, args.cfg_options, args.dataset)
    check_loaded_images(cfg, (args.loader.removesuffix('_dataloader'),))
    files = browse_to_files(
        cfg, args.out_dir, args.num, args.mode, args.loader, show=not args.not_show
    )
    for file in files:
        print(file)


if __name__ == '__main__':
    with user_errors():
        main()
