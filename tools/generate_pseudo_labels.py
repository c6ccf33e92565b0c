"""Turn weak labels into masks, points, maps or proposals with a labeler."""

import argparse
import os
from pathlib import Path
from typing import Any

from mmengine.config import DictAction

from mmwsis.engine.image_loaders import check_loaded_images
from mmwsis.engine.ranks import end_ranks
from mmwsis.engine.run_check import check_run
from mmwsis.engine.run_config import load_run_config
from mmwsis.engine.user_errors import user_errors
from mmwsis.pseudo_labels import GenerationOptions, Shard, generate_pseudo_labels
from mmwsis.pseudo_labels.artifacts import ARTIFACTS
from mmwsis.pseudo_labels.distributed import start_ranks
from mmwsis.pseudo_labels.views import VIEWS

EXAMPLES = """examples:
  one machine, one GPU or the CPU:
    python tools/generate_pseudo_labels.py configs/exits/labeler_vit-b_coco.py \\
        work_dirs/labeler_vit-b_coco/epoch_10.pth

  eight GPUs:
    torchrun --nproc_per_node=8 tools/generate_pseudo_labels.py CONFIG CHECKPOINT \\
        --launcher pytorch

  four independent jobs (any machines that share the folder), then one merge:
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --shard 1/4   # ... 4/4
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --merge

  class activation maps of every image, a folder with one file per image:
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --artifact class_maps \\
        --out data/voc/class_maps

  inter-pixel relation labels, which need no weights but the class maps:
    python tools/generate_pseudo_labels.py configs/irnet/relation-labels_voc.py

  mask proposals of a dataset of your own, which need neither weights nor labels:
    python tools/generate_pseudo_labels.py configs/proposals/built-in_coco.py \\
        --dataset bolts.py

  SAM, whose weights the config names:
    python tools/generate_pseudo_labels.py configs/sam/sam-vit-b_boxes_small.py \\
        --dataset bolts.py --cfg-options model.weights=facebook/sam-vit-base

  points, panoptic maps: any kind that the model makes, one in a run:
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --artifact points \\
        --out data/voc/pseudo_labels/points.json

  the mirror images, to find labels that do not agree with themselves:
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --view mirrored

  teacher and student averaged, with mirrored crops, threshold 0.3:
    python tools/generate_pseudo_labels.py CONFIG CHECKPOINT --weights mixed --flip \\
        --mask-thr 0.3

A killed run goes on with the same command, with any number of processes. Masks of
known objects keep the annotation's id (bbox and area are those of the mask, weak_bbox
is the box that the labeler saw); instances that were found in whole images are numbered
from 1 and have a score. A folder of maps is finished when it has an index.json. Measure
the result with tools/analysis_tools/pseudo_label_quality.py, proposals with
tools/analysis_tools/proposal_recall.py.
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config of the labeler')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint that tools/train.py wrote; left out for a model without '
        'weights, or one whose config names them',
    )
    parser.add_argument(
        '--out',
        help="COCO JSON, or folder of maps, to write; default: the config's "
        "wsis['produces']",
    )
    parser.add_argument(
        '--artifact',
        '--artefact',
        choices=sorted(ARTIFACTS),
        help="what to make; default: the config's artifact, else object_masks",
    )
    parser.add_argument('--results-out', help='also write the bare list of annotations')
    parser.add_argument(
        '--weights',
        choices=('student', 'teacher', 'mixed'),
        help='which network labels',
    )
    parser.add_argument(
        '--flip', action='store_true', help='average with mirrored crops'
    )
    parser.add_argument(
        '--view',
        choices=VIEWS,
        help='label the mirrored images, or everything at 0.75 of its size, and write '
        'the masks in coordinates of the images; default --out: *_VIEW.json. For '
        'tools/analysis_tools/review_list.py --with',
    )
    parser.add_argument(
        '--mask-thr',
        type=float,
        nargs='+',
        metavar='P',
        help='probability threshold: one for all, or one per size (small medium large)',
    )
    parser.add_argument('--batch-size', type=int, help='samples in a batch')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--device', help="such as 'cpu' or 'cuda:1'; default: CUDA")
    parser.add_argument(
        '--shard', type=_shard, metavar='i/n', help='make job i of n, 1 <= i <= n'
    )
    parser.add_argument('--merge', action='store_true', help='merge finished shards')
    parser.add_argument(
        '--overwrite', action='store_true', help='discard the result of another run'
    )
    parser.add_argument(
        '--force',
        action='store_true',
        help='also write class maps of a classifier that knows its tags no better than '
        'chance',
    )
    parser.add_argument(
        '--keep-parts', action='store_true', help='keep the part files after merging'
    )
    parser.add_argument('--dataset', help='dataset file to apply to the config')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='key=value of the config'
    )
    parser.add_argument(
        '--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if args.shard and args.merge:
        parser.error(
            '--shard makes a share, --merge joins all shares: give one of them'
        )
    return args


def mask_options(args: argparse.Namespace) -> dict[str, Any]:
    """Overrides of the config that the command line's mask options stand for."""
    options: dict[str, Any] = dict(args.cfg_options or {})
    if args.weights:
        options['model.test_cfg.weights'] = args.weights
    if args.flip:
        options['model.test_cfg.flip'] = True
    if args.mask_thr:
        options['model.test_cfg.mask_thr'] = _three(args.mask_thr)
    return options


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _three(thresholds: list[float]) -> tuple[float, ...]:
    if len(thresholds) not in (1, 3) or not all(0 <= t < 1 for t in thresholds):
        raise SystemExit(
            f'--mask-thr takes one or three probabilities below 1, got {thresholds}'
        )
    return tuple(thresholds * 3 if len(thresholds) == 1 else thresholds)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cfg = load_run_config(
        args.config, mask_options(args), args.dataset, launcher=args.launcher
    )
    out = args.out or cfg.get('wsis', {}).get('produces')
    if out and args.view and not args.out:
        out = str(Path(out).with_name(f'{Path(out).stem}_{args.view}.json'))
    if not out:
        raise SystemExit("--out is needed: the config's wsis['produces'] names no file")
    if cfg.get('pseudo_label_dataloader') is None:
        raise SystemExit(
            f'error: {args.config} makes no pseudo labels: it has no '
            'pseudo_label_dataloader. Labelers are in configs/exits, configs/mal and '
            'configs/irnet.'
        )
    check_run(cfg, 'generate', (out, args.results_out), args.artifact)
    check_loaded_images(cfg, ('pseudo_label',))
    start_ranks(args.launcher, cfg)
    options = GenerationOptions(
        batch_size=args.batch_size,
        amp=args.amp,
        device=args.device,
        shard=args.shard,
        merge=args.merge,
        overwrite=args.overwrite,
        keep_parts=args.keep_parts,
        results_out=args.results_out,
        artifact=args.artifact,
        force=args.force,
        view=args.view,
    )
    generate_pseudo_labels(cfg, args.checkpoint, out, options)
    end_ranks()


if __name__ == '__main__':
    with user_errors('The same command goes on with what is finished.'):
        main()
