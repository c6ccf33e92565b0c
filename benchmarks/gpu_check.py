"""What only a GPU shows: the same numbers as the CPU, full-size steps, memory.

Parts (``--only`` picks some), each on made-up input, with nothing from the network:

- ``parity``: values and gradients on CPU and device, float32: every algorithm of the
  package at the size of training, with times of both and whether a second call gives
  the same to the bit; and a tiny call of every public operator, loss and head, from the
  table of tests/ops, in which none may be missing.
- ``autocast``: the same under autocast, float16 and bfloat16, against float32.
- ``steps``: one full-size training step of every labeler, SOLOv2 and Mask R-CNN,
  float32 and mixed precision: seconds (median) and peak memory.
- ``generation``: objects and images labelled per second.
- ``crf``: dense CRF and random walk at the size of a VOC image.
- ``training``: ``--training-seconds`` of the small EXITS recipe on synthetic scenes,
  its validation and pseudo labels; the loss, without the CRF's part, which is
  ramped up, must fall.

A case or part that fails is reported, the others still run; the exit status then is 1.
mmcv's CUDA operators and torchvision are not needed; where Mask R-CNN lacks the former,
its rows say so.

Examples:
    python benchmarks/gpu_check.py
    python benchmarks/gpu_check.py --device cpu --tiny
    python benchmarks/gpu_check.py --only parity crf --markdown rows.md
"""

import argparse
import functools
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from bench_irnet_ops import scene
from gpu_steps import VOC_SIZE, generation, training_steps
from gpu_training import training
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from parity_cases import Case, difference, parity_cases, run_case, table_cases
from side_by_side import synchronize, table_header, table_row

from mmwsis.ops import affinity_walk, dense_crf


def compare(case: Case, found: list, expected: list) -> tuple[float, bool]:
    """Largest difference of results and gradients, and whether it is tolerated."""
    errors = [difference(*pair) for pair in zip(found, expected, strict=True)]
    error = max(errors, default=0.0)
    return error, error <= case.tolerance


def parity(device: str, tiny: bool) -> Iterator[str]:
    """Rows: the largest difference between the devices."""
    yield table_header(
        *('algorithm', 'CPU, ms', f'{device}, ms', 'difference', 'within', 'repeats')
    )
    wrong = []
    for case in parity_cases(tiny):
        try:
            slow, fast = (run_case(case, place) for place in ('cpu', device))
            error, good = compare(case, fast.values, slow.values)
        except Exception as problem:
            wrong.append(_reported(case.name, problem))
            yield table_row(case.name, '', '', 'failed', '', '')
            continue
        wrong += [] if good else [f'{case.name} ({error:.0e})']
        repeats = {None: '–', True: 'yes', False: 'no'}[fast.repeats]
        times = (f'{1e3 * run.seconds:.1f}' for run in (slow, fast))
        figures = f'{error:.0e}', _within(case, good), repeats
        yield table_row(case.name, *times, *figures)
    yield ''
    cases, others = table_cases()
    yield f'Called: {_names([case.name for case in cases])}.\n'
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):  # of the heads
        yield from _table(cases, wrong, lambda case: _across(case, device))
    yield f'\nNo tensors go in ({len(others)}): {_names(others)}.'
    if wrong:
        raise AssertionError(f'CPU and {device} differ: {"; ".join(wrong)}')


def _across(case: Case, device: str) -> tuple[list, list]:
    return run_case(case, device).values, run_case(case, 'cpu').values


def _under(case: Case, device: str, kind: torch.dtype) -> tuple[list, list]:
    expected = run_case(case, device).values
    with torch.autocast(device, kind):
        return run_case(case, device).values, expected


def _table(
    cases: list[Case],
    wrong: list[str],
    both: Callable[[Case], tuple[list, list]],
) -> Iterator[str]:
    """The number of cases that are equal, and rows of the others."""
    equal, rows = 0, []
    for case in cases:
        try:
            error, good = compare(case, *both(case))
        except Exception as problem:
            wrong.append(_reported(case.name, problem))
            rows.append(table_row(case.name, 'failed', ''))
            continue
        if error == 0:
            equal += 1
        else:
            within = (
                f'{case.tolerance:.0e}' if good else f'**no**, {case.tolerance:.0e}'
            )
            rows.append(table_row(case.name, f'{error:.0e}', within))
            wrong += [] if good else [f'{case.name} ({error:.0e})']
    yield f'Equal: {equal} of {len(cases)}.'
    if rows:
        yield ''
        yield table_header('call', 'difference', 'within')
        yield from rows


def _within(case: Case, good: bool) -> str:
    return f'{"" if good else "**no**, "}{case.tolerance:.0e}'


def _names(names: list[str]) -> str:
    return ', '.join(f'`{name}`' for name in names) or 'none'


def _reported(name: str, error: Exception) -> str:
    traceback.print_exc()
    return f'{name}: {type(error).__name__}: {error}'


def autocast(device: str, tiny: bool) -> Iterator[str]:
    """Rows: everything under autocast against float32, but heads.

    Heads are layers with weights, which autocast is for.
    """
    kinds = (torch.bfloat16,) if device == 'cpu' else (torch.float16, torch.bfloat16)
    calls, _ = table_cases()
    cases = parity_cases(tiny) + [case for case in calls if 'Head' not in case.name]
    wrong: list[str] = []
    for kind in kinds:
        yield f'{str(kind)[6:]}:\n'
        both = functools.partial(_under, device=device, kind=kind)
        yield from _table(cases, wrong, both)
        yield ''
    if wrong:
        raise AssertionError(f'autocast changes results: {"; ".join(wrong)}')


def crf(device: str, tiny: bool) -> Iterator[str]:
    """Rows: dense CRF with 21 labels, and IRNet's walk with 20 channels."""
    height, width = (48, 64) if tiny else VOC_SIZE
    yield table_header('step', 'CPU, ms', f'{device}, ms')
    torch.manual_seed(0)
    smooth = torch.rand(1, 3, height // 8, width // 8)
    image = torch.nn.functional.interpolate(smooth, (height, width), mode='bicubic')
    image = (image[0].permute(1, 2, 0).clamp(0, 1) * 255).round()
    unary = -torch.rand(21, height, width).log_softmax(0)
    maps = scene(-(-height // 4), -(-width // 4), 6, 20, 0)
    for name, function, arguments in (
        ('dense CRF, 21 labels', lambda u, i: dense_crf(u, i, 'irnet'), (unary, image)),
        ('random walk, 20 channels', affinity_walk, (maps.cams, maps.edge)),
    ):
        case = Case(name, function, arguments)
        times = [1e3 * run_case(case, place).seconds for place in ('cpu', device)]
        yield table_row(name, *(f'{value:.0f}' for value in times))


PARTS = dict(
    parity=parity,
    autocast=autocast,
    steps=training_steps,
    generation=generation,
    crf=crf,
    training=training,
)


def main() -> int:
    """Run the parts; 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cuda', help='cuda or cpu')
    parser.add_argument('--tiny', action='store_true', help='small inputs')
    parser.add_argument('--only', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument(
        '--training-seconds', type=float, default=120, help='time of part training'
    )
    parser.add_argument('--markdown', type=Path, help='write the tables here too')
    args = parser.parse_args()
    init_default_scope('mmdet')
    MMLogger.get_current_instance().setLevel('ERROR')  # else a line per layer
    place = f'{torch.get_num_threads()} threads'
    if args.device != 'cpu':
        place = f'{torch.cuda.get_device_name()}, {place}'
    lines, failed = [], {}

    def put(line: str) -> None:
        lines.append(line)
        print(line, flush=True)
        if args.markdown:  # at once: what is measured outlasts a kill
            args.markdown.write_text('\n'.join(lines) + '\n')

    put(f'torch {torch.__version__}, {place}')
    for name in args.only:
        start = time.monotonic()
        settings = (args.training_seconds,) if name == 'training' else ()
        put(f'\n### {name}\n')
        try:
            for line in PARTS[name](args.device, args.tiny, *settings):
                put(line)
            synchronize(args.device)
        except Exception as error:
            traceback.print_exc()
            failed[name] = str(error)
        put(f'\n({name}: {time.monotonic() - start:.0f} s)')
    for name, error in failed.items():
        put(f'FAILED {name}: {error}')
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(main())
