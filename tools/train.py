r"""Train a labeler, or a final model on pseudo labels; options as in MMDetection.

Examples::

    python tools/train.py configs/exits/solov2_r50.py
    python tools/train.py configs/exits/solov2_r50.py --amp --auto-scale-lr
    python tools/train.py configs/exits/solov2_r50.py --resume
    python tools/train.py configs/exits/solov2_r50.py --dataset my_data.py \
        --cfg-options train_dataloader.batch_size=2
    python tools/train.py configs/final_models/mask-rcnn_r50.py \
        --labels data/coco/pseudo_labels/mal.json
    bash tools/dist_train.sh configs/exits/solov2_r50.py 8
"""

import argparse
import os

from mmengine.config import DictAction

from mmwsis.engine.image_loaders import check_loaded_images
from mmwsis.engine.ranks import end_ranks
from mmwsis.engine.run_check import check_run
from mmwsis.engine.run_config import (
    build_runner,
    flush_denormals,
    load_run_config,
    set_resume,
    use_amp,
    use_auto_scale_lr,
)
from mmwsis.engine.user_errors import user_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file, or mmwsis::exits/solov2_r50.py')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the real total batch size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or from the newest of the work directory',
    )
    parser.add_argument(
        '--dataset', metavar='FILE', help='data specification of your own dataset'
    )
    parser.add_argument(
        '--labels',
        metavar='JSON',
        help='masks that a final model is trained on, such as pseudo labels: '
        'configs/final_models/mask-rcnn_r50.py --labels pseudo_labels/mal.json '
        'trains in work_dirs/mask-rcnn_r50_mal',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings, for example model.mask_head.num_classes=3 '
        'or key="[a,b]" (quoted, without blanks)',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    """Train."""
    args = parse_args()
    flush_denormals()
    cfg = load_run_config(
        args.config,
        args.cfg_options,
        args.dataset,
        args.work_dir,
        args.launcher,
        args.labels,
    )
    if args.amp:
        use_amp(cfg)
    if args.auto_scale_lr:
        use_auto_scale_lr(cfg)
    set_resume(cfg, args.resume)
    check_run(cfg, 'train')
    check_loaded_images(cfg, ('train', 'val'))
    build_runner(cfg).train()
    end_ranks()


if __name__ == '__main__':
    with user_errors('--resume goes on from the newest checkpoint, if there is one.'):
        main()
