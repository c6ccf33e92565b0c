"""Coloured rectangles, their tags and masks, and the config of the toy labeler."""

import json

import cv2
import numpy as np
from pycocotools import mask as coco_mask

COLORS = dict(berry=(200, 30, 60), leaf=(40, 190, 50), pool=(30, 60, 210))
CONFIG = """
custom_imports = dict(imports=['toy_image_labeler'])
default_scope = 'mmdet'
data = dict(
    type='mmwsis.CocoWeakDataset',
    supervision='image_tags',
    data_root={root!r},
    ann_file='tags.json',
    data_prefix=dict(img='images/'),
    metainfo=dict(classes=('berry', 'leaf', 'pool')),
    pipeline=[dict(type='LoadImageFromFile'), dict(type='mmwsis.PackWeakInputs')],
)
model = dict(
    type='mmwsis.ToyImageLabeler',
    num_classes=3,
    data_preprocessor=dict(
        type='ImgDataPreprocessor', mean=[90.0] * 3, std=[60.0] * 3, bgr_to_rgb=True,
        pad_size_divisor=4,
    ),
)
train_dataloader = dict(
    batch_size=3, num_workers=0, dataset=data,
    sampler=dict(type='DefaultSampler', shuffle=True),
)
pseudo_label_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dict(data, test_mode=True)
)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=25)
optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.2))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=25))
randomness = dict(seed=0)
log_level = 'WARNING'
artifact = 'instances'
wsis = dict(
    method='TOY', stage='labeler', supervision='image_tags', requires=[],
    produces={root!r} + 'pseudo.json',
)
"""


def draw_scenes(folder, count=12):
    """Coloured rectangles on grey in all combinations; one class is stuff."""
    rng = np.random.default_rng(5)
    (folder / 'images').mkdir()
    images, annotations = [], []
    categories = [
        dict(id=30, name='leaf', isthing=1),
        dict(id=4, name='pool', isthing=0),
        dict(id=11, name='berry', isthing=1),
    ]
    ids = {category['name']: category['id'] for category in categories}
    for number in range(count):
        height, width = 40 + 4 * (number % 3), 61 - number
        pixels = rng.integers(80, 100, (height, width, 3), dtype=np.uint8)
        image_id = 100 - number
        for column, name in enumerate(COLORS):
            if number >> column & 1 == 0:  # numbers 0 and 8 are empty
                continue
            for row in (2, 20)[: 1 + (name == 'berry')]:
                box = [16 * column + 1, row, 11, 13]
                x, y, w, h = box
                pixels[y : y + h, x : x + w] = COLORS[name]
                mask = np.zeros((height, width), np.uint8, order='F')
                mask[y : y + h, x : x + w] = 1
                rle = coco_mask.encode(mask)
                rle['counts'] = rle['counts'].decode()
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=image_id,
                        category_id=ids[name],
                        iscrowd=0,
                        bbox=box,
                        area=w * h,
                        segmentation=rle,
                    )
                )
        file = f'part{number % 2}/{number:03d}.png'
        (folder / 'images' / file).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / 'images' / file), pixels[..., ::-1])
        images.append(dict(id=image_id, file_name=file, height=height, width=width))
    coco = dict(images=images, annotations=annotations, categories=categories)
    (folder / 'masks.json').write_text(json.dumps(coco))
    present = {image['id']: set() for image in images}
    for annotation in annotations:
        present[annotation['image_id']].add(annotation['category_id'])
    tagged = [
        dict(im, tags=sorted(present[im['id']]), supervision='image_tags')
        for im in images
    ]
    tags = dict(images=tagged, categories=categories)
    (folder / 'tags.json').write_text(json.dumps(tags))
