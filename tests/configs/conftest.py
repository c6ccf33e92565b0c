import copy
import json
import shutil

import pytest

from mmwsis.datasets.data_spec import load_data_spec
from mmwsis.datasets.synthetic import SyntheticSettings, make_synthetic


@pytest.fixture(scope='session')
def tiny_scenes(tmp_path_factory):
    """Six scenes with labels of every level and both kinds of pseudo labels."""
    root = tmp_path_factory.mktemp('tiny') / 'scenes'
    make_synthetic(root, SyntheticSettings(train=6, val=2, size=96, seed=3))
    truth = json.loads((root / 'annotations/instances_train.json').read_text())
    (root / 'pseudo_labels').mkdir()
    for method in ('exits', 'mal'):
        pseudo = copy.deepcopy(truth)
        for annotation in pseudo['annotations']:
            annotation['score'] = 0.9
        (root / 'pseudo_labels' / f'{method}.json').write_text(json.dumps(pseudo))
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope='session')
def tiny_spec(tiny_scenes):
    """The data set file of these scenes, with images of 64 pixels."""
    file = tiny_scenes.parent / 'tiny.py'
    file.write_text(
        f'data_spec = dict(name="tiny", data_root={str(tiny_scenes)!r},\n'
        '    train=dict(ann_file="annotations/instances_train.json", img="train/",\n'
        '        weak=dict(boxes="weak/boxes_train.json",\n'
        '            extreme_points="weak/extreme_points_train.json")),\n'
        '    val=dict(ann_file="annotations/instances_val.json", img="val/"),\n'
        '    image_scale=(64, 64))\n'
    )
    return load_data_spec(file)
