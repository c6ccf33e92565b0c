"""Every registered metric gives the same figures on two ranks as on one."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from forked_tools import ForkedTool

from mmwsis.registry import METRICS

sys.path.insert(0, str(Path(__file__).parent))
import metric_ranks


@pytest.fixture(scope='module')
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp('metrics')
    metric_ranks.write_truth(folder)
    command = [sys.executable, metric_ranks.__file__, folder]
    ranks = [
        ForkedTool(
            [*map(str, command), str(rank), '2'],
            cwd=folder,  # MMEngine collects results in a folder below it
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
        for rank in range(2)
    ]
    for rank in ranks:
        _, errors = rank.communicate(timeout=300)
        assert rank.returncode == 0, errors
    metric_ranks.main(folder, 0, 1)
    return [json.loads((folder / f'{size}.json').read_text()) for size in (1, 2)]


def test_no_registered_metric_is_left_out(figures):
    METRICS.import_from_location()
    registered = {
        name
        for name, metric in METRICS.module_dict.items()
        if metric.__module__.startswith('mmwsis.')
    }
    assert set(figures[0]) == set(figures[1]) == registered


@pytest.mark.parametrize('kind', metric_ranks.metrics(Path()))
def test_two_ranks_equal_one(figures, kind):
    alone, together = (one[kind] for one in figures)
    assert list(alone) == list(together)
    values = [np.array(list(one.values())) for one in (alone, together)]
    np.testing.assert_allclose(*values, rtol=0, atol=1e-12)
    assert ((values[0] > 0) & (values[0] < 1)).any()  # neither perfect nor nothing
