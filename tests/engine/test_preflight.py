import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsis.engine.preflight import PreflightError, read_categories

sys.path.insert(0, str(Path(__file__).parent))
from first_problem import check_classes, check_requirements

NAMES = ('disc', 'ring')


def _write(path, names, **extra):
    categories = [dict(id=7 * i + 1, name=name) for i, name in enumerate(names)]
    content = dict(images=[], annotations=[], categories=categories, **extra)
    path.write_text(json.dumps(content))


def _dataset(root, name='train.json', names=NAMES, kind='mmdet.CocoDataset'):
    return dict(
        type=kind, data_root=str(root), ann_file=name, metainfo=dict(classes=names)
    )


def _config(train, num_classes=2, **more):
    return Config(
        dict(
            model=dict(
                backbone=dict(num_classes=1000),
                mask_head=dict(num_classes=num_classes),
            ),
            train_dataloader=dict(dataset=train),
            **more,
        )
    )


def test_agreeing_config_passes(tmp_path):
    _write(tmp_path / 'train.json', NAMES)
    check_classes(_config(_dataset(tmp_path)))


def test_names_on_one_side_are_listed(tmp_path):
    _write(tmp_path / 'train.json', ('disc', 'Ring'))
    with pytest.raises(PreflightError) as caught:
        check_classes(_config(_dataset(tmp_path)))
    message = str(caught.value)
    assert "only in the config: 'ring'" in message
    assert "only in the file: 'Ring'" in message
    assert 'train.json' in message


def test_categories_that_the_config_leaves_out_are_fine(tmp_path):
    _write(tmp_path / 'train.json', ('disc', 'sky', 'ring'))
    check_classes(_config(_dataset(tmp_path)))


def test_other_order_is_refused_where_labels_follow_the_file(tmp_path):
    _write(tmp_path / 'train.json', NAMES[::-1])
    with pytest.raises(PreflightError, match='another order'):
        check_classes(_config(_dataset(tmp_path)))


def test_other_order_is_fine_where_labels_follow_the_names(tmp_path):
    _write(tmp_path / 'train.json', NAMES[::-1])
    check_classes(_config(_dataset(tmp_path, kind='mmwsis.CocoWeakDataset')))


def test_wrong_num_classes_names_the_setting(tmp_path):
    _write(tmp_path / 'train.json', NAMES)
    with pytest.raises(PreflightError, match=r'model\.mask_head\.num_classes is 80'):
        check_classes(_config(_dataset(tmp_path), num_classes=80))


def test_forgotten_comma_of_a_single_class_is_explained(tmp_path):
    _write(tmp_path / 'train.json', ('disc',))
    with pytest.raises(PreflightError, match='mind the comma'):
        check_classes(_config(_dataset(tmp_path, names='disc')))


def test_default_classes_of_the_data_set_count(tmp_path):
    _write(tmp_path / 'train.json', NAMES)
    train = _dataset(tmp_path)
    del train['metainfo']
    with pytest.raises(PreflightError, match="only in the config: 'person'"):
        check_classes(_config(train))


def test_wrapped_data_sets_are_looked_into(tmp_path):
    _write(tmp_path / 'train.json', ('disc',))
    wrapped = dict(type='ConcatDataset', datasets=[_dataset(tmp_path)])
    repeated = dict(type='RepeatDataset', times=2, dataset=wrapped)
    with pytest.raises(PreflightError, match=r'dataset\.dataset\.datasets\.0'):
        check_classes(_config(repeated))


def test_train_and_val_must_have_the_same_classes(tmp_path):
    _write(tmp_path / 'train.json', NAMES)
    _write(tmp_path / 'val.json', NAMES)
    val = _dataset(tmp_path, 'val.json', NAMES[:1])
    with pytest.raises(PreflightError, match="only in the first: 'ring'"):
        check_classes(_config(_dataset(tmp_path), val_dataloader=dict(dataset=val)))


def test_only_the_asked_splits_are_read(tmp_path):
    _write(tmp_path / 'test.json', NAMES)
    cfg = _config(
        _dataset(tmp_path, 'not_made_yet.json'),
        test_dataloader=dict(dataset=_dataset(tmp_path, 'test.json')),
    )
    check_classes(cfg, splits=('test',))
    with pytest.raises(FileNotFoundError, match='not_made_yet.json'):
        check_classes(cfg)


def test_file_without_categories_is_refused(tmp_path):
    (tmp_path / 'train.json').write_text('{"images": []}')
    with pytest.raises(PreflightError, match='no list "categories"'):
        check_classes(_config(_dataset(tmp_path)))


@pytest.mark.parametrize('indent', [None, 2])
def test_categories_are_found_among_misleading_text(tmp_path, indent):
    path = tmp_path / 'a.json'
    content = dict(
        info=dict(note='the "categories": [] are below', categories=['a', 'b']),
        categories=[dict(id=3, name='é'), dict(id=1, name='b')],
        images=[],
    )
    path.write_text(json.dumps(content, indent=indent, ensure_ascii=False))
    assert [item['name'] for item in read_categories(path)] == ['é', 'b']


def test_empty_file_has_no_categories(tmp_path):
    (tmp_path / 'empty.json').write_text('')
    assert read_categories(tmp_path / 'empty.json') is None


def test_missing_requirement_names_file_and_command(tmp_path):
    there = tmp_path / 'there.json'
    there.write_text('{}')
    empty = tmp_path / 'empty.json'
    empty.write_text('')
    requires = [
        dict(path=str(there), command='make there'),
        dict(path=str(empty), command='python tools/generate_pseudo_labels.py A B'),
        dict(path=str(tmp_path / 'mae.pth'), command='python tools/train.py C'),
        dict(path='https://example.org/x.pth', command='downloaded'),
    ]
    named = [item['path'] for item in requires]
    with pytest.raises(FileNotFoundError) as caught:
        check_requirements(Config(dict(wsis=dict(requires=requires), named=named)))
    message = str(caught.value)
    assert 'mae.pth does not exist' in message and 'tools/train.py C' in message
    assert 'empty.json is empty' in message
    assert 'make there' not in message and 'example.org' not in message


def test_folder_that_is_being_filled_counts_as_missing(tmp_path):
    maps, parts = tmp_path / 'maps', tmp_path / 'maps.parts'
    requires = [dict(path=str(maps), command='make maps')]
    cfg = Config(dict(wsis=dict(requires=requires), step=dict(folder=str(maps))))
    maps.mkdir()
    parts.mkdir()
    with pytest.raises(FileNotFoundError, match='maps is not finished'):
        check_requirements(cfg)
    (maps / 'index.json').write_text('{}')
    check_requirements(cfg)


def test_path_that_an_option_replaced_is_not_asked_for(tmp_path):
    requires = [dict(path=f'{tmp_path}/epoch_5.pth', command='python tools/train.py A')]
    cfg = Config(
        dict(wsis=dict(requires=requires), model=dict(init_cfg=requires[0]['path']))
    )
    with pytest.raises(FileNotFoundError, match=r'epoch_5\.pth does not exist'):
        check_requirements(cfg)
    check_requirements(cfg, reader=dict(ann_file='tags.json'))
    cfg.model.init_cfg = f'{tmp_path}/mine.pth'
    check_requirements(cfg)


def test_configs_without_requirements_pass():
    check_requirements(Config(dict(model=dict(type='X'))))
    check_requirements(Config(dict(wsis=dict(method='EXITS', requires=None))))


def test_variables_of_the_file_are_not_asked_for(tmp_path):
    requires = [dict(path=f'{tmp_path}/mae.pth', command='python tools/train.py A')]
    cfg = Config(dict(wsis=dict(requires=requires), mae=requires[0]['path']))
    check_requirements(cfg)
    cfg.load_from = cfg.mae
    with pytest.raises(FileNotFoundError, match=r'mae\.pth does not exist'):
        check_requirements(cfg)
