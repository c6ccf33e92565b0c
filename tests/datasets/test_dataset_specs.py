"""The shipped data set files: names, paths, and the converters' file names."""

from pathlib import Path

import pytest
from mmengine.config import Config

from mmwsis.datasets.cityscapes_classes import (
    CITYSCAPES_STUFF,
    CITYSCAPES_THINGS,
    cityscapes_categories,
)
from mmwsis.datasets.converters.coco2weak import output_name
from mmwsis.datasets.data_spec import load_data_spec
from mmwsis.datasets.kitti_classes import KITTI_BOX_CLASSES, KITTI_MASK_CLASSES
from mmwsis.datasets.voc_classes import VOC_CLASSES
from mmwsis.structures.supervision import Supervision

FOLDER = Path(__file__).parents[2] / 'configs/_base_/datasets'
CLASSES = {
    'voc': VOC_CLASSES,
    'voc_train': VOC_CLASSES,
    'cityscapes': CITYSCAPES_THINGS,
    'cityscapes_train_extra': CITYSCAPES_THINGS,
    'kitti': ('car',),
}


@pytest.mark.parametrize('name', CLASSES)
def test_classes_stand_in_one_place_and_paths_load(name, tmp_path, monkeypatch):
    spec = Config.fromfile(FOLDER / f'{name}.py').data_spec
    assert spec.name == name and spec.classes == CLASSES[name]
    root = tmp_path / spec.data_root
    for part in (spec.train, spec.val):
        (root / part.img).mkdir(parents=True, exist_ok=True)
        files = [part.ann_file] if part.ann_file else part.weak.values()
        for file in files:
            (root / file).parent.mkdir(exist_ok=True)
            (root / file).write_text('{}')
    monkeypatch.chdir(tmp_path)
    loaded = load_data_spec(FOLDER / f'{name}.py')
    assert loaded['classes'] == CLASSES[name]
    if spec.train.ann_file:
        for level, file in spec.train.weak.items():
            # Where coco2weak.py --out-dir data/<name>/weak puts it.
            source = Path(spec.train.ann_file)
            assert file == f'weak/{output_name(source, Supervision.parse(level))}'


def test_panoptic_classes_are_things_then_stuff():
    metainfo = Config.fromfile(FOLDER / 'cityscapes_panoptic.py').metainfo
    categories = cityscapes_categories()
    assert metainfo.classes == tuple(entry['name'] for entry in categories)
    assert metainfo.palette == [tuple(entry['color']) for entry in categories]
    assert metainfo.thing_classes == CITYSCAPES_THINGS
    assert metainfo.stuff_classes == CITYSCAPES_STUFF


def test_kitti_names_and_ids_agree_between_boxes_and_masks():
    ids = {entry['name']: entry['id'] for entry in cityscapes_categories()}
    both = [one for one in KITTI_BOX_CLASSES if one.name in KITTI_MASK_CLASSES]
    assert [one.name for one in both] == ['person', 'car', 'truck']
    assert all(one.id == ids[one.name] for one in both)
    assert len({one.id for one in KITTI_BOX_CLASSES} | set(ids.values())) == 19 + 5
