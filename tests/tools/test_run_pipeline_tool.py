"""``tools/run_pipeline.py``: exit status and messages on the command line."""

import sys
from pathlib import Path

from forked_tools import run_forked

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINE = """
pipeline = dict(name='toy', stages=[
    dict(name='hello', type='command', command=['{python}', '-c', '{code}']),
])
"""


def call(tmp_path, code, *arguments):
    text = PIPELINE.format(python=sys.executable, code=code)
    (tmp_path / 'pipeline.py').write_text(text)
    command = [sys.executable, str(REPOSITORY / 'tools/run_pipeline.py')]
    command += ['pipeline.py', *arguments]
    return run_forked(command, tmp_path)


def test_run_list_and_failure(tmp_path):
    done = call(tmp_path, 'print(6 * 7)')
    assert done.returncode == 0, done.stderr
    assert '42' in done.stdout
    assert 'hello  ran' in done.stdout
    listed = call(tmp_path, 'print(6 * 7)', '--list', '--ignore-code')
    assert 'hello (command): unchanged' in listed.stdout
    failed = call(tmp_path, 'raise SystemExit(5)')
    assert failed.returncode == 1
    assert "Stage 'hello' ended with status 5" in failed.stderr
    assert 'Traceback' not in failed.stderr


def test_mistakes_are_told_without_a_traceback(tmp_path):
    for arguments, message in (
        (['--only', 'helo'], 'No such stage'),
        (['--fast'], 'there is no `fast=dict'),
        (['--gpus', '2', '--launcher', 'none'], 'need --launcher'),
        (['--dataset', 'none.py'], 'none.py'),
    ):
        done = call(tmp_path, 'pass', *arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert 'Traceback' not in done.stderr
