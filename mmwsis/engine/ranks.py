"""The end of a run on several processes."""

import torch
from mmengine.dist import barrier


def end_ranks() -> None:
    """Leave the process group together.

    A rank that exits while the others still talk to it, or with gloo's threads still
    running, may abort after its work is done, and the launcher reports a failure.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        barrier()
        torch.distributed.destroy_process_group()
