"""What only a GPU shows: the same numbers as the CPU, full-size steps, memory.

Parts (``--only`` picks some), each on made-up input, random weights, no download:

- ``parity``: every operator and loss of the package on CPU and device, float32, values
  and gradients; times of both.
- ``autocast``: the losses and the point retrieval under autocast, float16 and bfloat16.
- ``steps``: one full-size training step of every labeler and of SOLOv2, float32 and
  mixed precision: seconds (median) and peak memory.
- ``crf``: dense CRF and random walk at the size of a VOC image.
- ``training``: two minutes of MAL's synthetic labeler; its loss must fall.

A part that fails is reported, the others still run; the exit status then is 1. mmcv's
CUDA operators are not needed.

Examples:
    python benchmarks/gpu_check.py
    python benchmarks/gpu_check.py --device cpu --tiny
    python benchmarks/gpu_check.py --only parity crf --markdown rows.md
"""

import argparse
import copy
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from bench_irnet_ops import scene
from bench_labeler_step import build, training_batch, without_checkpoints
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData
from parity_cases import Case, difference, parity_cases, run_case
from side_by_side import seconds, synchronize, table_header, table_row
from torch import Tensor

from mmwsis.ops import affinity_walk, dense_crf
from mmwsis.registry import MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
VOC_SIZE = (375, 500)


def parity(device: str, tiny: bool) -> Iterator[str]:
    """Rows: the largest difference between the devices."""
    yield table_header('operator', 'CPU, ms', f'{device}, ms', 'difference', 'within')
    wrong = []
    for case in parity_cases(tiny):
        (expected, slow), (found, fast) = (run_case(case, d) for d in ('cpu', device))
        errors = [difference(*pair) for pair in zip(found, expected, strict=True)]
        error = max(errors)
        good = error <= case.tolerance
        wrong += [] if good else [f'{case.name} ({error:.0e})']
        yield table_row(
            *(case.name, f'{1e3 * slow:.1f}', f'{1e3 * fast:.1f}', f'{error:.0e}'),
            f'{case.tolerance:.0e}' if good else f'**no**, {case.tolerance:.0e}',
        )
    if wrong:
        raise AssertionError(f'CPU and {device} differ: {", ".join(wrong)}')


def autocast(device: str, tiny: bool) -> Iterator[str]:
    """Rows: losses and retrieval under autocast against float32."""
    yield table_header('operator', 'type', 'difference from float32')
    names = ('loss', 'retrieval', 'Sinkhorn', 'dense CRF')
    kinds = (torch.bfloat16,) if device == 'cpu' else (torch.float16, torch.bfloat16)
    for case in parity_cases(tiny):
        if not any(name in case.name for name in names):
            continue
        expected, _ = run_case(case, device)
        for kind in kinds:
            with torch.autocast(device, kind):
                found, _ = run_case(case, device)
            if not all(value.isfinite().all() for value in found):
                raise AssertionError(f'{case.name}: not finite under {kind}')
            error = difference(found[0], expected[0])
            yield table_row(case.name, str(kind)[6:], f'{error:.0e}')


def crop_step(
    name: str, amp: bool, device: str, tiny: bool
) -> tuple[int, Callable[[], None]]:
    """Batch size of the config of a labeler of object crops, and a training step."""
    cfg = Config.fromfile(CONFIGS / name)
    size = 2 if tiny else cfg.train_dataloader.batch_size
    with tempfile.TemporaryDirectory() as folder:
        data = training_batch(cfg, Path(folder), size)
    return size, build(cfg, data, device, amp).step


def network_step(
    name: str, amp: bool, device: str, make_batch: Callable[[Config], dict]
) -> tuple[int, Callable[[], None]]:
    """Batch size and training step of a network of whole images."""
    cfg = Config.fromfile(CONFIGS / name)
    torch.manual_seed(0)
    model = MODELS.build(without_checkpoints(cfg.model.to_dict()))
    model.init_weights()
    model.to(device).train()
    wrapper_cfg = copy.deepcopy(cfg.optim_wrapper)
    wrapper_cfg.type = 'AmpOptimWrapper' if amp else 'OptimWrapper'
    wrapper = build_optim_wrapper(model, wrapper_cfg)
    data = make_batch(cfg)
    step = lambda: model.train_step(copy.deepcopy(data), wrapper)  # noqa: E731
    return len(data['inputs']), step


def whole_image_batch(tiny: bool) -> Callable[[Config], dict]:
    """Random crops with tags and affinity labels, for the classifier and IRNet."""
    from mmdet.structures import DetDataSample

    def make(cfg: Config) -> dict:
        size = 2 if tiny else cfg.train_dataloader.batch_size
        side = 128 if tiny else 512
        inputs, samples = [], []
        for index in range(size):
            maps = scene(side, side, 8, 1, index)
            sample = DetDataSample(metainfo=dict(img_id=index, ori_shape=(side, side)))
            labels = torch.from_numpy(maps.objects)[None]
            sample.gt_sem_seg = PixelData(sem_seg=labels)
            sample.set_field((torch.rand(_classes(cfg)) > 0.8).float(), 'gt_tags')
            inputs.append(torch.randint(0, 256, (3, side, side), dtype=torch.uint8))
            samples.append(sample)
        return dict(inputs=inputs, data_samples=samples)

    return make


def _classes(cfg: Config) -> int:
    return len(cfg.train_dataloader.dataset.metainfo.classes)


def replace_missing_focal_loss() -> None:
    """Without mmcv's CUDA operators take MMDetection's plain focal loss."""
    from mmdet.models.losses import focal_loss as module

    def plain(pred: Tensor, target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        classes = pred.size(1)
        hot = torch.nn.functional.one_hot(target, classes + 1)[:, :classes]
        return module.py_sigmoid_focal_loss(pred, hot, *args, **kwargs)

    try:
        probe = torch.zeros(1, 2, device='cuda')
        module.sigmoid_focal_loss(probe, torch.zeros(1, dtype=torch.long).cuda())
    except RuntimeError:
        module.sigmoid_focal_loss = plain
        print('(SOLOv2 with the plain focal loss: mmcv has no CUDA operators)')


def detection_batch(tiny: bool) -> Callable[[Config], dict]:
    """Images of 1333x800 with seven objects."""
    from mmdet.testing import demo_mm_inputs

    def make(cfg: Config) -> dict:
        size = 1 if tiny else cfg.train_dataloader.batch_size
        shapes = [(3, 128, 160)] * size if tiny else [(3, 800, 1333)] * size
        items = [7] * size
        return demo_mm_inputs(
            size, image_shapes=shapes, num_items=items, num_classes=20, with_mask=True
        )

    return make


def steps(device: str, tiny: bool) -> Iterator[str]:
    """Rows: seconds and memory of a training step."""
    if device != 'cpu':
        replace_missing_focal_loss()
    yield table_header('training step', 'batch', 'precision', 's', 'peak, GiB')
    maps = whole_image_batch(tiny)
    labeler = 'labeler_vit-tiny_synthetic.py' if tiny else 'labeler_vit-b_coco.py'
    makers = {
        'EXITS': lambda amp: crop_step(f'exits/{labeler}', amp, device, tiny),
        'MAL': lambda amp: crop_step(f'mal/{labeler}', amp, device, tiny),
        'IRNet classifier': lambda amp: network_step(
            'irnet/cam_r50_voc.py', amp, device, maps
        ),
        'IRNet': lambda amp: network_step('irnet/irnet_r50_voc.py', amp, device, maps),
        'SOLOv2': lambda amp: network_step(
            'exits/solov2_r50.py', amp, device, detection_batch(tiny)
        ),
    }
    failed = []
    for name, make in makers.items():
        for amp in (False,) if device == 'cpu' else (False, True):
            precision = 'mixed' if amp else 'float32'
            try:
                size, step = make(amp)
                figures = measure_step(step, device)
                yield table_row(name, str(size), precision, *figures)
                del step
            except Exception as error:
                traceback.print_exc()
                failed.append(f'{name}, {precision}: {error}')
    if failed:
        raise AssertionError('; '.join(failed))


def measure_step(step: Callable[[], None], device: str) -> tuple[str, str]:
    """Median seconds of five steps after two, and the peak of allocated memory."""
    for _ in range(2):
        step()
    if device == 'cpu':
        return f'{seconds(step):.2f}', '–'
    torch.cuda.reset_peak_memory_stats()
    times = [seconds(step, device) for _ in range(5)]
    peak = torch.cuda.max_memory_allocated() / 2**30
    torch.cuda.empty_cache()
    return f'{statistics.median(times):.3f}', f'{peak:.1f}'


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
        times = [1e3 * run_case(case, place)[1] for place in ('cpu', device)]
        yield table_row(name, *(f'{value:.0f}' for value in times))


def training(device: str, tiny: bool) -> Iterator[str]:
    """Rows: the loss of MAL's small labeler over two minutes of one batch."""
    cfg = Config.fromfile(CONFIGS / 'mal/labeler_vit-tiny_synthetic.py')
    with tempfile.TemporaryDirectory() as folder:
        data = training_batch(cfg, Path(folder), 2 if tiny else 32)
    trainee = build(cfg, data, device, amp=False)
    losses: list[float] = []
    end = time.monotonic() + (10 if tiny else 120)
    while time.monotonic() < end and len(losses) < 2000:
        logged = trainee.model.train_step(copy.copy(data), trainee.optim_wrapper)
        losses.append(float(logged['loss'].detach()))
    tenth = max(1, len(losses) // 10)
    first, last = (statistics.mean(x) for x in (losses[:tenth], losses[-tenth:]))
    yield table_header('training', 'iterations', 'loss, first tenth', 'last tenth')
    yield table_row('MAL, small', str(len(losses)), f'{first:.3f}', f'{last:.3f}')
    if not last < first:
        raise AssertionError('the loss did not fall')


PARTS = dict(parity=parity, autocast=autocast, steps=steps, crf=crf, training=training)


def main() -> int:
    """Run the parts; 1 if one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--device', default='cuda', help='cuda or cpu')
    parser.add_argument('--tiny', action='store_true', help='small inputs')
    parser.add_argument('--only', nargs='+', choices=PARTS, default=list(PARTS))
    parser.add_argument('--markdown', type=Path, help='write the tables here too')
    args = parser.parse_args()
    init_default_scope('mmdet')
    MMLogger.get_current_instance().setLevel('ERROR')  # else a line per layer
    cuda = args.device != 'cpu'
    lines = [
        f'torch {torch.__version__}, '
        + (
            torch.cuda.get_device_name()
            if cuda
            else f'{torch.get_num_threads()} threads'
        )
    ]
    print(lines[0], flush=True)
    failed = {}
    for name in args.only:
        start = time.monotonic()
        for line in _part(name, args.device, args.tiny, failed):
            lines.append(line)
            print(line, flush=True)
        synchronize(args.device)
        print(f'({name}: {time.monotonic() - start:.0f} s)', flush=True)
    lines += [f'FAILED {name}: {error}' for name, error in failed.items()]
    print('\n'.join(lines[len(lines) - len(failed) :]))
    if args.markdown:
        args.markdown.write_text('\n'.join(lines) + '\n')
    return int(bool(failed))


def _part(name: str, device: str, tiny: bool, failed: dict) -> Iterator[str]:
    yield f'\n### {name}\n'
    try:
        yield from PARTS[name](device, tiny)
    except Exception as error:
        traceback.print_exc()
        failed[name] = str(error)


if __name__ == '__main__':
    sys.exit(main())
