"""Run the steps of ``case.json`` files: a tool, its arguments, what it must say.

A folder per case holds small files that re-make a public bug report of a labelling or
training tool. ``case.json`` names the report (``source``), what its user saw
(``symptom``), what must happen (``expected``) and the steps, each with

- ``tool``: a key of ``TOOLS``, ``python`` (a script of the folder) or ``train`` (two
  iterations at the level that is its only argument; ``classes`` are those of the
  dataset file, by default the file's own);
- ``rc``: exit codes that are allowed;
- ``has``, ``hasnot``: regular expressions searched in the output;
- ``absent``: files that must not exist afterwards.

No step may print a traceback.
"""

import json
import os
import re
import runpy
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = dict(
    check='tools/analysis_tools/check_dataset.py',
    weak='tools/dataset_converters/coco2weak.py',
    quality='tools/analysis_tools/pseudo_label_quality.py',
    voc='tools/dataset_converters/voc2coco.py',
    cityscapes='tools/dataset_converters/cityscapes2coco.py',
    kitti='tools/dataset_converters/kitti2coco.py',
    mix='tools/dataset_converters/mix_supervision.py',
    budget='tools/dataset_converters/annotation_budget.py',
    browse='tools/analysis_tools/browse_dataset.py',
)
TOOLS['import'] = 'tools/dataset_converters/import_labels.py'

# The smallest network of each kind: what happens before its first step counts.
TRAIN_CONFIGS = dict(
    image_tags='irnet/cam_r18_synthetic.py',
    boxes='mal/labeler_vit-tiny_synthetic.py',
    extreme_points='exits/similarity-extractor_vit-tiny_synthetic.py',
    masks='final_models/mask-rcnn_r18_synthetic.py',
)
DATA_SPEC = """data_spec = dict(
    name='case',
    data_root='.',
    classes={classes!r},
    train=dict(img='img/', ann_file='ann.json', weak=dict({weak})),
    val=dict(img='img/', ann_file='ann.json'),
    image_scale=(64, 64),
)
"""


@dataclass
class StepResult:
    """What a step ended with."""

    exit_code: int
    output: str


def run_step(step: dict, folder: Path, capture) -> StepResult:
    """Run a step of a case in its folder; ``capture`` is pytest's capsys."""
    script, arguments = _command(step, folder)
    old_argv, old_path, old_folder = sys.argv, list(sys.path), Path.cwd()
    capture.readouterr()
    text = ''
    try:
        os.chdir(folder)
        sys.argv = [str(script), *arguments]
        runpy.run_path(str(script), run_name='__main__')
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        text = end.code if isinstance(end.code, str) else ''
    except BaseException:  # as the interpreter does: print it, exit code 1
        code, text = 1, traceback.format_exc()
    finally:
        os.chdir(old_folder)
        sys.argv, sys.path[:] = old_argv, old_path
    captured = capture.readouterr()
    return StepResult(code, f'{captured.out}{captured.err}{text}')


def problems(step: dict, result: StepResult, folder: Path) -> list[str]:
    """What of a step's result is not as its case wants it."""
    found = []
    if result.exit_code not in step['rc']:
        found.append(f'exit code {result.exit_code} instead of {step["rc"]}')
    if 'Traceback' in result.output:
        found.append('a traceback')
    for pattern in step.get('has', ()):
        if not re.search(pattern, result.output):
            found.append(f'no {pattern!r}')
    for pattern in step.get('hasnot', ()):
        if re.search(pattern, result.output):
            found.append(f'has {pattern!r}')
    for name in step.get('absent', ()):
        if (folder / name).exists():
            found.append(f'{name} was written')
    return found


def _command(step: dict, folder: Path) -> tuple[Path, list[str]]:
    """Script and arguments of a step."""
    if step['tool'] == 'python':
        return folder / step['args'][0], step['args'][1:]
    if step['tool'] == 'train':
        return ROOT / 'tools/train.py', _training(step, folder)
    return ROOT / TOOLS[step['tool']], step['args']


def _training(step: dict, folder: Path) -> list[str]:
    """Arguments of tools/train.py for two iterations at a level."""
    level = step['args'][0]
    classes = step.get('classes') or _file_classes(folder / 'ann.json')
    weak = '' if level == 'masks' else f"{level}='ann.json'"
    spec = folder / f'{level}_spec.py'
    spec.write_text(DATA_SPEC.format(classes=tuple(classes), weak=weak))
    options = [
        'wsis.requires=[]',
        'train_cfg.max_iters=2',
        *(f'val_{part}=None' for part in ('cfg', 'dataloader', 'evaluator')),
        'train_dataloader.batch_size=1',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False',
    ]
    if level in ('boxes', 'extreme_points'):
        options.append('model.network.encoder.init_cfg=None')
    config = ROOT / 'configs' / TRAIN_CONFIGS[level]
    return [
        *(str(config), '--dataset', spec.name, '--work-dir', f'work_{level}'),
        *('--cfg-options', *options),
    ]


def _file_classes(path: Path) -> list[str]:
    categories = json.loads(path.read_text()).get('categories', [])
    return [str(category['name']) for category in categories]
