"""Small datasets and predicted samples for the tests of metrics."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as coco_mask


def encode(mask):
    code = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return dict(size=code['size'], counts=code['counts'].decode())


@pytest.fixture(scope='session')
def rle():
    return encode


@pytest.fixture(scope='session')
def write_coco():
    """Write a COCO JSON; an image is a dict of masks, labels, crowd and void."""

    def write(path, images, classes, shape):
        entries, annotations = [], []
        for image_id, image in enumerate(images):
            entry = dict(id=image_id, file_name=f'{image_id}.jpg')
            entry.update(height=shape[0], width=shape[1])
            if image.get('void') is not None:
                entry['void'] = encode(image['void'])
            entries.append(entry)
            crowd = image.get('crowd', [False] * len(image['masks']))
            for mask, label, iscrowd in zip(image['masks'], image['labels'], crowd):
                code = encode(mask)
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=image_id,
                        category_id=10 * int(label) + 10,
                        iscrowd=int(iscrowd),
                        segmentation=code,
                        bbox=coco_mask.toBbox(code).tolist(),
                        area=int(coco_mask.area(code)),
                    )
                )
        categories = [
            dict(id=10 * label + 10, name=name) for label, name in enumerate(classes)
        ]
        content = dict(images=entries, annotations=annotations, categories=categories)
        path.write_text(json.dumps(content))
        return str(path)

    return write


@pytest.fixture(scope='session')
def det_sample():
    """Make a predicted sample as MMDetection's detectors do."""

    def make(image_id, masks, labels, scores, shape, as_rle=False):
        masks = np.asarray(masks, dtype=bool).reshape(-1, *shape)
        sample = DetDataSample(metainfo=dict(img_id=image_id, ori_shape=shape))
        sample.pred_instances = InstanceData(
            masks=[encode(one) for one in masks] if as_rle else torch.tensor(masks),
            labels=torch.tensor(labels, dtype=torch.long),
            scores=torch.tensor(scores, dtype=torch.float64),
            bboxes=torch.zeros(len(masks), 4),
        )
        return sample

    return make


@pytest.fixture(scope='session')
def panoptic_sample():
    def make(image_id, codes):
        sample = DetDataSample(metainfo=dict(img_id=image_id))
        sample.pred_panoptic_seg = PixelData(sem_seg=torch.tensor(codes)[None])
        return sample

    return make
