"""Tiny datasets in the layouts, the formats and the names of the real ones.

Each function makes one below ``data/`` of a folder; the images are a few pixels wide.
"""

import json

import numpy as np
from mmdet.datasets import CocoPanopticDataset
from PIL import Image
from scipy.io import savemat

from mmwsis.dataset_converters.synthetic import SyntheticSettings, make_synthetic
from mmwsis.dataset_converters.voc_classes import voc_palette

HEIGHT, WIDTH = 36, 48
SKY, ROAD, CAR = 23, 7, 26  # Cityscapes' ids, KITTI's too


def save(pixels, path, palette=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette is not None:
        image.putpalette(palette)
    image.save(path)


def photograph(path):
    save(np.full((HEIGHT, WIDTH, 3), 90, np.uint8), path)


def write_json(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def boxes_map(*values, dtype=np.uint8, background=0):
    """One rectangle per value, side by side."""
    labels = np.full((HEIGHT, WIDTH), background, dtype)
    for k, value in enumerate(values):
        labels[8:24, 4 + 20 * k : 18 + 20 * k] = value
    return labels


def voc(root):
    """Two images of train, one of val, one more with masks of SBD only."""
    base, sbd = root / 'data/voc', root / 'data/sbd'
    names = ('2007_000032', '2007_000039', '2007_000033', '2008_000002')
    for name in names:
        photograph(base / f'JPEGImages/{name}.jpg')
    palette = voc_palette().tobytes()
    for name in names[:3]:
        save(boxes_map(1, 2), base / f'SegmentationObject/{name}.png', palette)
        save(boxes_map(15, 7), base / f'SegmentationClass/{name}.png', palette)
    lists = base / 'ImageSets/Segmentation'
    lists.mkdir(parents=True)
    (lists / 'train.txt').write_text('\n'.join(names[:2]) + '\n')
    (lists / 'val.txt').write_text(names[2] + '\n')
    (lists / 'trainval.txt').write_text('\n'.join(names[:3]) + '\n')
    for folder in ('inst', 'cls'):
        (sbd / folder).mkdir(parents=True)
    inst = dict(
        Segmentation=boxes_map(1, 2), Categories=np.array([[15], [7]], np.uint8)
    )
    savemat(sbd / f'inst/{names[3]}.mat', dict(GTinst=inst))
    classes = dict(Segmentation=boxes_map(15, 7))
    savemat(sbd / f'cls/{names[3]}.mat', dict(GTcls=classes))
    (sbd / 'train.txt').write_text(names[3] + '\n')
    (sbd / 'val.txt').write_text(names[2] + '\n')


def coco(root):
    """Instances and panoptic files of train2017 and val2017, with all 133 classes."""
    base = root / 'data/coco'
    meta = CocoPanopticDataset.METAINFO
    things = [
        dict(id=1 + k, name=name, isthing=1, supercategory='thing')
        for k, name in enumerate(meta['thing_classes'])
    ]
    stuff = [
        dict(id=92 + k, name=name, isthing=0, supercategory='stuff')
        for k, name in enumerate(meta['stuff_classes'])
    ]
    for split, image_id in (('train2017', 9), ('val2017', 139)):
        stem = f'{image_id:012d}'
        photograph(base / f'{split}/{stem}.jpg')
        image = dict(id=image_id, file_name=f'{stem}.jpg', height=HEIGHT, width=WIDTH)
        box = dict(bbox=[4, 8, 14, 16], area=224, category_id=3, iscrowd=0)
        outline = [4, 8, 18, 8, 18, 24, 4, 24]
        annotation = dict(box, id=1768, image_id=image_id, segmentation=[outline])
        folder = base / 'annotations'
        write_json(
            folder / f'instances_{split}.json',
            dict(images=[image], annotations=[annotation], categories=things),
        )
        sky = dict(id=70_000, category_id=95, bbox=[0, 0, WIDTH, HEIGHT], iscrowd=0)
        segments = [dict(box, id=300), dict(sky, area=HEIGHT * WIDTH - 224)]
        entry = dict(image_id=image_id, file_name=f'{stem}.png', segments_info=segments)
        write_json(
            folder / f'panoptic_{split}.json',
            dict(images=[image], annotations=[entry], categories=things + stuff),
        )
        ids = boxes_map(300, dtype=np.int64, background=70_000)
        pixels = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1)
        save(pixels.astype(np.uint8), folder / f'panoptic_{split}/{stem}.png')


def lvis(root):
    """LVIS v1, whose images are COCO's and have no file_name."""
    base = root / 'data/lvis_v1'
    categories = [dict(id=5, name='alligator', frequency='r', synset='a.n.01')]
    for split, image_id in (('train', 9), ('val', 139)):
        url = f'http://images.cocodataset.org/train2017/{image_id:012d}.jpg'
        photograph(base / f'train2017/{image_id:012d}.jpg')
        image = dict(
            id=image_id,
            coco_url=url,
            height=HEIGHT,
            width=WIDTH,
            neg_category_ids=[],
            not_exhaustive_category_ids=[],
        )
        annotation = dict(
            id=1,
            image_id=image_id,
            category_id=5,
            bbox=[4, 8, 14, 16],
            area=224,
            segmentation=[[4, 8, 18, 8, 18, 24, 4, 24]],
        )
        write_json(
            base / f'annotations/lvis_v1_{split}.json',
            dict(images=[image], annotations=[annotation], categories=categories),
        )


def cityscapes(root):
    """Fine train and val, and the coarse images."""
    base = root / 'data/cityscapes'
    labels = boxes_map(CAR * 1000, CAR, dtype=np.uint16, background=SKY)
    labels[28:] = ROAD
    for kind, split in (
        ('gtFine', 'train'),
        ('gtFine', 'val'),
        ('gtCoarse', 'train_extra'),
    ):
        stem = 'aachen/aachen_000000_000019'
        photograph(base / f'leftImg8bit/{split}/{stem}_leftImg8bit.png')
        save(labels, base / f'{kind}/{split}/{stem}_{kind}_instanceIds.png')


def kitti(root):
    """Boxes of the object detection set, instance maps of the semantics set."""
    boxes = root / 'data/kitti/object'
    photograph(boxes / 'training/image_2/000007.png')
    (boxes / 'training/label_2').mkdir()
    (boxes / 'training/label_2/000007.txt').write_text(
        'Car 0.00 0 -1.57 4.5 8.25 18.75 24.25 1.60 1.57 3.23 -2.70 1.74 3.68 -1.29\n'
    )
    (boxes / 'ImageSets').mkdir()
    (boxes / 'ImageSets/train.txt').write_text('000007\n')
    maps = root / 'data/kitti/semantics/training'
    photograph(maps / 'image_2/000000_10.png')
    labels = boxes_map(CAR * 256 + 1, dtype=np.uint16, background=ROAD * 256)
    save(labels, maps / 'instance/000000_10.png')


def synthetic(root):
    """The scenes, drawn."""
    settings = SyntheticSettings(train=3, val=2, size=64, seed=0)
    make_synthetic(root / 'data/synthetic', settings)
