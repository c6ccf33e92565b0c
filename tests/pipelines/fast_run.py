"""Runs of whole pipelines on a dozen scenes."""

import sys
from pathlib import Path

from forked_tools import run_forked

REPOSITORY = Path(__file__).resolve().parents[2]


def run_fast(config, root, *arguments, program='tools/run_pipeline.py'):
    """Run a pipeline of configs/ with ``--fast`` below ``root``; returns its output."""
    command = [sys.executable, str(REPOSITORY / program)]
    command += [str(REPOSITORY / 'configs' / config), '--fast']
    command += ['--root', str(root), *arguments]
    done = run_forked(command, root, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
