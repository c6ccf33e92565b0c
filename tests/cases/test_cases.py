"""Files that users of such tools stumbled over, and what must happen with them."""

import gc
import json
import shutil
import sys
from pathlib import Path

import pytest
from mmengine.logging import MessageHub, MMLogger

sys.path.insert(0, str(Path(__file__).parent))

from case_steps import problems, run_step

CASES = sorted(path.parent for path in Path(__file__).parent.glob('*/case.json'))


@pytest.fixture(autouse=True)
def _no_runner_left():
    """MMEngine keeps log files and messages of a runner that no longer exists."""
    yield
    MessageHub._instance_dict.clear()
    MMLogger._instance_dict.clear()  # they write into the output of the last test
    gc.collect()


@pytest.mark.parametrize('case', CASES, ids=lambda path: path.name)
def test_case(case, tmp_path, capsys):
    folder = tmp_path / 'case'
    shutil.copytree(case, folder)
    for number, step in enumerate(
        json.loads((case / 'case.json').read_text())['steps']
    ):
        result = run_step(step, folder, capsys)
        found = problems(step, result, folder)
        assert not found, f'step {number}, {step["tool"]}: {found}\n{result.output}'
