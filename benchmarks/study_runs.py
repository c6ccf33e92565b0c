"""What the studies share: the runs of one seed, and their table.

A seed is one directory, in which a pipeline runs as a user would run it. What is
finished is kept, so a killed study is continued by the same command.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import mean
from typing import Any

from mmwsis.evaluation.retention import compare, floor_text

REPOSITORY = Path(__file__).resolve().parents[1]
HELD_OUT = Path('data/held_out')
HELD_OUT_SEED = 1000  # the pipelines' scenes have seed 0


class SeedRuns:
    """The runs of one seed.

    Args:
        root: Directory of this seed; relative paths of configs start here.
        seed: Seed of every training.
        log: File that gets what the tools print. Defaults to None, the console.
    """

    def __init__(self, root: Path, seed: int, log: Path | None = None) -> None:
        self.root = root.resolve()
        self.seed = seed
        self.log = log
        self.deadline: float | None = None  # time.monotonic(), after which no tool runs

    def tool(self, script: str, *arguments: str | Path) -> None:
        """Run a tool of the repository in this seed's directory.

        Args:
            script: Path below the repository.
            *arguments: Of its command line.

        Raises:
            SystemExit: It failed, or there was no time left for it.
        """
        left = None if self.deadline is None else self.deadline - time.monotonic()
        words = [sys.executable, str(REPOSITORY / script), *map(str, arguments)]
        paths = [str(REPOSITORY), os.environ.get('PYTHONPATH', '')]
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}
        with ExitStack() as stack:
            out = self.log and stack.enter_context(self.log.open('a'))
            print(f'[seed {self.seed}]', *words[1:], flush=True, file=out)
            try:
                run = subprocess.run(
                    words,
                    cwd=self.root,
                    env=environment,
                    stdout=out,
                    stderr=out,
                    timeout=left,
                )
            except subprocess.TimeoutExpired:
                text = 'No time is left; the same command continues.'
                raise SystemExit(text) from None
        if run.returncode:
            raise SystemExit(f'{script} failed; the same command continues.')

    def pipeline(self, config: str, *options: str | Path) -> None:
        """Run a pipeline, or what is missing of it.

        Args:
            config: Pipeline file, below the repository.
            *options: Further ones of its command line.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        # One baseline for each seed: those of the study are the noise floor.
        seeds = ('--seed', self.seed, '--baseline-seeds', 1)
        arguments = ('--root', self.root, *seeds, *options)
        self.tool('tools/run_pipeline.py', REPOSITORY / config, *arguments)

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

    def read(self, *parts: str) -> dict[str, Any] | None:
        """Return a JSON file below the root, or None where there is none."""
        file = self.root.joinpath(*parts)
        return json.loads(file.read_text()) if file.is_file() else None


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
