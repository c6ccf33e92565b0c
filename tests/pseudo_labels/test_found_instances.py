"""Which predicted instances a pseudo-label file takes."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

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
