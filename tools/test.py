r"""Evaluate a trained model; options as in MMDetection.

Examples::

    python tools/test.py configs/exits/solov2_r50.py \
        work_dirs/solov2_r50/epoch_36.pth --metrics-out exits.json
    python tools/test.py CONFIG CHECKPOINT --show-dir predictions
    python tools/test.py CONFIG CHECKPOINT --out predictions.pkl --tta
    bash tools/dist_test.sh CONFIG CHECKPOINT 8
"""

import argparse
import os

from mmengine.config import DictAction

from mmwsis.engine.evaluate import evaluate
from mmwsis.engine.image_loaders import check_loaded_images
from mmwsis.engine.ranks import end_ranks
from mmwsis.engine.run_check import check_run
from mmwsis.engine.run_config import (
    flush_denormals,
    load_run_config,
    set_checkpoint,
    use_tta,
    use_visualization,
)
from mmwsis.engine.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or mmwsis::exits/solov2_r50.py')
    parser.add_argument('checkpoint', help='weights to evaluate: file or URL')
    parser.add_argument('--work-dir', help='folder for logs')
    parser.add_argument('--out', metavar='PKL', help='write all predictions to a file')
    parser.add_argument(
        '--metrics-out', metavar='JSON', help='write the metrics to a file'
    )
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument(
        '--show-dir',
        help='folder for images with predictions, below WORK_DIR/<time of the run>/',
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds that a shown image stays'
    )
    parser.add_argument('--tta', action='store_true', help='test-time augmentation')
    parser.add_argument(
        '--dataset', metavar='FILE', help='data specification of your own dataset'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings, for example test_dataloader.batch_size=1 '
        'or key="[a,b]" (quoted, without blanks)',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if args.out is not None and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must end in .pkl or .pickle, got {args.out}')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Evaluate."""
    args = parse_args()
    flush_denormals()
    cfg = load_run_config(
        args.config, args.cfg_options, args.dataset, args.work_dir, args.launcher
    )
    set_checkpoint(cfg, args.checkpoint)
    use_visualization(cfg, args.show, args.show_dir, args.wait_time)
    if args.tta:
        use_tta(cfg)
    check_run(cfg, 'test', (args.out, args.metrics_out))
    check_loaded_images(cfg, ('test',))
    evaluate(cfg, predictions_out=args.out, metrics_out=args.metrics_out)
    end_ranks()


if __name__ == '__main__':
    with user_errors():
        main()
