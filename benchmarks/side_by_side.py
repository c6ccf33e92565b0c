"""What the benchmarks share: alternating runs, peak memory, Markdown tables."""

import argparse
import ctypes
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile


class Ratio(NamedTuple):
    """Two implementations timed in turn: medians in seconds, and sorted ratios."""

    first: float
    second: float
    ratios: list[float]

    def __str__(self) -> str:
        middle = statistics.median(self.ratios)
        digits = 2 if middle < 3 else 1
        low, high = self.ratios[0], self.ratios[-1]
        return f'**{middle:.{digits}f}×** ({low:.{digits}f}–{high:.{digits}f})'


def argument_parser(description: str, rounds: int = 7) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark.

    Args:
        description: The script's docstring; its examples keep their lines.
        rounds: Default of ``--rounds``.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--rounds', type=int, default=rounds, help='timed runs of each side'
    )
    parser.add_argument('--threads', type=int, default=1, help='CPU threads')
    return parser


def announce(device: str, threads: int, rounds: int) -> None:
    """Fix the number of threads and print the conditions of the run."""
    torch.set_num_threads(threads)
    load = ' '.join(f'{value:.1f}' for value in os.getloadavg())
    name = torch.cuda.get_device_name() if device != 'cpu' else platform.machine()
    print(
        f'torch {torch.__version__}, {device} ({name}), {threads} thread(s), '
        f'{rounds} rounds, load {load} on {os.cpu_count()} cores\n'
    )


def table_header(*columns: str) -> str:
    return '| ' + ' | '.join(columns) + ' |\n|' + '---|' * len(columns)


def table_row(*cells: str) -> str:
    return '| ' + ' | '.join(cells) + ' |'


def synchronize(device: str) -> None:
    if device != 'cpu':
        torch.cuda.synchronize()


def seconds(function: Callable[[], Any], device: str = 'cpu') -> float:
    """Time one call: processor time of all threads on the CPU, wall clock on a GPU.

    What other processes take of a busy machine does not count in processor time.
    """
    clock = time.process_time if device == 'cpu' else time.perf_counter
    synchronize(device)
    start = clock()
    function()
    synchronize(device)
    return clock() - start


def alternate(
    first: Callable[[], Any],
    second: Callable[[], Any],
    rounds: int,
    device: str = 'cpu',
) -> Ratio:
    """Time two functions in turn; the ratios are ``second / first`` of neighbours.

    A load on the machine so hits both alike. Call each once before, to warm up.
    """
    times = [(seconds(first, device), seconds(second, device)) for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*times)]
    return Ratio(*medians, sorted(b / a for a, b in times))


def peak_tensor_mib(function: Callable[[], Any], device: str = 'cpu') -> float:
    """Peak of the tensor bytes that one call allocates, in MiB."""
    if device != 'cpu':
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        function()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run:
        result = function()
    del result
    live = peak = 0
    for event in run.profiler.kineto_results.events():
        if event.name() == '[memory]':
            live += event.nbytes()
            peak = max(peak, live)
    return peak / 2**20


def peak_resident_mib(function: Callable[[], Any]) -> float | None:
    """How far one call raises the resident memory of the process, in MiB.

    Counts NumPy's, Pillow's and OpenCV's memory as well as torch's.

    Returns:
        None where Linux's ``/proc`` is missing.
    """
    marks = Path('/proc/self/clear_refs')
    if not marks.exists():
        return None
    gc.collect()
    # Memory that earlier calls freed but the allocator kept would hide this call's.
    ctypes.CDLL(None).malloc_trim(0)
    marks.write_text('5')  # sets the peak back to what is resident now
    before = _status_kib('VmRSS')
    function()
    return (_status_kib('VmHWM') - before) / 1024


def _status_kib(field: str) -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1])
    raise KeyError(field)


def mib(value: float | None) -> str:
    return '–' if value is None else f'{value:.1f}'
