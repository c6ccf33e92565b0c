"""What the processes of one run do at its beginning and at its end."""

import logging
import os
import re
import sys
import time
from typing import NoReturn

# Of torchrun, Slurm and MPI: number of this process, that on its machine, and of all.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')
_LOCAL_RANKS = ('LOCAL_RANK', 'SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK')
_SIZES = ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE')
_LOST = re.compile(
    'connection (closed|reset|refused|was)|broken pipe|socket (timeout|closed)|'
    'remote process|rank 0 stopped|NCCL (communicator|error)|watchdog',
    re.IGNORECASE,
)
_PATIENCE_SECONDS = 4.0


def end_ranks() -> None:
    """Leave the process group together; nothing may follow this call.

    A rank that exits while the others still talk to it fails after its work is done,
    and so does, now and then, one whose gloo threads are alive when the interpreter
    takes itself apart ("terminate called without an active exception"). On the CPU the
    process therefore ends here, without that.
    """
    # Here, because tools that run no model wait for nothing but their error messages.
    import torch
    from mmengine.dist import barrier

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    barrier()
    on_gloo = torch.distributed.get_backend() == 'gloo'
    torch.distributed.destroy_process_group()
    if on_gloo:
        _leave(0)


def _leave(status: int) -> NoReturn:
    """End the process without taking the interpreter apart, which takes seconds."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def is_first_of_machine() -> bool:
    """Whether this process is the one of its machine that checks files.

    It looks at the environment, so that it may be asked before the processes join.
    """
    return all(os.environ.get(name, '0') == '0' for name in _LOCAL_RANKS)


def wait_for_other_ranks(error: BaseException) -> None:
    """Let the process speak that knows most; the launcher then ends the others.

    Where all fail alike, that is the first. Where one fails, the others lose the
    connection to it. Whoever is not the one waits for its end here, and goes on after
    some seconds if it does not come: then it is the only one that knows.

    Args:
        error: What this process ends with.
    """
    if _is_alone():
        return
    first = all(os.environ.get(name, '0') == '0' for name in _RANKS)
    lost = isinstance(error, RuntimeError) and _LOST.search(str(error))
    if not first or lost:
        time.sleep(_PATIENCE_SECONDS * (2 if lost else 1))


def end_with(text: str) -> NoReturn:
    """End the program with an error message; of several processes, at once.

    Args:
        text: The message.

    Raises:
        SystemExit: With the text, in a single process.
    """
    if _is_alone():
        sys.exit(text)
    print(text, file=sys.stderr)
    _leave(1)


def _is_alone() -> bool:
    return all(os.environ.get(name, '1') == '1' for name in _SIZES)
