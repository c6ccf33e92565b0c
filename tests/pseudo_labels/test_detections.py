"""Detections: what is written is what is read, and both forms of a file are read."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.detections import DetectionFile
from mmwsis.pseudo_labels.artifact import LabelSource
from mmwsis.pseudo_labels.detections import Detections

CLASSES, CATEGORY_IDS = ('cat', 'dog'), (17, 5)
BOXES = [[1.5, 2.25, 9, 8], [-3, 0, 4, 30], [40, 1, 50, 2], [0, 0, 2, 2]]
SCORES, LABELS = [0.25, 0.9, 0.9, 0.5], [0, 1, 0, 1]


@pytest.fixture
def written(tmp_path):
    """File of two images, one without a detection, and the bare list."""
    mask = dict(image_id=7, category_id=5, iscrowd=0, segmentation=[[1, 1, 9, 1, 5, 9]])
    images = [
        dict(id=key, file_name=f'{key}.png', height=20, width=30) for key in (7, 'b8')
    ]
    categories = [dict(id=5, name='dog'), dict(id=17, name='cat')]
    coco = dict(images=images, annotations=[dict(mask, id=3)], categories=categories)
    source = LabelSource('val.json', coco, CLASSES, CATEGORY_IDS)
    artifact = Detections(tmp_path / 'detections.json', source, max_num=2)
    records = {}
    for key, rows in ((7, [0, 1, 2, 3]), ('b8', [])):
        sample = DetDataSample(metainfo=dict(img_id=key))
        sample.pred_instances = InstanceData(
            labels=torch.tensor(LABELS)[rows],
            scores=torch.tensor(SCORES, dtype=torch.float64)[rows],
            bboxes=torch.tensor(BOXES)[rows],
        )
        records[key] = artifact.record(sample)
    artifact.finish(records, dict(method='TOY'), tmp_path / 'results.json')
    return tmp_path


def test_the_best_boxes_are_written_cut_at_the_border(written):
    content = json.loads((written / 'detections.json').read_text())
    rows = [
        (a['image_id'], a['category_id'], a['bbox'], a['score'])
        for a in content['annotations']
    ]
    # The third box lies outside of the image; the first is the third best.
    assert rows == [(7, 5, [0, 0, 4, 20], 0.9), (7, 5, [0, 0, 2, 2], 0.5)]
    assert 'segmentation' not in content['annotations'][0]
    assert len(load_coco(str(written / 'detections.json'), 'boxes')['annotations']) == 2
    truth = COCO(str(written / 'detections.json'))
    assert len(truth.loadRes(str(written / 'results.json')).getAnnIds()) == 2


@pytest.mark.parametrize('name', ['detections.json', 'results.json'])
def test_both_forms_are_read(written, name):
    found = DetectionFile(written / name, CLASSES, CATEGORY_IDS)
    one, none = found.read(7), found.read('b8')
    assert one.bboxes.tolist() == [[0, 0, 4, 20], [0, 0, 2, 2]]
    assert one.labels.tolist() == [1, 1]
    assert np.allclose(one.scores, [0.9, 0.5])
    assert [len(column) for column in none] == [0, 0, 0]
    assert none.bboxes.shape == (0, 4)


def test_a_document_says_which_images_were_looked_at(written):
    with pytest.raises(ValueError, match=r'does not list image id 9, .* make it anew'):
        DetectionFile(written / 'detections.json', CLASSES).read(9)
    with pytest.raises(ValueError, match='bare list of results, which names no'):
        DetectionFile(written / 'results.json', CLASSES)
    with pytest.raises(ValueError, match="names 'cow', which the file does not have"):
        DetectionFile(written / 'detections.json', ('cow',))


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(category_id=1), "category_id 1 is none of .*'cat', 'dog', .*17, 5"),
        (dict(category_id=[5]), r'category_id \[5\] is none'),
        (dict(score=1.5), r'score must lie in \[0, 1\], got 1.5'),
        (dict(score=float('nan')), r'score must lie in \[0, 1\], got nan'),
        (dict(score=None), r'score must lie in \[0, 1\], got None'),
        (dict(bbox=[1, 2, -3, 4]), r'bbox must be \[x, y, width, height\], finite'),
        (dict(bbox=[1, 2, 3]), r'bbox must be .*; got \[1, 2, 3\]'),
    ],
)
def test_a_broken_detection_is_named(written, change, message):
    path = written / 'results.json'
    rows = json.loads(path.read_text())
    rows[1].update(change)
    path.write_text(json.dumps(rows))
    found = DetectionFile(path, CLASSES, CATEGORY_IDS)
    where = r'results.json: image id 7, detection 1: '
    with pytest.raises(ValueError, match=where + message):
        found.read(7)


@pytest.mark.parametrize('content', ['{}', '[1]', '{"annotations": [], "images": []}'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / 'other.json'
    path.write_text(content)
    with pytest.raises(ValueError, match=r'other.json: expected COCO results'):
        DetectionFile(path, CLASSES, CATEGORY_IDS)
    path.write_text('[{"image_id": [1]}]')
    with pytest.raises(ValueError, match=r'detection 0: image_id must be the id'):
        DetectionFile(path, CLASSES, CATEGORY_IDS)
