"""What the converters' command lines share: options, progress bar, error messages."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmwsis.utils.progress_bar import progress_bar

from .conversion import RunOptions
from .image_records import Summary
from .weak_labels import (
    BOXES_MODES,
    COORDINATES,
    EXTREME_MODES,
    POINTS_MODES,
    WeakProtocol,
)


def parser_with_examples(description: str, examples: str) -> argparse.ArgumentParser:
    """Make the parser of a tool.

    Args:
        description: What the tool does.
        examples: Shown as it is, below the options.
    """
    return argparse.ArgumentParser(
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_protocol_options(parser: argparse.ArgumentParser, seed: str) -> None:
    """Add the options that say how weak labels are derived from masks.

    Args:
        parser: Gets ``--points-mode``, ``--extreme-mode``, ``--boxes-mode``,
            ``--coordinates``, ``--click-noise`` and ``--seed``.
        seed: Help of ``--seed``.
    """
    parser.add_argument(
        '--points-mode',
        default='distance',
        choices=POINTS_MODES,
        help='distance: the most interior pixel; centre: middle of the box, moved to '
        'the mask; uniform: a random mask pixel (default: %(default)s)',
    )
    parser.add_argument(
        '--extreme-mode',
        default='auto',
        choices=EXTREME_MODES,
        help='auto: polygon walk for polygons, band for RLE (default: %(default)s)',
    )
    parser.add_argument(
        '--boxes-mode',
        default='file',
        choices=BOXES_MODES,
        help="file: the file's boxes; mask: tight boxes of the masks "
        '(default: %(default)s)',
    )
    parser.add_argument(
        '--coordinates',
        default='continuous',
        choices=COORDINATES,
        help='of extreme points; continuous: pixel i covers [i, i + 1]; pixel-index: '
        "the integers of ExtremeNet's converter (default: %(default)s)",
    )
    parser.add_argument(
        '--click-noise',
        type=float,
        default=0.0,
        metavar='SHARE',
        help='people miss: Gaussian errors of extreme points and edges of boxes, '
        "standard deviation as a share of the object's sides (default: %(default)s)",
    )
    parser.add_argument('--seed', type=int, default=0, help=seed)


def protocol_of(args: argparse.Namespace) -> WeakProtocol:
    """Return the protocol that :func:`add_protocol_options` has read.

    Args:
        args: The parsed command line.
    """
    return WeakProtocol(
        args.points_mode,
        args.extreme_mode,
        args.boxes_mode,
        args.seed,
        args.coordinates,
        args.click_noise,
    )


def add_run_options(
    parser: argparse.ArgumentParser,
    skip_invalid: str = 'leave broken annotations out instead of stopping',
) -> None:
    """Add ``--workers``, ``--skip-invalid`` and ``--overwrite``.

    Args:
        parser: Gets the options.
        skip_invalid: Help of ``--skip-invalid``.
    """
    add_workers_option(parser)
    parser.add_argument('--skip-invalid', action='store_true', help=skip_invalid)
    parser.add_argument(
        '--overwrite',
        action='store_true',
        help='replace files that are there; each is written in one step at the end, so '
        'that a run that is killed starts again',
    )


def add_workers_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``.

    Args:
        parser: Gets the option.
    """
    parser.add_argument(
        '--workers',
        type=int,
        default=min(8, os.cpu_count() or 1),
        help='processes, which the result does not depend on (default: %(default)s)',
    )


@contextmanager
def running(args: argparse.Namespace, title: str) -> Iterator[RunOptions]:
    """Show a progress bar, and end the program with a plain message on an error.

    Args:
        args: The parsed command line, with what :func:`add_run_options` has added.
        title: What the progress bar counts.

    Yields:
        How to run.

    Raises:
        SystemExit: The block raised an OSError, RuntimeError or ValueError, or was
            interrupted: by Ctrl-C or, as job queues do it, by SIGTERM.
    """
    # Names of a file may hold what the terminal's encoding does not have.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')
    terminate = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with progress_bar(title) as open_progress:
            yield RunOptions(
                args.workers, args.skip_invalid, args.overwrite, open_progress
            )
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, terminate)


def print_summary(
    output: Path, summary: Summary, counts: str, panoptic: Path | None = None
) -> None:
    """Say what a file holds; what was left out and warnings go to stderr.

    Args:
        output: The file.
        summary: What the conversion has made.
        counts: What follows the number of images.
        panoptic: Folder of the panoptic PNGs, if there are any. Defaults to None.
    """
    print(f'{output}: {len(summary.document["images"])} images{counts}')
    if panoptic is not None:
        print(f'{panoptic.with_suffix(".json")}: with PNGs in {panoptic}')
    for message in summary.left_out:
        print(f'left out: {message}', file=sys.stderr)
    for message in summary.warnings:
        print(f'warning: {message}', file=sys.stderr)
