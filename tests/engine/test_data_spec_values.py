"""Dataset files with one value changed: fine, or one message that names the file."""

import copy
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsis.engine.data_spec import apply_data_spec, load_data_spec
from mmwsis.engine.user_errors import user_text

SPEC = dict(
    name='mine',
    data_root='data',
    classes=['bolt', 'nut'],
    stuff_classes=['table'],
    palette=[[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    train=dict(
        ann_file='train.json',
        img='img/',
        weak=dict(boxes='train.json', points='later.json'),
        panoptic=dict(ann_file='panoptic.json', seg='panoptic'),
    ),
    val=dict(
        ann_file='train.json',
        img='img/',
        panoptic=dict(ann_file='panoptic.json', seg='panoptic'),
    ),
    image_scale=[64, 48],
    generator='tools/dataset_converters/make_synthetic.py',
)
VALUES = (
    *(None, True, False, 0, 3, -1, 1.5, float('nan'), float('inf'), 10**30),
    *('', ' ', 'x', '/', '..', 'a b', 'a/b', 'caf\xe9', 'x' * 5000, 'a\0b', 'file'),
    *('bolt', 'train.json', 'img', '~nobody/x', 'http://a/b.json', '{data}'),
    *([], [1], ['a'], ['a', 3], ['bolt', 'bolt'], [None], [[1, 2, 3]] * 3),
    *([['a', 'b', 'c']] * 3, [[300, 0, 0]] * 3, [[1.5, 0, 0]] * 3, [64, 0], [True, 1]),
    *({}, {'a': 1}, {'ann_file': 3}, {'img': None}, {'boxes': []}, {'points': {}}),
)
CONFIGS = (
    'configs/exits/solov2_r18_synthetic.py',
    'configs/irnet/cam_r18_synthetic.py',
    'configs/mal/labeler_vit-tiny_synthetic.py',
    'configs/final_models/mask-rcnn_r18_synthetic.py',
)
ROOT = Path(__file__).parents[2]


def paths_of(node, path=()):
    """All keys of a nested dict, as tuples."""
    for key, value in node.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from paths_of(value, (*path, key))


@pytest.fixture(scope='module')
def configs():
    return [Config.fromfile(ROOT / name) for name in CONFIGS]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ('img', 'panoptic'):
        (tmp_path / 'data' / name).mkdir(parents=True)
    things = [dict(id=1, name='bolt', isthing=1), dict(id=2, name='nut', isthing=1)]
    stuff = [dict(id=3, name='table', isthing=0)]
    for name, categories in (('train', things), ('panoptic', things + stuff)):
        content = dict(images=[], annotations=[], categories=categories)
        (tmp_path / f'data/{name}.json').write_text(json.dumps(content))
    (tmp_path / 'file').write_text('')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(spec, configs):
    """What is said of a dataset file, ``None`` if it fits; other errors are raised."""
    Path('spec.py').write_text(f'nan, inf = map(float, ("nan", "inf"))\n'
                               f'data_spec = {spec!r}\n')  # fmt: skip
    try:
        loaded = load_data_spec('spec.py')
        for cfg in configs:
            fitted = apply_data_spec(cfg, loaded)
            # What the tools will read are texts.
            assert all(isinstance(name, str) for name in loaded['classes'])
            assert fitted.train_dataloader is not None
    except (OSError, ValueError) as error:
        text = user_text(error)
        assert text is not None, repr(error)
        return text
    return None


def test_the_file_without_a_change_fits(folder, configs):
    assert load(SPEC, configs) is None


@pytest.mark.parametrize('path', paths_of(SPEC), ids='.'.join)
def test_one_value_changed_or_taken_out(folder, configs, path):
    for value in (*VALUES, 'remove'):
        spec = copy.deepcopy(SPEC)
        part = spec
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value
        if value == 'remove':
            del part[path[-1]]
        text = load(spec, configs)
        assert text is None or 'spec.py' in text, (path, value, text)


@pytest.mark.parametrize('path', paths_of(SPEC), ids='.'.join)
def test_key_with_a_slip_is_refused(folder, path):
    spec = copy.deepcopy(SPEC)
    part = spec
    for key in path[:-1]:
        part = part[key]
    part[f'{path[-1]}s'] = part.pop(path[-1])
    text = load(spec, [])
    assert repr(f'{path[-1]}s') in text and 'spec.py' in text


@pytest.mark.parametrize(
    ('key', 'value', 'part'),
    [
        ('classes', 'bolt', "('bolt',) with the comma"),
        ('classes', ['bolt', 3], 'data_spec.classes'),
        ('classes', {'bolt': 1}, 'data_spec.classes'),
        ('classes', 3, 'data_spec.classes'),
        ('name', 'a/b', 'data_spec.name'),
        ('name', '..', 'data_spec.name'),
        ('palette', [['a', 'b', 'c']] * 3, 'data_spec.palette'),
        ('palette', [[300, 0, 0]] * 3, 'data_spec.palette'),
        ('image_scale', [True, 1], 'data_spec.image_scale'),
        ('generator', 3, 'data_spec.generator'),
        ('val', 'val.json', 'data_spec.val'),
        ('train', {}, 'data_spec.train'),
    ],
)
def test_value_of_a_wrong_kind_is_named(folder, key, value, part):
    text = load({**SPEC, key: value}, [])
    assert part in text
