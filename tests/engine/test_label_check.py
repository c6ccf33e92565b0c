"""Label files before training, and against a config."""

import json
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from PIL import Image

from mmwsis.engine import label_check, label_files
from mmwsis.engine.label_check import check_dataset, label_problems, repair_file
from mmwsis.engine.label_files import LabelFiles
from mmwsis.engine.preflight import PreflightError, datasets_of
from mmwsis.formats.validation import RULES

sys.path.insert(0, str(Path(__file__).parent))
from first_problem import check_labels

NAMES = ('disc', 'ring')


def coco(names=NAMES, **label):
    label = label or dict(bbox=[5, 5, 20, 10])
    return dict(
        images=[dict(id=7, file_name='a.png', width=60, height=40)],
        annotations=[dict(dict(id=9, image_id=7, category_id=1, iscrowd=0), **label)],
        categories=[dict(id=k, name=name) for k, name in enumerate(names, 1)],
    )


@pytest.fixture
def write(tmp_path):
    Image.new('RGB', (60, 40)).save(tmp_path / 'a.png')

    def save(content, name='train.json'):
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    return save


@pytest.fixture
def config(tmp_path):
    def make(kind='mmwsis.CocoWeakDataset', names=NAMES, num_classes=2, **dataset):
        if kind.startswith('mmwsis'):
            dataset.setdefault('supervision', 'boxes')
        train = dict(
            type=kind,
            data_root=str(tmp_path),
            ann_file='train.json',
            metainfo=dict(classes=names),
            **dataset,
        )
        return Config(
            dict(
                model=dict(head=dict(num_classes=num_classes)),
                train_dataloader=dict(dataset=train),
            )
        )

    return make


def test_valid_file_passes(write, config):
    write(coco())
    check_labels(config())


def test_all_errors_are_listed_before_training(write, config):
    content = coco(bbox=[5, 5, -20, 10])
    content['annotations'] += [
        dict(id=k, image_id=7, category_id=1, bbox=[80, 5, 9, 9]) for k in (10, 11, 12)
    ]
    content['annotations'].append(dict(id=13, image_id=8, category_id=1, bbox=[1] * 4))
    path = write(content)
    with pytest.raises(PreflightError) as caught:
        check_labels(config())
    # How the errors are listed; what each says is in tests/formats/validation.
    lines = [line.split(': ')[:2] for line in str(caught.value).splitlines()]
    assert lines == [
        [
            f"train_dataloader.dataset reads {path} at supervision 'boxes', and this "
            'file has errors:'
        ],
        ['  annotation-image', 'annotation id 13 of image id 8'],
        [f'  -> {RULES["annotation-image"].advice}'],
        ['  bbox-negative', 'annotation id 9 of image id 7'],
        [f'  -> {RULES["bbox-negative"].advice}'],
        ['  bbox-outside', 'annotation id 10 of image id 7'],
        ['  bbox-outside', 'annotation id 11 of image id 7'],
        ['  bbox-outside', 'and 1 more'],
        [f'  -> {RULES["bbox-outside"].advice}'],
        [
            'Everything about it',
            f'python tools/analysis_tools/check_dataset.py {path} --supervision boxes',
        ],
    ]


def test_plain_mmdetection_datasets_are_checked_too(write, config):
    write(coco(bbox=[80, 5, 9, 9]))
    with pytest.raises(PreflightError, match="'masks'.*\n  bbox-outside"):
        check_labels(config(kind='mmdet.CocoDataset'))


def test_labels_that_the_level_cannot_see_stop_nothing(write, config):
    write(coco(bbox='broken', segmentation=7, area='x', point=[15, 10]))
    check_labels(config(supervision='points'))
    with pytest.raises(PreflightError, match='bbox-format'):
        check_labels(config(supervision='boxes'))


def test_annotation_ids_do_not_matter_at_image_tags(write, config):
    content = coco()
    content['annotations'] *= 2
    write(content)
    check_labels(config(supervision='image_tags'))
    with pytest.raises(PreflightError, match='annotation-id-duplicate'):
        check_labels(config())


def test_warnings_are_said_and_do_not_stop(write, config, monkeypatch):
    said = []
    monkeypatch.setattr(label_files, 'print_log', lambda text, _: said.append(text))
    content = coco(bbox=[5, 5, 20, 0.5])
    content['annotations'] += coco(bbox=[5, 5, 20, 9], id=10)['annotations']
    path = write(content)
    files = LabelFiles()
    for _ in range(3):
        assert list(label_problems(datasets_of(config()), files)) == []
    assert said == [
        f'{path}: bbox-flat (1). Shown by: python tools/analysis_tools/'
        f'check_dataset.py {path} --supervision boxes'
    ]


def test_large_files_are_left_to_our_datasets(write, config, monkeypatch):
    write(coco(bbox='broken'))
    monkeypatch.setattr(label_check, 'CHEAP_MEGABYTES', 0)
    check_labels(config())
    with pytest.raises(PreflightError):
        check_labels(config(kind='mmdet.CocoDataset'))


def test_a_file_is_read_once_by_all_stages_and_judged_for_each(
    write, config, monkeypatch
):
    read = []
    real = label_files.validate_file
    monkeypatch.setattr(
        label_files, 'validate_file', lambda *a, **k: read.append(a) or real(*a, **k)
    )
    write(coco(bbox=[5, 5, 20, 10]))
    files = LabelFiles()
    for _ in range(2):
        assert list(label_problems(datasets_of(config()), files)) == []
        screws = datasets_of(config(names=('screw',)))
        (problem,) = label_problems(screws, files)
        assert 'config-nothing-left: no annotation is of' in problem
    assert len(read) == 1
    list(label_problems(datasets_of(config(kind='mmdet.CocoDataset')), files))
    assert len(read) == 2  # at masks


def test_no_json_is_told_with_the_place_in_the_config(tmp_path, config):
    (tmp_path / 'train.json').write_text('{"images": [')
    with pytest.raises(
        PreflightError, match='train_dataloader.dataset: .*no valid JSON'
    ):
        check_labels(config())


def rules(path, cfg, **options):
    log = check_dataset(path, cfg=cfg, **options).log
    return {rule: str(examples[0]) for rule, examples in log.examples.items()}


def test_agreeing_config(write, config):
    report = check_dataset(write(coco()), cfg=config())
    assert not report.log.counts
    assert report.level_text() == 'boxes (the config)'


def test_unknown_class_of_the_config(write, config):
    path = write(coco(('disc', 'Ring', 'square')))
    assert rules(path, config()) == {
        'config-classes': (
            f'train_dataloader.dataset.metainfo.classes and the categories of {path} '
            "do not agree: only in the config: 'ring'; only in the file: 'Ring', "
            "'square'. Names are compared letter by letter, capitals too. 'ring' and "
            "'Ring' differ in upper and lower case only."
        )
    }


def test_order_matters_where_labels_follow_the_file(write, config):
    path = write(coco(NAMES[::-1], bbox=[5, 5, 20, 10], area=200, segmentation=[]))
    assert 'config-order' not in rules(path, config())
    found = rules(path, config(kind='mmdet.CocoDataset'))['config-order']
    assert found.endswith("Write metainfo.classes as ('ring', 'disc')")


def test_number_of_classes_of_the_model(write, config):
    assert rules(write(coco()), config(num_classes=80)) == {
        'config-num-classes': (
            'model.head.num_classes is 80, but train_dataloader.dataset has 2 classes '
            "('disc', 'ring'). Set model.head.num_classes=2, or correct "
            'metainfo.classes; --dataset FILE does both for a dataset of your own.'
        )
    }


def test_splits_with_other_classes(write, config):
    cfg = config()
    cfg.val_dataloader = dict(dataset=cfg.train_dataloader.dataset.copy())
    cfg.val_dataloader.dataset.metainfo = dict(classes=('disc',))
    found = rules(write(coco()), cfg)
    assert found['config-splits'] == (
        'train_dataloader.dataset and val_dataloader.dataset have different classes: '
        "only in the first: 'ring'"
    )
    assert found['config-unused-category'] == (
        "val_dataloader.dataset does not read 'ring'."
    )


def test_a_file_that_the_config_does_not_read(write, config):
    path = write(coco(), 'other.json')
    found = rules(path, config())
    assert set(found) == {'config-other-file'}
    assert found['config-other-file'].endswith('train.json.')


def test_stronger_labels_than_the_config_reads_are_a_note(write, config):
    path = write(coco(bbox=[5, 5, 20, 10], point=[9, 9]))
    assert rules(path, config(supervision='points')) == {
        'guarded': "annotation id 9 of image id 7: bbox at supervision 'points'."
    }


def test_repaired_copy(write, tmp_path):
    path = write(coco(point=[-0.5, 9]))
    out = tmp_path / 'fixed.json'
    assert repair_file(path, out).counts == {'point-border': 1}
    assert json.loads(out.read_text())['annotations'][0]['point'] == [0, 9]
    with pytest.raises(FileExistsError, match='--overwrite'):
        repair_file(path, out)
    assert repair_file(path, out, overwrite=True).counts == {'point-border': 1}
    with pytest.raises(ValueError, match='would overwrite the input'):
        repair_file(path, path, overwrite=True)


def test_nan_is_never_written(write, tmp_path):
    path = write(coco(point=[float('nan'), 9]))
    with pytest.raises(ValueError, match='holds NaN or infinity'):
        repair_file(path, tmp_path / 'fixed.json')
    assert not (tmp_path / 'fixed.json').exists()
