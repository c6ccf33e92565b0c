"""Check a label file: every rule of the format, leaks, images, and its config."""

import argparse
import os
import sys
from collections.abc import Sequence

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mmwsis.engine.label_check import check_dataset, repair_file
from mmwsis.engine.user_errors import user_errors
from mmwsis.formats.validation import ValidationReport
from mmwsis.formats.validation.report import report_json, report_text
from mmwsis.structures import Supervision
from mmwsis.utils.fileio import atomic_write_json

EXAMPLES = """examples:
  # the file alone; the level is what info.mmwsis says, or what every object has
  python tools/analysis_tools/check_dataset.py bolts/extreme_points.json

  # is it really nothing but boxes? are the images there, whole, and of this size?
  python tools/analysis_tools/check_dataset.py bolts/boxes.json \\
      --supervision boxes --images bolts/images --workers 8

  # does the config agree: class names, their order, num_classes?
  python tools/analysis_tools/check_dataset.py bolts/extreme_points.json \\
      --config configs/exits/labeler_vit-b_coco.py --dataset bolts.py

  # a panoptic file and its PNGs
  python tools/analysis_tools/check_dataset.py panoptic_train.json \\
      --panoptic-dir panoptic_train

  # repair what has one possible repair, and check the result
  python tools/analysis_tools/check_dataset.py bolts/clicks.json \\
      --fix bolts/clicks_fixed.json

exit status: 0 no errors, 1 errors (with --strict also warnings), 2 the file or the
config could not be read. docs/supervision.md explains every rule.
"""


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('file', help='COCO JSON, panoptic or of any level')
    parser.add_argument(
        '--supervision',
        choices=[level.label for level in Supervision],
        help='level that the file is meant to have: its labels must be there, and '
        'nothing stronger',
    )
    parser.add_argument(
        '--config', help='config that reads the file, or mmwsis::exits/solov2_r50.py'
    )
    parser.add_argument(
        '--dataset', metavar='SPEC', help='with --config: dataset file to fit it to'
    )
    parser.add_argument('--images', metavar='DIR', help='look at the image files too')
    parser.add_argument(
        '--panoptic-dir',
        metavar='DIR',
        help='PNGs of a panoptic file (default: the folder of its name beside it)',
    )
    parser.add_argument(
        '--no-decode',
        action='store_true',
        help='with --images: read sizes only; cut-off files are not found',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes for the image files (default: %(default)s)',
    )
    parser.add_argument(
        '--no-masks', action='store_true', help='do not look into segmentation'
    )
    parser.add_argument(
        '--max-examples',
        type=int,
        default=5,
        metavar='N',
        help='examples shown per rule (default: %(default)s)',
    )
    parser.add_argument('--json', metavar='OUT', help='write the report for scripts')
    parser.add_argument(
        '--strict', action='store_true', help='warnings count as errors'
    )
    parser.add_argument(
        '--fix', metavar='OUT', help='write a repaired copy and check that'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='with --fix: replace an existing file'
    )
    args = parser.parse_args(argv)
    if args.max_examples < 1 or args.workers < 1:
        parser.error('--max-examples and --workers must be at least 1')
    if args.dataset and not args.config:
        parser.error('--dataset needs --config')
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Check, print and return the exit status."""
    args = parse_args(argv)
    try:
        report = _check(args, args.file)
        print(report_text(report))
        repaired = {}
        if args.fix:
            repaired = _fix(args)
            report = _check(args, args.fix)
            print(report_text(report))
        if args.json:
            content = report_json(report)
            content['repaired'] = repaired
            atomic_write_json(args.json, content, indent=2)
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f'check_dataset: {error}', file=sys.stderr)
        return 2
    return int(report.failed(args.strict))


def _check(args: argparse.Namespace, path: str) -> ValidationReport:
    cfg = None
    if args.config:
        from mmwsis.engine.run_config import load_run_config

        cfg = load_run_config(args.config, dataset=args.dataset)
    bar = Progress(
        TextColumn('{task.description}'),
        BarColumn(),
        TextColumn('{task.percentage:3.0f} %'),
        TimeRemainingColumn(),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    bar.console.stderr = True
    with bar:
        labels = bar.add_task('labels', total=1.0)
        files = bar.add_task('images', total=None, visible=False)

        def looking(done: int, total: int) -> None:
            bar.update(files, total=total, advance=done, visible=True)

        return check_dataset(
            path,
            cfg=cfg,
            supervision=args.supervision,
            images=args.images,
            workers=args.workers,
            decode=not args.no_decode,
            masks=not args.no_masks,
            max_examples=args.max_examples,
            panoptic_dir=args.panoptic_dir,
            reading=lambda share: bar.update(labels, completed=share),
            looking=looking,
        )


def _fix(args: argparse.Namespace) -> dict[str, int]:
    """Write the repaired copy; return how often each rule was repaired."""
    done = repair_file(
        args.file, args.fix, args.overwrite, args.max_examples, args.images
    )
    total = sum(done.counts.values())
    print(f'\nRepaired, written to {args.fix}: {total or "nothing"}')
    for rule in done.rules():
        print(f'{rule.name} ({done.counts[rule.name]}): {rule.fix}')
        for issue in done.examples[rule.name]:
            print(f'    {issue}')
    print()
    return dict(done.counts)


if __name__ == '__main__':
    with user_errors():
        sys.exit(main())
