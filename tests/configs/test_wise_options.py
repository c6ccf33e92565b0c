"""The options that the README of WISE lists, one line each, and the rows of Table 1."""

import inspect
import re
import sys
from pathlib import Path

import pytest
from mmengine.config import DictAction
from mmengine.registry import TRANSFORMS, init_default_scope

sys.path.insert(0, str(Path(__file__).parent))
from shipped_configs import FOLDER, load

from mmwsis.engine.run_config import load_run_config
from mmwsis.models.detectors.wise import MASK_SOURCES
from mmwsis.registry import METRICS, MODELS

PAPER, SMALLEST = (
    FOLDER / 'wise' / name for name in ('wise_r50_voc.py', 'wise_r18_synthetic.py')
)
README = (FOLDER / 'wise/README.md').read_text(encoding='utf-8')
ROW = re.compile(r'^\| [^|`]+ \| `((?:\S+=\S+ ?)+)` \|[^|\n]*\|', re.M)
OPTIONS = ROW.findall(README.partition('## Options')[2])
SEVEN = ROW.findall(README.partition('### Table 1')[2].partition('### Table 2')[0])


def options_of(text):
    """Options as the tools read them from a command line."""
    pairs = [word.partition('=') for word in text.split()]
    return {key: DictAction._parse_iterable(value) for key, _, value in pairs}


def value_of(cfg, key):
    *names, last = key.split('.')
    for name in names:
        cfg = cfg[int(name) if name.isdigit() else name]
    return cfg.get(last)  # None is what the released code does


def test_the_seven_rows_of_table_1():
    prefix = 'model.test_cfg.mask_source='
    assert [text.removeprefix(prefix) for text in SEVEN] == list(MASK_SOURCES)


def test_every_setting_has_a_row():
    listed = {key for text in OPTIONS for key in options_of(text)}
    cfg = load(PAPER)
    settings = {f'model.test_cfg.{key}' for key in cfg.model.test_cfg}
    assert settings - {'model.test_cfg.mask_source'} <= listed
    assert 'model.localization_weight' in listed
    for number, step in enumerate(cfg.train_dataloader.dataset.pipeline):
        if step.type == 'mmwsis.GeneratePixelGroups':
            own = set(TRANSFORMS.build(step).__dict__)
            place = f'train_dataloader.dataset.pipeline.{number}'
            assert {f'{place}.{key}' for key in own} <= listed
    tables = README.partition('## Options')[2].partition('## Citation')[0]
    assert tables.count('\n| ') == len(OPTIONS) + 4  # two headers with their rulers


@pytest.mark.parametrize('text', OPTIONS)
def test_options_change_what_is_there(text):
    options = options_of(text)
    cfg = load_run_config(PAPER, options)
    assert any(value_of(load(PAPER), key) != value for key, value in options.items())
    for key, value in options.items():
        assert value_of(cfg, key) == value
    init_default_scope('mmdet')
    for step in cfg.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)
    for key in options:
        if key.startswith('test_evaluator.0.'):
            metric = METRICS.get(cfg.test_evaluator[0].type)
            assert key.rpartition('.')[2] in inspect.signature(metric).parameters


@pytest.mark.parametrize('text', [*OPTIONS, *SEVEN])
def test_options_build(text):
    """The models of the smallest scale, which have the same settings."""
    options = {k: v for k, v in options_of(text).items() if k.startswith('model.')}
    init_default_scope('mmdet')
    MODELS.build(load_run_config(SMALLEST, options).model)
