"""A training step of EXITS' labeler against one of MAL's, and where its time goes.

The models, optimizer and teacher are those of configs/exits/labeler_vit-b_coco.py and
configs/mal/labeler_vit-b_coco.py with random weights; the crops come from the config's
own training pipeline on made-up photographs, the same for both. A step is what a
training iteration does: preprocessing, forward, losses, backward, optimizer, moving
average of the teacher. Memory is the peak of all tensors during a step, weights and
optimizer state of that model included.

Examples:
    python benchmarks/bench_labeler_step.py
    python benchmarks/bench_labeler_step.py --device cuda --batch-size 4 --rounds 20
    python benchmarks/bench_labeler_step.py --device cuda --amp
"""

import copy
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from photograph_like import CLASSES, write_photographs
from side_by_side import (
    Ratio,
    alternate,
    announce,
    argument_parser,
    mib,
    peak_tensor_mib,
    seconds,
    synchronize,
    table_header,
    table_row,
)
from torch import nn

from mmwsis.models.labelers import exits_labeler
from mmwsis.ops import point_retrieval
from mmwsis.registry import DATASETS, HOOKS, MODELS

CONFIGS = Path(__file__).parents[1] / 'configs'
EXITS = CONFIGS / 'exits/labeler_vit-b_coco.py'
MAL = CONFIGS / 'mal/labeler_vit-b_coco.py'
WANTED = 1.25


class Trainee(NamedTuple):
    """A labeler with all that its training step needs."""

    model: nn.Module
    optim_wrapper: OptimWrapper
    teacher_hook: Any
    data: dict

    def step(self) -> None:
        """One training iteration; the same batch every time."""
        self.model.train_step(copy.copy(self.data), self.optim_wrapper)
        hook = self.teacher_hook
        hook.momentum_update(self.model, hook.momentum)

    def state_mib(self) -> float:
        """Weights, buffers and optimizer state."""
        tensors = [*self.model.parameters(), *self.model.buffers()]
        for state in self.optim_wrapper.optimizer.state.values():
            tensors += [value for value in state.values() if torch.is_tensor(value)]
        return sum(t.numel() * t.element_size() for t in tensors) / 2**20


def without_checkpoints(model: dict) -> dict:
    """A model's config with every ``init_cfg`` removed, so that nothing is loaded."""
    return {
        key: without_checkpoints(value) if isinstance(value, dict) else value
        for key, value in model.items()
        if key != 'init_cfg'
    }


def training_batch(
    cfg: Config, folder: Path, size: int, min_area: float | None = None
) -> dict:
    """``size`` crops of the config's training pipeline, from different images.

    Their areas spread over the range that is trained on, because the mask head works
    at a higher resolution for large objects.
    """
    dataset_cfg = copy.deepcopy(cfg.train_dataloader.dataset)
    ann_file = write_photographs(folder, 2 * size)
    dataset_cfg.update(
        data_root=f'{folder}/', ann_file=ann_file.name, data_prefix=dict(img='')
    )
    dataset_cfg.metainfo = dict(classes=CLASSES)
    if min_area is not None:
        dataset_cfg.filter_cfg.min_area = min_area
    dataset = DATASETS.build(dataset_cfg)
    by_area = sorted(
        range(len(dataset)), key=lambda index: dataset.get_data_info(index)['area']
    )
    np.random.seed(0)
    places = [round((i + 0.5) / size * (len(by_area) - 1)) for i in range(size)]
    return pseudo_collate([dataset[by_area[place]] for place in places])


def build(cfg: Config, data: dict, device: str, amp: bool) -> Trainee:
    """Model with random weights, optimizer and teacher hook, after one step."""
    torch.manual_seed(0)
    model = MODELS.build(without_checkpoints(cfg.model.to_dict()))
    model.init_weights()
    model.to(device).train()
    wrapper_cfg = copy.deepcopy(cfg.optim_wrapper)
    if amp:
        wrapper_cfg.type = 'AmpOptimWrapper'
    trainee = Trainee(
        model,
        build_optim_wrapper(model, wrapper_cfg),
        HOOKS.build(cfg.custom_hooks[0]),
        data,
    )
    trainee.step()
    return trainee


@contextmanager
def timed_parts(
    parts: dict[str, tuple[Any, str]], device: str, spent: dict[str, float]
) -> Iterator[None]:
    """Add up in ``spent`` the time within attributes of objects or modules."""

    def timed(name: str, function: Callable) -> Callable:
        def call(*args: Any, **kwargs: Any) -> Any:
            results = []
            spent[name] += seconds(
                lambda: results.append(function(*args, **kwargs)), device
            )
            return results[0]

        return call

    with ExitStack() as stack:
        for name, (owner, attribute) in parts.items():
            wrapped = timed(name, getattr(owner, attribute))
            stack.enter_context(mock.patch.object(owner, attribute, wrapped))
        yield


def breakdown(trainee: Trainee, rounds: int, device: str) -> dict[str, float]:
    """Seconds a step of every part, of the whole, and of what is not listed."""
    model = trainee.model
    parts = {
        'student, forward': (model.student, 'forward'),
        'teacher': (model.teacher, 'forward'),
        'CRF loss': (model.loss_crf, 'forward'),
        'backward and optimizer': (trainee.optim_wrapper, 'update_params'),
        'moving average': (trainee.teacher_hook, 'momentum_update'),
    }
    if hasattr(model, 'similarity_extractor'):
        parts |= {
            'similarity extractor': (model.similarity_extractor, 'forward'),
            'Sinkhorn': (point_retrieval, 'sinkhorn_scaling'),
            'propagation': (point_retrieval, 'propagation_scores'),
            'point loss': (model.loss_point, 'forward'),
            'extreme points to cells': (exits_labeler, 'extreme_points_to_cells'),
        }
    else:
        parts['projection loss'] = (model.loss_mil, 'forward')
    spent: dict[str, float] = defaultdict(float)
    with timed_parts(parts, device, spent):
        totals = []
        for _ in range(rounds):
            synchronize(device)
            totals.append(seconds(trainee.step, device))
    result = {name: spent[name] / rounds for name in parts}
    result['whole step'] = statistics.mean(totals)
    result['rest'] = result['whole step'] - sum(spent.values()) / rounds
    return result


def step_memory(trainee: Trainee, device: str) -> float:
    """Peak MiB of all tensors of one model during a step."""
    return trainee.state_mib() + peak_tensor_mib(trainee.step, device)


def measure(
    exits_cfg: Config, mal_cfg: Config, data: dict, args: Any
) -> tuple[Ratio, tuple[float, float], list[dict[str, float]]]:
    """Ratio of the steps, memory of each, breakdown of each."""
    sides = [build(cfg, data, args.device, args.amp) for cfg in (mal_cfg, exits_cfg)]
    mal, exits = sides
    ratio = alternate(mal.step, exits.step, args.rounds, args.device)
    parts = [breakdown(side, args.breakdown_rounds, args.device) for side in sides]
    memory = tuple(step_memory(side, args.device) for side in sides)
    return ratio, memory, parts


def main() -> None:
    parser = argument_parser(__doc__, rounds=3)
    parser.add_argument('--device', default='cpu', help='cpu or cuda')
    parser.add_argument('--batch-size', type=int, default=2, help='crops a step')
    parser.add_argument('--amp', action='store_true', help='half precision, as --amp')
    parser.add_argument(
        '--breakdown-rounds', type=int, default=1, help='steps timed part by part'
    )
    args = parser.parse_args()
    announce(args.device, args.threads, args.rounds)
    init_default_scope('mmdet')
    # Otherwise initialisation logs every parameter.
    MMLogger.get_current_instance().setLevel('ERROR')
    exits_cfg, mal_cfg = (Config.fromfile(str(path)) for path in (EXITS, MAL))
    with tempfile.TemporaryDirectory() as folder:
        data = training_batch(exits_cfg, Path(folder), args.batch_size)
    report(*measure(exits_cfg, mal_cfg, data, args), data)


def report(
    ratio: Ratio,
    memory: tuple[float, float],
    parts: list[dict[str, float]],
    data: dict,
) -> None:
    """Print the row of the comparison and the two breakdowns."""
    areas = ', '.join(f'{sample.area:.0f}' for sample in data['data_samples'])
    print(
        table_header(
            *('step', 'EXITS, ms', 'MAL, ms', 'EXITS / MAL (range)', 'wanted'),
            *('EXITS, MiB', 'MAL, MiB'),
        )
    )
    print(
        table_row(
            f'labeler training step, ViT-B, batch {len(data["data_samples"])}, '
            f'box areas {areas} pixels',
            f'{1e3 * ratio.second:.0f}',
            f'{1e3 * ratio.first:.0f}',
            str(ratio),
            f'≤ {WANTED}×',
            mib(memory[1]),
            mib(memory[0]),
        )
    )
    print('\n' + table_header('part of a step', 'EXITS, ms', 'MAL, ms'))
    mal, exits = parts
    for name in {**exits, **mal}:
        cells = [
            f'{1e3 * side[name]:.0f}' if name in side else '' for side in (exits, mal)
        ]
        print(table_row(name, *cells))


if __name__ == '__main__':
    main()
