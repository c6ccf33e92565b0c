"""What the studies share: the runs of one seed, and their table.

A seed is one directory, in which a pipeline runs as a user would run it. What is
finished is kept, so a killed study is continued by the same command.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

from mmwsis.evaluation.retention import compare, floor_text
from mmwsis.pipelines.run_folder import RunFolder

REPOSITORY = Path(__file__).resolve().parents[1]
HELD_OUT = Path('data/held_out')
HELD_OUT_SEED = 1000  # the pipelines' scenes have seed 0


class SeedRuns(RunFolder):
    """The runs of one seed.

    Args:
        root: Directory of this seed; relative paths of configs start here.
        seed: Seed of every training.
        log: File that gets what the tools print. Defaults to None, the console.
    """

    def __init__(self, root: Path, seed: int, log: Path | None = None) -> None:
        super().__init__(root, log)
        self.seed = seed

    def pipeline(self, config: str | Path, *options: str | Path | int) -> None:
        """Run a pipeline, or what is missing of it.

        Args:
            config: Pipeline file, below the repository.
            *options: Further ones of its command line.
        """
        # One baseline for each seed: those of the study are the noise floor.
        seeds = ('--seed', self.seed, '--baseline-seeds', 1)
        super().pipeline(REPOSITORY / config, *seeds, *options)

    def draw_held_out(self) -> None:
        """Draw scenes that no stage has seen, with labels of every level."""
        if not (self.root / HELD_OUT / 'dataset.json').is_file():
            script = 'tools/dataset_converters/make_synthetic.py'
            split = ('--train', '400', '--val', '1', '--seed', HELD_OUT_SEED)
            self.tool(script, '--out', HELD_OUT, *split)

    def checkpoint(self, folder: Path) -> Path:
        """Return the last checkpoint of a training run.

        Args:
            folder: Its work dir.
        """
        pointer = self.root / folder / 'last_checkpoint'
        return folder / Path(pointer.read_text().strip()).name


def cell(values: Iterable[float | None]) -> str:
    """Mean over the seeds, with the range behind it where there are several."""
    values = [value for value in values if value is not None]
    if not values:
        return ''
    text = f'{mean(values):.3f}'
    several = len(values) > 1
    return f'{text} ({min(values):.3f}–{max(values):.3f})' if several else text


def retention_cells(
    weak: Iterable[float | None], full: Iterable[float | None]
) -> tuple[str, str]:
    """Retention of the means over the seeds, and what the baseline's seeds span.

    Args:
        weak: A metric of the final model of each seed.
        full: The same of the fully-supervised baseline.
    """
    weak, full = ([one for one in values if one is not None] for values in (weak, full))
    if not weak or not full:
        return '', ''
    row = compare('', mean(weak), full)
    kept = '–' if row.retention is None else f'{row.retention:.0f} %'
    note = ' (within the noise floor)' if row.within_noise else ''
    return kept + note, floor_text(row)


def trainings_left(runs: Iterable[Any], seconds: str) -> list[Any]:
    """Say how many trainings of a study are left, and how long one takes.

    Args:
        runs: With ``figures``, None before it is finished.
        seconds: Which of the figures is the time of a training.

    Returns:
        Those that are left.
    """
    runs = list(runs)
    left = [run for run in runs if run.figures is None]
    done = [run.figures[seconds] for run in runs if run.figures is not None]
    each = f', {mean(done) / 60:.0f} minutes each so far' if done else ''
    print(f'{len(left)} of {len(runs)} trainings are left{each}', flush=True)
    return left


def study_arguments(description: str) -> argparse.ArgumentParser:
    """Make the parser of the options that all studies have.

    Args:
        description: The script's docstring.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--root', type=Path, default=Path('work_dirs/study'))
    parser.add_argument('--table', action='store_true', help='print the tables only')
    return parser
