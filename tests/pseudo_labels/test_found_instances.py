"""Which predicted instances a pseudo-label file takes."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from mmwsis.formats.provenance import are_found_instances, has_own_ids
from mmwsis.pseudo_labels.artifact import LabelSource
from mmwsis.pseudo_labels.found_instances import FoundInstances


def test_a_score_on_the_threshold_is_kept_and_an_empty_mask_is_not(tmp_path):
    image = dict(id=5, file_name='a.png', height=8, width=10)
    source = LabelSource('tags.json', dict(images=[image]), ('nut',), (1,))
    masks = torch.ones(4, 8, 10, dtype=torch.bool)
    masks[3] = False
    scores = np.float64([0.3, 0.25, np.nextafter(0.25, 0), 0.9])
    sample = DetDataSample(metainfo=dict(img_id=5, ori_shape=(8, 10)))
    sample.pred_instances = InstanceData(
        labels=torch.zeros(4, dtype=torch.long),
        scores=torch.from_numpy(scores),
        masks=masks,
    )
    artifact = FoundInstances(tmp_path / 'out.json', source, min_score=0.25)
    kept = artifact.record(sample)['instances']
    assert [one['score'] for one in kept] == [0.3, 0.25]


def found_on(image_id, ids=None, num=2):
    sample = DetDataSample(metainfo=dict(img_id=image_id, ori_shape=(8, 10)))
    sample.pred_instances = InstanceData(
        labels=torch.zeros(num, dtype=torch.long),
        scores=torch.full((num,), 0.5),
        masks=torch.ones(num, 8, 10, dtype=torch.bool),
    )
    if ids is not None:
        sample.pred_instances.ann_ids = ids
    return sample


@pytest.mark.parametrize(
    'ids, expected',
    [
        ([None, None], [1, 2, 3, 4]),
        ([torch.tensor([8, 3]), torch.tensor([30, 4])], [8, 3, 30, 4]),
        ([torch.tensor([8, 3]), None], [8, 3, 9, 10]),
        ([None, np.array(['a', 5], object)], [6, 7, 'a', 5]),
    ],
)
def test_ids_of_weak_annotations_are_kept(tmp_path, ids, expected):
    images = [dict(id=i, file_name=f'{i}.png', height=8, width=10) for i in (1, 2)]
    coco = dict(images=images, categories=[dict(id=1, name='nut')])
    source = LabelSource('points.json', coco, ('nut',), (1,))
    artifact = FoundInstances(tmp_path / 'out.json', source)
    records = {i: artifact.record(found_on(i, own)) for i, own in zip((1, 2), ids)}
    artifact.finish(records, dict(artifact=dict(type='instances')))
    written = json.loads((tmp_path / 'out.json').read_text())
    assert [one['id'] for one in written['annotations']] == expected
    assert are_found_instances(written)
    assert has_own_ids(written) == any(one is None for one in ids)
    # The ids of points that a network found say nothing.
    coco['info'] = dict(mmwsis=dict(artifact=dict(type='points')))
    artifact.finish(records, dict(artifact=dict(type='instances')))
    assert has_own_ids(json.loads((tmp_path / 'out.json').read_text()))


def test_an_id_stands_for_one_object(tmp_path):
    image = dict(id=1, file_name='a.png', height=8, width=10)
    source = LabelSource('points.json', dict(images=[image]), ('nut',), (1,))
    artifact = FoundInstances(tmp_path / 'out.json', source)
    with pytest.raises(ValueError, match=r'image id 1.*annotation ids 7 twice'):
        artifact.record(found_on(1, torch.tensor([7, 7])))
