"""The same hours as tags, points and masks of a dozen scenes, every stage."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fast_run import run_fast

pytestmark = pytest.mark.slow


def test_three_trainings_and_their_table(tmp_path):
    run_fast('wise/pipeline_budget_synthetic.py', tmp_path)
    folder = tmp_path / 'work_dirs/pipelines/wise_budget_synthetic'
    stages = json.loads((folder / 'manifest.json').read_text())['stages']
    assert {entry['status'] for entry in stages.values()} == {'finished'}
    report = (folder / 'report.md').read_text()
    _, _, table = report.partition('The same hours of annotation')
    for method in ('Mask R-CNN', 'PRM + E-Net', 'WISE'):
        (row,) = (
            line for line in table.splitlines() if line.startswith(f'| {method} ')
        )
        measured = [cell.strip() for cell in row.split('|')[4:7]]
        assert all(0 <= float(cell) <= 100 for cell in measured), row
