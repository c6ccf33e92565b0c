"""What all tests share: no test leaves the process in another state."""

import pytest
import torch


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """Generation turns them off for its process; hypothesis refuses to go on then."""
    yield
    torch.set_flush_denormal(False)
