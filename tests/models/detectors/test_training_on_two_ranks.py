"""Two ranks train each end-to-end detector as one does that adds up their gradients.

Gradients and unused parameters, that is; not synchronised batch norms, which need GPUs:
``training_ranks.py`` says why.
"""

import os
import sys
from pathlib import Path

import pytest
import torch
from forked_tools import ForkedTool
from torch.testing import assert_close

sys.path.insert(0, str(Path(__file__).parent))
import training_ranks


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp('ranks')
    shares = [(0, 1), (0, 2), (1, 2)]
    ranks = [
        ForkedTool(
            [sys.executable, training_ranks.__file__, folder, *share],
            env={**os.environ, 'OMP_NUM_THREADS': '1'},
        )
        for share in shares
    ]
    for rank in ranks:
        _, errors = rank.communicate(timeout=300)
        assert rank.returncode == 0, errors
    return [torch.load(folder / f'{size}.pth') for size in (1, 2)]


@pytest.mark.parametrize('detector', training_ranks.DETECTORS)
def test_two_ranks_equal_one(weights, detector):
    alone, together = (one[detector] for one in weights)
    first = dict(training_ranks.DETECTORS[detector]()[0].named_parameters())
    assert alone.keys() == together.keys() == first.keys()
    for name, weight in alone.items():
        assert_close(together[name], weight, rtol=0, atol=1e-6, msg=name)
    # Both have learned, in every part: residual branches that start at zero come later.
    learned = {name for name in first if not torch.equal(alone[name], first[name])}
    assert {name.split('.')[0] for name in learned} == {
        name.split('.')[0] for name in first
    }
