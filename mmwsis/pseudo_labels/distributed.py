"""Ranks of a launcher; everything here also works in a single process."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list, get_rank, init_dist

# The last rank may finish hours after the first has; a dead rank is the launcher's
# business, which ends the others.
_TIMEOUT_SECONDS = 7 * 24 * 3600


def start_ranks(launcher: str, cfg: Config) -> None:
    """Join the process group of a launcher.

    Args:
        launcher: 'none', 'pytorch', 'slurm' or 'mpi', as MMEngine names them.
        cfg: ``env_cfg.dist_cfg`` may name the backend; without CUDA it is gloo.
    """
    if launcher == 'none' or torch.distributed.is_initialized():
        return
    if not torch.cuda.is_available() and launcher == 'pytorch':
        # MMEngine selects a CUDA device even for gloo, which a CPU build cannot.
        torch.distributed.init_process_group(
            'gloo', timeout=timedelta(seconds=_TIMEOUT_SECONDS)
        )
        return
    settings = dict(cfg.get('env_cfg', {}).get('dist_cfg', None) or {})
    settings.setdefault('timeout', _TIMEOUT_SECONDS)
    if not torch.cuda.is_available():
        settings['backend'] = 'gloo'
    init_dist(launcher, **settings)


def default_device() -> str:
    """'cuda' or 'cuda:<local rank>' where there is CUDA, else 'cpu'."""
    if not torch.cuda.is_available():
        return 'cpu'
    return f'cuda:{int(os.environ.get("LOCAL_RANK", torch.cuda.current_device()))}'


def on_first_rank(action: Callable[[], Any]) -> Any:
    """Run something on rank 0 only and give its result, or its failure, to all.

    A failure on rank 0 alone would leave the others waiting for a message.

    Args:
        action: Returns something that pickles.

    Raises:
        RuntimeError: On the other ranks, where ``action`` failed on rank 0.
    """
    error: Exception | None = None
    message: list[Any] = [None, None]
    if get_rank() == 0:
        try:
            message[0] = action()
        except Exception as caught:  # any failure has to reach the other ranks
            error, message[1] = caught, repr(caught)
    broadcast_object_list(message)
    if error is not None:
        raise error
    if message[1] is not None:
        raise RuntimeError(f'rank 0 stopped: {message[1]}')
    return message[0]
