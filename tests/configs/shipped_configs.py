"""The shipped configs, each loaded once for all tests."""

import functools
from pathlib import Path

from mmengine.config import Config

from mmwsis.utils.config_files import default_work_dir

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / 'configs'
METHODS = (
    *('exits', 'mal', 'irnet', 'bestie', 'wise', 'weak_panoptic'),
    *('sam', 'proposals', 'final_models'),
)
ALL = [file for method in METHODS for file in sorted((FOLDER / method).glob('*.py'))]
PIPELINES = [file for file in ALL if file.stem.startswith('pipeline')]
CONFIGS = [file for file in ALL if file not in PIPELINES]
# They read panoptic files and tags of crops, which the tiny scenes of other tests lack.
PANOPTIC = [
    file
    for file in CONFIGS
    if file.parent.name == 'weak_panoptic' or file.stem.startswith('panoptic-fpn')
]


@functools.cache
def load(file):
    """A config; who changes it copies it."""
    return Config.fromfile(file)


def name_of(file):
    return f'{file.parent.name}/{file.stem}'


def work_dir(file):
    cfg = load(file)
    return cfg.get('work_dir') or default_work_dir(cfg, file)
