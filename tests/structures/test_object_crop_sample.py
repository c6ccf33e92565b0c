import copy
import pickle

import torch

from mmwsis.structures import ObjectCropSample


def test_fields_survive_copy_pickle_and_device_moves():
    sample = ObjectCropSample(metainfo=dict(ann_id=7, flip=True, bbox=(1.0, 2, 3, 4)))
    sample.box_mask = torch.ones(4, 4, dtype=torch.uint8)
    for other in (
        copy.deepcopy(sample),
        pickle.loads(pickle.dumps(sample)),
        sample.to('cpu'),
        sample.cpu(),
    ):
        assert other.metainfo == sample.metainfo
        assert torch.equal(other.box_mask, sample.box_mask)
        assert 'extreme_points' not in other
