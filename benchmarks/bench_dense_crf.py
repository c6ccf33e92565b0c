"""Time and memory of the dense CRF against ``pydensecrf2``, on images of VOC's size.

Both sides get the same images (375x500), labels and IRNet's kernels and run ten
iterations, alternately in one process after a warm-up. The kernel of positions, which
ours keeps between images of one size, is built anew in every run, except in the row
that says so. Times are processor seconds, and in brackets seconds of the wall clock;
ratios (ours / theirs, smaller is better) are the medians of neighbouring runs. Memory
is how far a call raises the process'. ``pip install pydensecrf2`` (or
``pip install mmwsis[crf]``) builds the other side from source.

Examples:
    OMP_NUM_THREADS=1 python benchmarks/bench_dense_crf.py
    python benchmarks/bench_dense_crf.py --threads 2 --images photos/*.jpg
    python benchmarks/bench_dense_crf.py --device cuda --rounds 20
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.cbook import get_sample_data
from photograph_like import photograph
from PIL import Image
from side_by_side import (
    announce,
    argument_parser,
    mib,
    peak_resident_mib,
    peak_tensor_mib,
    synchronize,
    table_header,
    table_row,
)
from torch.profiler import ProfilerActivity, profile

from mmwsis.ops import CRF_PRESETS, DenseCRF, PermutohedralLattice, unary_from_labels
from mmwsis.ops.crf_kernels import position_lattice

HEIGHT, WIDTH = 375, 500
ITERATIONS = 10
PRESET = 'irnet'


class NamedImage(NamedTuple):
    """A named image of the benchmark's size."""

    name: str
    pixels: np.ndarray  # (H, W, 3) uint8


class Run(NamedTuple):
    """One call: its processor seconds, wall-clock seconds and result."""

    cpu: float
    wall: float
    result: Any


def load(path: Path) -> NamedImage:
    with Image.open(path) as image:
        resized = image.convert('RGB').resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return NamedImage(path.name, np.array(resized))


def smooth_maps(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Blurred noise: (count, H, W)."""
    coarse = torch.from_numpy(rng.normal(size=(1, count, 6, 8)).astype(np.float32))
    return F.interpolate(coarse, size=(HEIGHT, WIDTH), mode='bicubic')[0]


def made_up_scene(name: str, rng: np.random.Generator, contrast: float) -> NamedImage:
    """Textured regions of different colours, with a sensor's noise."""
    regions = smooth_maps(rng, 12).argmax(0).numpy()
    colours = rng.uniform(20, 235, (12, 3))[regions]
    texture = contrast * (photograph(rng, WIDTH, HEIGHT).astype(float) - 128)
    noise = rng.normal(scale=2, size=colours.shape)
    pixels = (colours + texture + noise).clip(0, 255).astype(np.uint8)
    return NamedImage(name, pixels)


def default_images() -> list[NamedImage]:
    """A photograph that comes with Matplotlib and two made-up ones."""
    rng = np.random.default_rng(0)
    with get_sample_data('grace_hopper.jpg', asfileobj=True) as file:
        portrait = load(Path(file.name))
    plain = made_up_scene('made-up scene', rng, 0.25)
    return [portrait, plain, made_up_scene('with much texture', rng, 0.5)]


def library_labels(pixels: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """What ``pydensecrf`` makes of (n, H * W) energies."""
    from pydensecrf.densecrf import DenseCRF2D

    gauss, bilateral = CRF_PRESETS[PRESET]
    crf = DenseCRF2D(WIDTH, HEIGHT, len(energy))
    crf.setUnaryEnergy(energy)
    crf.addPairwiseGaussian(sxy=gauss.sxy, compat=gauss.weight)
    crf.addPairwiseBilateral(
        sxy=bilateral.sxy,
        srgb=bilateral.srgb,
        rgbim=pixels,
        compat=bilateral.weight,
    )
    marginals = np.array(crf.inference(ITERATIONS))
    return marginals.argmax(0).reshape(HEIGHT, WIDTH)


def our_labels(pixels: torch.Tensor, unary: torch.Tensor, warm: bool) -> torch.Tensor:
    if not warm:
        position_lattice.cache_clear()
    return DenseCRF(pixels, PRESET).labels(unary, ITERATIONS)


def run(function: Callable[[], Any], device: str) -> Run:
    synchronize(device)
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    synchronize(device)
    return Run(time.process_time() - cpu, time.perf_counter() - wall, result)


def seconds(runs: list[Run]) -> str:
    cpu, wall = (statistics.median(column) for column in list(zip(*runs))[:2])
    return f'{cpu:.2f} ({wall:.2f})'


def ratio(ours: list[Run], theirs: list[Run], clock: str) -> str:
    values = sorted(getattr(a, clock) / getattr(b, clock) for a, b in zip(ours, theirs))
    low, middle, high = values[0], statistics.median(values), values[-1]
    return f'**{middle:.2f}×** ({low:.2f}–{high:.2f})'


def compare(
    name: str,
    pixels: np.ndarray,
    labels: torch.Tensor,
    count: int,
    rounds: int,
    device: str,
    warm: bool = False,
) -> str:
    """Run both sides and return their line of the table.

    Args:
        name: What is compared.
        pixels: (H, W, 3) or (B, H, W, 3); one image serves all label maps.
        labels: (H, W) or (B, H, W).
        count: Number of labels.
        rounds: Timed runs of each side.
        device: Where ours runs.
        warm: Whether ours may keep the kernel of positions.
    """
    unary = unary_from_labels(labels, count)
    energies = unary.reshape(-1, count, HEIGHT * WIDTH).numpy()
    each = np.broadcast_to(pixels, (len(energies), HEIGHT, WIDTH, 3)).copy()
    on_device = torch.from_numpy(pixels).to(device), unary.to(device)

    def ours() -> np.ndarray:
        return our_labels(*on_device, warm).cpu().numpy()

    def theirs() -> np.ndarray:
        return np.stack([library_labels(*pair) for pair in zip(each, energies)])

    # These calls warm up, too.
    our_memory = peak_resident_mib(ours)
    their_memory = peak_resident_mib(theirs)
    if device != 'cpu':
        our_memory = peak_tensor_mib(ours, device)
    pairs = [(run(ours, device), run(theirs, 'cpu')) for _ in range(rounds)]
    left, right = (list(side) for side in zip(*pairs))
    same = (left[0].result.reshape(right[0].result.shape) == right[0].result).mean()
    return table_row(
        name,
        seconds(left),
        seconds(right),
        ratio(left, right, 'cpu') if device == 'cpu' else '–',
        ratio(left, right, 'wall'),
        f'{100 * same:.3f} %',
        mib(our_memory),
        mib(their_memory),
    )


def time_by_step(
    image: NamedImage, labels: torch.Tensor, count: int, device: str
) -> str:
    """Say where the time of one image goes."""
    pixels = torch.from_numpy(image.pixels).to(device)
    unary = unary_from_labels(labels, count).to(device)
    position_lattice.cache_clear()
    cold = run(lambda: DenseCRF(pixels, PRESET), device)
    warm = run(lambda: DenseCRF(pixels, PRESET), device)
    crf = warm.result
    crf.labels(unary, 1)
    frame = run(lambda: crf.labels(unary, 0), device)
    whole = run(lambda: crf.labels(unary, ITERATIONS), device)
    activities = [ProfilerActivity.CPU]
    if device != 'cpu':
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as trace:
        crf.labels(unary, ITERATIONS)
    kind = 'cpu' if device == 'cpu' else 'device'
    own = {e.key: getattr(e, f'self_{kind}_time_total') for e in trace.key_averages()}
    filtering = sum(t for name, t in own.items() if 'embedding_bag' in name.lower())
    softmax = sum(t for name, t in own.items() if 'softmax' in name.lower())
    everything = sum(own.values())
    clock = 'cpu' if device == 'cpu' else 'wall'
    times = [getattr(step, clock) for step in (cold, warm, frame, whole)]
    cold_ms, warm_ms, frame_ms, whole_ms = (f'{1e3 * t:.0f}' for t in times)
    each_ms = f'{1e3 * (times[3] - times[2]) / ITERATIONS:.1f}'
    return table_row(
        f'{image.name}, {count} labels',
        str(vertices_of(pixels)),
        warm_ms,
        f'{1e3 * max(0.0, times[0] - times[1]):.0f}',
        frame_ms,
        each_ms,
        f'{100 * filtering / everything:.0f} %',
        f'{100 * softmax / everything:.0f} %',
        whole_ms,
    )


def vertices_of(pixels: torch.Tensor) -> int:
    """Vertices of the bilateral lattice."""
    kernel = CRF_PRESETS[PRESET][1]
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing='ij')
    positions = torch.stack([x, y], 2).to(pixels.device) / kernel.sxy
    features = torch.cat([positions, pixels / kernel.srgb], 2).flatten(0, 1)
    return PermutohedralLattice(features).num_vertices


def main() -> None:
    parser = argument_parser(__doc__, rounds=5)
    parser.add_argument('--device', default='cpu', help='cpu or cuda, for ours')
    parser.add_argument('--labels', type=int, default=21, help='labels, e.g. of VOC')
    parser.add_argument(
        '--images', type=Path, nargs='+', help='photographs instead of the three'
    )
    args = parser.parse_args()
    try:
        import pydensecrf.densecrf  # noqa: F401
    except ImportError:
        sys.exit('This compares with pydensecrf: pip install pydensecrf2')
    announce(args.device, args.threads, args.rounds)
    given = [load(path) for path in args.images] if args.images else None
    images = given or default_images()
    rng = np.random.default_rng(1)
    many = smooth_maps(rng, args.labels).argmax(0)
    few = [smooth_maps(rng, 3).argmax(0) for _ in range(2)]
    options = dict(rounds=args.rounds, device=args.device)
    print(
        table_header(
            *('what', 'ours, s', 'theirs, s', 'processor time', 'wall clock'),
            *('identical labels', 'ours, MiB', 'theirs, MiB'),
        )
    )
    rows = [(f'{p.name}, {args.labels} labels', p.pixels, many) for p in images]
    for name, pixels, labels in rows:
        print(compare(name, pixels, labels, args.labels, **options), flush=True)
    first = images[0]
    name = f'{first.name}, {args.labels} labels, positions kept'
    print(compare(name, first.pixels, many, args.labels, **options, warm=True))
    name = f'{first.name}, 3 labels'
    print(compare(name, first.pixels, few[0], 3, **options), flush=True)
    name = f'{first.name}, two maps of 3 labels in one call'
    print(compare(name, first.pixels, torch.stack(few), 3, **options), flush=True)
    batch = np.stack([image.pixels for image in images])
    labels = many.expand(len(batch), -1, -1)
    name = f'batch of {len(batch)} images, {args.labels} labels'
    print(compare(name, batch, labels, args.labels, **options), flush=True)
    print('\nOurs, step by step, ms:\n')
    print(
        table_header(
            *('what', 'vertices', 'build', 'and positions', 'in and out'),
            *('per iteration', 'of it filters', 'softmax', 'ten iterations'),
        )
    )
    for image in images:
        print(time_by_step(image, many, args.labels, args.device), flush=True)
    print(time_by_step(first, few[0], 3, args.device))


if __name__ == '__main__':
    main()
