"""The end of a run on several processes."""

import logging
import os
import sys

import torch
from mmengine.dist import barrier


def end_ranks() -> None:
    """Leave the process group together; nothing may follow this call.

    A rank that exits while the others still talk to it fails after its work is done,
    and so does, now and then, one whose gloo threads are alive when the interpreter
    takes itself apart ("terminate called without an active exception"). On the CPU the
    process therefore ends here, without that.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    barrier()
    on_gloo = torch.distributed.get_backend() == 'gloo'
    torch.distributed.destroy_process_group()
    if on_gloo:
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
