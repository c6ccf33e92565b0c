"""The ablations that the README of BESTIE lists, one line of options each."""

import re
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import DictAction
from mmengine.registry import TRANSFORMS, init_default_scope

sys.path.insert(0, str(Path(__file__).parent))
from shipped_configs import FOLDER, load

from mmwsis.engine.run_config import load_run_config
from mmwsis.registry import MODELS

ROW = re.compile(
    r'^\| [^|]+ \| (network|classifier) \| (?:`([^`]+)`|none) \|[^|\n]*\|$', re.M
)
PAPER = dict(network='bestie_hrnet-w48_voc.py', classifier='pam_vgg16_voc.py')
SMALLEST = dict(network='bestie_r18_synthetic.py', classifier='pam_r18_synthetic.py')
README = (FOLDER / 'bestie/README.md').read_text(encoding='utf-8')
ROWS = [(kind, text) for kind, text in ROW.findall(README) if text]


def options_of(text):
    """Options as the tools read them from a command line."""
    pairs = [word.partition('=') for word in text.split()]
    parse = DictAction._parse_iterable
    return {key: parse(value) for key, _, value in pairs}


def value_of(cfg, key):
    for name in key.split('.'):
        cfg = cfg[int(name) if name.isdigit() else name]
    return cfg


def test_the_table_has_what_the_paper_varies():
    text = ' '.join(text for _, text in ROWS)
    for part in (
        'model.head.act_cfg.alpha=0 ',  # PAM
        'model.instance_guidance=False',  # IAG
        'model.refinement=None',
        'model.refinement.beta=0',  # clustering
        'model.head.act_cfg.alpha=0.3',
        'model.head.act_cfg.alpha=0.5',
        'model.class_agnostic=True',
        'train_dataloader.dataset.pipeline.1.folder=',  # semantic maps
        'train_dataloader.dataset.pipeline.2.score_thr=0.5',
    ):
        assert part in text + ' '
    lines = README.partition('## Ablations')[2].partition('## Citation')[0]
    assert lines.count('| network |') + lines.count('| classifier |') == len(ROWS) + 1


@pytest.mark.parametrize(('kind', 'text'), ROWS)
def test_ablations_change_what_is_there(kind, text):
    options = options_of(text)
    cfg = load_run_config(FOLDER / 'bestie' / PAPER[kind], options)
    for key, value in options.items():
        assert value_of(cfg, key) == value
        before = value_of(load(FOLDER / 'bestie' / PAPER[kind]), key)
        assert before != value or key == 'model.head.act_cfg.alpha'  # 0.7 is listed
    init_default_scope('mmdet')
    for step in cfg.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)


@pytest.mark.parametrize(('kind', 'text'), ROWS)
def test_ablations_build(kind, text):
    """The models of the smallest scale, which have the same settings."""
    options = {k: v for k, v in options_of(text).items() if k.startswith('model.')}
    cfg = load_run_config(FOLDER / 'bestie' / SMALLEST[kind], options)
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        found = model(torch.zeros(1, 3, 32, 32))
    if kind == 'network':
        classes = 1 if options.get('model.class_agnostic') else 6
        assert found.centers.shape == (1, classes, 32, 32)
    else:
        assert found.shape == (1, 6)


@pytest.mark.parametrize('file', ['bestie_hrnet-w48_voc.py', 'bestie_r50_voc.py'])
@pytest.mark.parametrize('text', [text for kind, text in ROWS if kind == 'network'])
def test_ablations_build_at_full_size(file, text):
    """Without memory for the weights."""
    cfg = load_run_config(FOLDER / 'bestie' / file, options_of(text))
    init_default_scope('mmdet')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert model.instance_guidance == ('instance_guidance=False' not in text)
    assert (model.refinement is None) == ('model.refinement=None' in text)
    assert model.center_head.predict.out_channels == (
        1 if 'class_agnostic' in text else 20
    )


@pytest.mark.parametrize('text', [text for kind, text in ROWS if kind == 'classifier'])
def test_ablations_of_the_classifier_build_at_full_size(text):
    cfg = load_run_config(FOLDER / 'bestie' / PAPER['classifier'], options_of(text))
    init_default_scope('mmdet')
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert sum(weight.numel() for weight in model.parameters()) == 21_804_372
