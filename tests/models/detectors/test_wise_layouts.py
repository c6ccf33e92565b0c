"""WISE's configs of KITTI and Cityscapes run on files in the layouts of the two."""

import importlib.util
import json
import math
import shlex
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).parent))
from test_bestie_tools import SHORT, TOOLS, run

from mmwsis.engine.requirements import requirements_of
from mmwsis.visualization.curves import read_scalars

LAYOUTS = Path(__file__).parents[2] / 'dataset_converters/real_layouts.py'
CONFIGS = TOOLS.parent / 'configs'
# As on the pages of docs/datasets.
CONVERTED = dict(
    kitti=(
        'kitti2coco.py boxes data/kitti/object --list '
        'data/kitti/object/ImageSets/train.txt --out-dir data/kitti/weak',
        'kitti2coco.py masks data/kitti/semantics '
        '--out data/kitti/annotations/instances_val.json',
    ),
    cityscapes=(
        'cityscapes2coco.py data/cityscapes --split train val',
        'coco2weak.py data/cityscapes/annotations/instances_gtFine_train.json '
        '--level points --out-dir data/cityscapes/weak',
    ),
)
# What the papers measure on each.
METRICS = dict(
    kitti=('AP25', 'AP50', 'AP75', 'MAE', 'MUCov', 'MWCov'),
    cityscapes=('AP25', 'AP50', 'AP75', 'MAE', 'voc/AP'),
)
# Everything of the config but its length and ImageNet weights.
SMALL = (*SHORT, 'model.backbone.depth=18', 'model.backbone.init_cfg=None')
CHANNELS = [
    f'model.{head}.in_channels=[128,256,512]'
    for head in ('localization_head', 'embedding_head')
]


@pytest.mark.parametrize('name', list(CONVERTED))
def test_from_the_downloaded_files_to_metrics(name, tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location('real_layouts', LAYOUTS)
    layouts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(layouts)
    getattr(layouts, name)(tmp_path)
    monkeypatch.chdir(tmp_path)
    for command in CONVERTED[name]:
        tool, *arguments = command.split()
        run(monkeypatch, f'dataset_converters/{tool}', *arguments, '--workers', '1')
    (tmp_path / 'configs').symlink_to(CONFIGS)
    file = f'configs/wise/wise_r50_{name}.py'
    for needed in requirements_of(Config.fromfile(file)):
        if 'proposals' in needed.path:  # as the config says, but in this process
            _, tool, *arguments = shlex.split(needed.command)
            if '--cfg-options' not in arguments:
                arguments.append('--cfg-options')
            arguments.append('pseudo_label_dataloader.num_workers=0')
            run(monkeypatch, Path(tool).name, *arguments)
    run(monkeypatch, 'train.py', file, *SMALL, *CHANNELS)
    (folder,) = Path('work_dirs').rglob(f'wise_r50_{name}')
    losses = {key: rows for key, rows in read_scalars(folder).items() if 'loss' in key}
    assert 'loss_embedding' in losses and 'loss_point' in losses
    assert all(math.isfinite(value) for rows in losses.values() for _, value in rows)
    run(
        *(monkeypatch, 'test.py', file, folder / 'iter_3.pth'),
        *('--metrics-out', 'metrics.json', *SMALL, *CHANNELS),
    )
    metrics = json.loads(Path('metrics.json').read_text())
    for wanted in METRICS[name]:
        assert any(key.endswith(wanted) for key in metrics), (wanted, list(metrics))
