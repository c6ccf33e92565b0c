"""Run a method's pipeline: weak labels to final model, stage after stage.

Finished stages whose config and inputs have not changed are skipped; a killed training
or label generation is continued. Where source files have changed since, the plan says
so and ``--force STAGE`` runs the stage again, and after it those whose inputs have come
out different. Example::

    python tools/run_pipeline.py configs/exits/pipeline_synthetic.py
    python tools/run_pipeline.py configs/exits/pipeline.py --data voc --gpus 8
    python tools/run_pipeline.py configs/exits/pipeline_synthetic.py --correct 50
"""

import argparse
import warnings

from mmwsis.engine.user_errors import user_errors
from mmwsis.pipelines.corrections import FORMATS, CorrectionOptions
from mmwsis.pipelines.launch import LAUNCHERS, Launch
from mmwsis.pipelines.selection import Selection
from mmwsis.pipelines.session import PipelineOptions, print_plan, run_pipeline


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Run the stages of a pipeline in order.',
        epilog='Relative paths of data and results start from the current directory. '
        'Of stages that are repeated, STAGE@2 is the one of round 2, GROUP@2 the whole '
        'round; STAGE and GROUP mean all rounds, and STAGE all runs of the baseline.',
    )
    parser.add_argument('config', help='pipeline file, or mmwsis::METHOD/pipeline.py')
    parser.add_argument(
        '--data',
        metavar='NAME',
        help="which of the file's datasets; default: its first",
    )
    parser.add_argument('--fast', action='store_true', help='the tiny form for a try')
    parser.add_argument('--dataset', metavar='FILE', help='config of your own dataset')
    parser.add_argument(
        '--gpus', type=int, metavar='N', help='processes of parallel stages'
    )
    parser.add_argument(
        '--launcher',
        choices=LAUNCHERS,
        help='default: pytorch (torchrun) for more than one GPU, else none',
    )
    parser.add_argument('--from', dest='first', metavar='STAGE', help='start here')
    parser.add_argument('--until', metavar='STAGE', help='stop after this stage')
    parser.add_argument('--only', nargs='+', default=(), metavar='STAGE')
    parser.add_argument(
        '--force',
        nargs='+',
        default=(),
        metavar='STAGE',
        help='run these from their start, even if unchanged',
    )
    parser.add_argument(
        '--adopt',
        nargs='+',
        default=(),
        metavar='STAGE',
        help='take the results of these, made by hand, as finished',
    )
    parser.add_argument(
        '--ignore-code',
        action='store_true',
        help='accepted and without effect: changed code never makes a stage run again',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale lr with the batch size'
    )
    parser.add_argument(
        '--seed', type=int, metavar='N', help='of every training; give each a --root'
    )
    parser.add_argument(
        '--rounds', type=int, metavar='N', help='of the stages that are repeated'
    )
    parser.add_argument(
        '--baseline-seeds',
        type=int,
        metavar='N',
        help='runs of the fully-supervised baseline, each with a seed of its own: the '
        'noise floor of retention',
    )
    parser.add_argument(
        '--correct',
        type=int,
        metavar='N',
        help='export the N pseudo labels that look worst, stop until they have been '
        'corrected, and train the final model on the corrected labels, too',
    )
    parser.add_argument(
        '--correct-format',
        default='labelme',
        choices=FORMATS,
        help='labelling tool of the corrections (default: %(default)s)',
    )
    parser.add_argument(
        '--simulate-corrections',
        action='store_true',
        help='correct by the masks of the training images instead of stopping',
    )
    parser.add_argument(
        '--seconds-per-mask',
        type=float,
        default=CorrectionOptions.seconds,
        metavar='SECONDS',
        help='what a corrected mask costs, for the report (default: %(default)g)',
    )
    parser.add_argument('--work-dir', help='directory of logs, manifest and report')
    parser.add_argument(
        '--root', metavar='DIR', help='directory that holds data/ and work_dirs/'
    )
    parser.add_argument('--list', action='store_true', help='say what would run, stop')
    parser.add_argument(
        '--dry-run', action='store_true', help='as --list, with the commands'
    )
    args = parser.parse_args()
    if args.gpus is not None and args.gpus < 1:
        parser.error('--gpus must be at least 1')
    if args.simulate_corrections and args.correct is None:
        parser.error('--simulate-corrections needs --correct N, how many')
    return args


def main() -> None:
    """Run the command line."""
    args = parse_args()
    # As in mmwsis.compat; imports since then have put filters of their own before it.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')
    gpus = args.gpus or 1
    train_args = [
        flag
        for flag, wanted in (
            ('--amp', args.amp),
            ('--auto-scale-lr', args.auto_scale_lr),
        )
        if wanted
    ]
    correct = None
    if args.correct is not None:
        chosen = args.correct_format, args.simulate_corrections, args.seconds_per_mask
        correct = CorrectionOptions(args.correct, *chosen)
    options = PipelineOptions(
        config=args.config,
        fast=args.fast,
        dataset=args.dataset,
        data=args.data,
        launch=Launch(args.launcher or ('pytorch' if gpus > 1 else 'none'), gpus),
        selection=Selection(
            args.first, args.until, tuple(args.only), tuple(args.force)
        ),
        work_dir=args.work_dir,
        root=args.root,
        train_args=tuple(train_args),
        adopt=tuple(args.adopt),
        seed=args.seed,
        rounds=args.rounds,
        baseline_seeds=args.baseline_seeds,
        correct=correct,
    )
    if args.list or args.dry_run:
        print_plan(options, commands=args.dry_run)
    else:
        run_pipeline(options)


if __name__ == '__main__':
    with user_errors('The same command continues.'):
        main()
