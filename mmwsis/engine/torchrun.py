"""``torchrun`` without its report of a failed process, which buries our message.

The same command line: ``python -m mmwsis.engine.torchrun --nproc-per-node=8 SCRIPT``.
A process that fails has said why on the console; see
:func:`~mmwsis.engine.user_errors.user_errors`. Only of one that the system killed is
there something left to say.
"""

import logging
import signal
import socket
import sys
from argparse import Namespace
from collections.abc import Sequence

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

_SIGNALLED = 128  # shells add it to the number of the signal


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a script on several processes.

    Args:
        arguments: Those of ``torchrun``. Defaults to the command line's.

    Returns:
        Exit status: 0, or that of the process that failed first.
    """
    args = torchrun.parse_args(arguments)
    if not _port_is_free(args):
        return _say(
            f'port {args.master_port} is in use, perhaps by another run on several '
            'processes. Give this run another one: set the variable PORT, such as '
            f'PORT={args.master_port % 65000 + 1}.'
        )
    for name in list(logging.root.manager.loggerDict):
        if name.startswith('torch.distributed.elastic'):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        torchrun.run(args)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode >= 0:
            return failure.exitcode or 1
        name = failure.signal_name()
        memory = ' That is how Linux ends a program when memory runs out.'
        _say(
            f'process {rank} was ended by {name}.'
            f'{memory if name == "SIGKILL" else ""} Lower the batch size, num_workers '
            'or the number of processes if it happens again.'
        )
        return _SIGNALLED - failure.exitcode
    except SignalException as ended:
        return _SIGNALLED + ended.sigval
    except KeyboardInterrupt:
        return _SIGNALLED + signal.SIGINT
    return 0


def _port_is_free(args: Namespace) -> bool:
    """Whether the first machine's processes can meet at the port."""
    here = args.master_addr in ('127.0.0.1', 'localhost')
    if not here or not args.master_port or args.rdzv_endpoint or args.standalone:
        return True
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind((args.master_addr, args.master_port))
        except OSError:
            return False
    return True


def _say(text: str) -> int:
    print(f'error: {text}', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main())
