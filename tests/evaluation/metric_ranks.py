"""Evaluates every registered metric on one rank's share of five images.

Called as ``python metric_ranks.py FOLDER RANK WORLD_SIZE [IMAGES]``; rank 0 writes the
figures to ``FOLDER/WORLD_SIZE.json``.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from PIL import Image
from pycocotools import mask as coco_mask

from mmwsis.registry import METRICS

SHAPE = (24, 32)
CLASSES = ('nut', 'bolt')
IMAGES = 5


def scene(index):
    """Two object masks of an image, and shifted ones as predictions."""
    masks = np.zeros((2, *SHAPE), dtype=np.uint8)
    masks[0, 2 : 12 + index, 3:13] = 1
    masks[1, 8:20, 16 : 22 + index] = 1
    return masks, np.roll(masks, index, axis=(1, 2))


def rle(mask):
    code = coco_mask.encode(np.asfortranarray(mask))
    return dict(size=code['size'], counts=code['counts'].decode())


def write_truth(folder):
    """COCO instances, COCO panoptic JSON and its PNGs."""
    (folder / 'png').mkdir(parents=True)
    images, annotations, panoptic = [], [], []
    for index in range(IMAGES):
        name = f'{index}.png'
        images.append(dict(id=index, file_name=name, height=SHAPE[0], width=SHAPE[1]))
        segments, ids = [], np.zeros((*SHAPE, 3), np.uint8)
        for label, mask in enumerate(scene(index)[0]):
            code = rle(mask)
            shared = dict(
                id=2 * index + label + 1,
                category_id=label + 1,
                iscrowd=0,
                area=int(mask.sum()),
                bbox=coco_mask.toBbox(code).tolist(),
            )
            annotations.append(dict(shared, image_id=index, segmentation=code))
            segments.append(dict(shared, id=label + 1))
            ids[mask > 0, 0] = label + 1
        Image.fromarray(ids).save(folder / 'png' / name)
        panoptic.append(dict(image_id=index, file_name=name, segments_info=segments))
    categories = [dict(id=k + 1, name=n, isthing=1) for k, n in enumerate(CLASSES)]
    for name, entries in (('coco', annotations), ('panoptic', panoptic)):
        content = dict(images=images, annotations=entries, categories=categories)
        (folder / f'{name}.json').write_text(json.dumps(content))


def whole_image(index):
    """What a model returns of an image, for every metric of whole images."""
    _, predicted = scene(index)
    scores = torch.tensor([0.9 - 0.1 * index, 0.5 + 0.05 * index])
    codes = np.full(SHAPE, len(CLASSES))
    for label, mask in enumerate(predicted):
        codes[mask > 0] = label + 1000
    return dict(
        img_id=index,
        ori_shape=SHAPE,
        tags=[0, 1] if index % 2 else [0],
        pred_tag_logits=torch.tensor([1.0, (-1.0) ** (index // 2)]),
        pred_instances=dict(
            masks=torch.from_numpy(predicted).bool(),
            labels=torch.tensor([0, 1]),
            scores=scores,
            bboxes=torch.zeros(2, 4),
        ),
        pred_panoptic_seg=dict(sem_seg=torch.from_numpy(codes)[None]),
        pred_segments=dict(codes=torch.tensor([1000, 1001]), scores=scores),
        pred_sem_seg=dict(sem_seg=torch.from_numpy(np.minimum(codes % 1000, 1))[None]),
        # A nut too many in every other image, no bolt in the last.
        pred_points=dict(
            labels=torch.tensor([0] * (1 + index % 2) + [1] * (index < IMAGES - 1)),
            scores=torch.ones(1 + index % 2 + (index < IMAGES - 1)),
        ),
        pred_class_maps=dict(
            labels=torch.tensor([0, 1]),
            high_res=torch.from_numpy(predicted) * scores[:, None, None],
        ),
    )


def object_crop(index):
    """What a labeler returns of the first object of an image."""
    truth, predicted = scene(index)
    x, y, w, h = coco_mask.toBbox(rle(truth[0])).tolist()
    return dict(
        img_id=index,
        ann_id=2 * index + 1,
        label=0,
        height=SHAPE[0],
        width=SHAPE[1],
        bbox=(x, y, x + w - 1, y + h - 1),
        area=w * h,
        iscrowd=0,
        gt_mask=rle(truth[0]),
        pred_mask=rle(predicted[0]),
    )


def metrics(folder):
    """Config and kind of sample of every metric, by type."""
    coco = dict(ann_file=str(folder / 'coco.json'))
    panoptic = dict(
        ann_file=str(folder / 'panoptic.json'), seg_prefix=str(folder / 'png')
    )
    return {
        'ClassMapMetric': (coco, whole_image),
        'CocoInstanceMetric': (
            dict(coco, metric='segm', ap_thrs=(0.25, 0.5)),
            whole_image,
        ),
        'CountingMetric': (coco, whole_image),
        'CoverageMetric': (coco, whole_image),
        'PanopticAPMetric': (panoptic, whole_image),
        'PanopticQualityMetric': (panoptic, whole_image),
        'PseudoLabelMetric': ({}, object_crop),
        'SemanticIoUMetric': (panoptic, whole_image),
        'TagAccuracyMetric': ({}, whole_image),
        'VOCInstanceMetric': (coco, whole_image),
    }


def main(folder, rank, world_size, images=IMAGES, pad=True):
    if world_size > 1:
        store = f'file://{folder}/store'
        dist.init_process_group('gloo', store, rank=rank, world_size=world_size)
    # As the sampler does: the last rank's share is padded with the first image.
    padded = [*range(images), 0][: images + (images % world_size if pad else 0)]
    figures = {}
    with DefaultScope.overwrite_default_scope('mmdet'):
        for kind, (config, make_sample) in metrics(folder).items():
            evaluator = Evaluator(METRICS.build(dict(type=f'mmwsis.{kind}', **config)))
            evaluator.dataset_meta = dict(classes=CLASSES)
            for index in padded[rank::world_size]:
                evaluator.process([make_sample(index)])
            figures[kind] = evaluator.evaluate(images)
    if rank == 0:
        (folder / f'{world_size}.json').write_text(json.dumps(figures))


if __name__ == '__main__':
    if len(sys.argv) == 4:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    else:  # so many images, and a rank may have none of them
        main(Path(sys.argv[1]), *map(int, sys.argv[2:]), pad=False)
