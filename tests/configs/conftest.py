import copy
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

sys.path.insert(0, str(Path(__file__).parents[1]))
import tiny_sam

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.engine.data_spec import load_data_spec
from mmwsis.formats.class_maps import encode_class_maps
from mmwsis.formats.semantic_maps import encode_semantic_map

PSEUDO_LABELS = ('exits', 'mal', 'irnet', 'bestie', 'bestie_points', 'wise', 'sam')


@pytest.fixture(scope='session')
def tiny_scenes(tmp_path_factory):
    """Six scenes with labels of every level, pseudo labels and maps of all methods."""
    root = tmp_path_factory.mktemp('tiny') / 'scenes'
    make_synthetic(root, SyntheticSettings(train=6, val=2, size=96, seed=3))
    truth = json.loads((root / 'annotations/instances_train.json').read_text())
    (root / 'pseudo_labels').mkdir()
    clicks, val_clicks = (
        json.loads((root / f'weak/points_{split}.json').read_text())
        for split in ('train', 'val')
    )
    for name, labels in (
        *((method, truth) for method in PSEUDO_LABELS),
        ('bestie_cues', dict(clicks, info={})),
        ('wise_prm_points', dict(clicks, info={})),
        ('wise_prm_points_val', dict(val_clicks, info={})),
    ):
        pseudo = copy.deepcopy(labels)
        for annotation in pseudo['annotations']:
            annotation['score'] = 0.9
        (root / 'pseudo_labels' / f'{name}.json').write_text(json.dumps(pseudo))
    write_maps(root, truth)
    write_proposals(root / 'proposals/built_in', truth)
    truth = json.loads((root / 'annotations/instances_val.json').read_text())
    write_proposals(root / 'proposals/built_in_val', truth)
    yield root
    shutil.rmtree(root)


def write_maps(root, truth):
    """Class maps and relation labels that say where the objects are."""
    names = [category['name'] for category in truth['categories']]
    label = {category['id']: i for i, category in enumerate(truth['categories'])}
    folders = {
        name: root / name / 'irnet' for name in ('class_maps', 'relation_labels')
    }
    folders['semantic_maps'] = root / 'pseudo_labels/irnet_semantic'
    entries = {name: [] for name in folders}
    for image in truth['images']:
        size = image['height'], image['width']
        found = {}
        for annotation in truth['annotations']:
            if annotation['image_id'] == image['id']:
                mask = coco_mask.decode(annotation['segmentation'])
                number = label[annotation['category_id']]
                found[number] = np.maximum(found.get(number, 0), mask)
        labels = sorted(found)
        high_res = np.stack([found[number] for number in labels]).astype(np.float32)
        maps = dict(cam=high_res[:, ::4, ::4], high_res=high_res)
        values = np.zeros(size, np.uint8)
        for number in labels:
            values[found[number] > 0] = number + 1
        values[:4] = 255
        contents = dict(
            class_maps=encode_class_maps(np.array(labels), size, maps),
            relation_labels=encode_semantic_map(values, ('background', *names)),
        )
        contents['semantic_maps'] = contents['relation_labels']
        for name in folders:
            suffix = '.npz' if name == 'class_maps' else '.png'
            file = Path(image['file_name']).with_suffix(suffix)
            path = folders[name] / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[name])
            entries[name].append(dict(id=image['id'], file=str(file), labels=labels))
    for name, kind, classes in (
        ('class_maps', 'class_maps', names),
        ('relation_labels', 'semantic_maps', ['background', *names]),
        ('semantic_maps', 'semantic_maps', ['background', *names]),
    ):
        index = dict(type=kind, classes=classes, images=entries[name])
        (folders[name] / 'index.json').write_text(json.dumps(index))


def write_proposals(folder, truth):
    """The objects themselves."""
    folder.mkdir(parents=True)
    for image in truth['images']:
        found = [
            dict(image_id=image['id'], segmentation=one['segmentation'], score=0.9)
            for one in truth['annotations']
            if one['image_id'] == image['id']
        ]
        file = folder / Path(image['file_name']).with_suffix('.json').name
        file.write_text(json.dumps(found))


@pytest.fixture(scope='session')
def tiny_spec(tiny_scenes):
    """The dataset file of these scenes, with images of 64 pixels."""
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


@pytest.fixture(scope='session')
def tiny_sam_weights(tmp_path_factory):
    """Folder with the weights of a small SAM and a small SAM 2, by the model's name."""
    folder = tmp_path_factory.mktemp('weights')
    tiny_sam.save(tiny_sam.sam(), folder / 'sam')
    tiny_sam.save(tiny_sam.sam2(), folder / 'sam2')
    return folder
