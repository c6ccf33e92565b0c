"""Run a tool on a changed input: what must hold whatever the input is."""

import contextlib
import io
import os
import re
import runpy
import sys
import traceback
import warnings
from collections.abc import Collection
from pathlib import Path

from hypothesis import HealthCheck, settings

from mmwsis.engine.label_check import check_dataset

TOOLS = Path(__file__).parents[2] / 'tools'
# MMWSIS_FUZZ_EXAMPLES=3000 looks longer, and elsewhere each time.
EXAMPLES = int(os.environ.get('MMWSIS_FUZZ_EXAMPLES', '0'))


def fuzz(few: int):
    """Settings of a fuzzing test: a few fixed examples, or many other ones."""
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def run_tool(tool: str, arguments: list[str], folder: Path) -> tuple[int, str]:
    """Exit code and output of a tool that runs in a folder."""
    # As strict as a terminal.
    out = io.TextIOWrapper(io.BytesIO(), 'utf-8', write_through=True)
    errors = io.TextIOWrapper(
        io.BytesIO(), 'utf-8', 'backslashreplace', write_through=True
    )
    old = (sys.argv, list(sys.path), Path.cwd())
    sys.argv = [tool, *arguments]
    code: object = 0
    os.chdir(folder)
    try:
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(errors),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter('ignore')
            runpy.run_path(str(TOOLS / f'{tool}.py'), run_name='__main__')
    except SystemExit as end:
        code = end.code
    except Exception:
        errors.write(traceback.format_exc())
        code = 1
    finally:
        sys.argv, sys.path[:] = old[0], old[1]
        os.chdir(old[2])
    if isinstance(code, str):
        errors.write(code)
        code = 1
    text = b''.join(one.buffer.getvalue() for one in (out, errors)).decode()
    return int(code or 0), text


def check_run(
    tool: str, arguments: list[str], folder: Path, others: Collection[str] = ()
) -> int:
    """Run a tool that writes below ``out``; returns its exit code.

    There is no traceback, the files are such that check_dataset accepts them, and
    after an error there is none.
    """
    before = set(folder.rglob('*'))
    code, output = run_tool(tool, arguments, folder)
    assert 'Traceback' not in output, output
    new = sorted(
        path
        for path in folder.rglob('*')
        if path not in before and path.name not in others
    )
    left = [path for path in new if re.search(r'\.partial|\.unfinished', path.name)]
    assert not left, f'left behind: {left}'
    if code:
        assert output.strip(), 'no message'
        assert not new, f'written in spite of an error: {new}\n{output}'
        return code
    for path in new:
        if path.suffix == '.json':
            report = check_dataset(str(path))
            assert not report.failed(), f'{path.name}: {report.log.examples}'
    return code
