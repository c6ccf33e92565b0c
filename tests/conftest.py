"""What all tests share: no test leaves the process in another state."""

import pytest
import torch

# Some tests fork. OpenMP threads are not forked, and a loop that waits for them hangs.
# Results with one thread also do not depend on the number of cores.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """Generation turns them off for its process; hypothesis refuses to go on then."""
    yield
    torch.set_flush_denormal(False)
