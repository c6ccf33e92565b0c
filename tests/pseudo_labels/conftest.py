import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

sys.path.insert(0, str(Path(__file__).parent))
import fake_labeler

CONFIG = """
custom_imports = dict(imports=['fake_labeler'])
default_scope = 'mmdet'
model = dict(type='mmwsis.BrightnessLabeler', test_cfg=dict(mask_thr=(0.3, 0.3, 0.3)))
pseudo_label_dataloader = dict(
    batch_size=2,
    num_workers=0,
    dataset=dict(
        type='mmwsis.ObjectCropDataset',
        supervision='boxes',
        data_root={root!r},
        ann_file='weak.json',
        data_prefix=dict(img='images'),
        filter_cfg=None,
        test_mode=True,
        metainfo=dict(classes=('nut', 'bolt')),
        pipeline=[
            dict(type='mmwsis.LoadCachedImage'),
            dict(type='mmwsis.ObjectCrop', crop_size=32, train=False),
            dict(type='mmwsis.PackObjectCrop'),
        ],
    ),
)
wsis = dict(method='MAL', stage='labeler', supervision='boxes', requires=[])
"""

EMPTY, CROWD, THIN = (103, 104), 105, 107


@pytest.fixture
def scene(tmp_path):
    """Nine small images, 17 boxes: a crowd, one under a pixel, one on black."""
    rng = np.random.default_rng(0)
    (tmp_path / 'images').mkdir()
    images, annotations = [], []
    ann_id = 120
    for image_id in range(9, 0, -1):
        height, width = 30 + image_id, 44 - image_id
        pixels = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
        name = f'{image_id}.png'
        images.append(dict(id=image_id, file_name=name, height=height, width=width))
        for _ in range(0 if image_id == 5 else 2 + (image_id == 4)):
            ann_id -= 1
            x, y = rng.integers(0, 15, 2).tolist()
            w, h = rng.integers(8, 20, 2).tolist()
            if ann_id in EMPTY:
                pixels[:] = 0  # its neighbour is empty too
            annotations.append(
                dict(
                    id=ann_id,
                    image_id=image_id,
                    category_id=7 if ann_id % 2 else 3,
                    bbox=[x, y, 0.5 if ann_id == THIN else w, h],
                    area=w * h,
                    iscrowd=int(ann_id == CROWD),
                )
            )
        cv2.imwrite(str(tmp_path / 'images' / name), pixels)
    categories = [dict(id=3, name='nut'), dict(id=7, name='bolt')]
    weak = dict(
        info=dict(description='test'),
        licenses=[],
        images=images,
        annotations=annotations,
        categories=categories,
    )
    (tmp_path / 'weak.json').write_text(json.dumps(weak))
    (tmp_path / 'labeler.py').write_text(CONFIG.format(root=f'{tmp_path}/'))
    model = fake_labeler.BrightnessLabeler()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    return tmp_path


@pytest.fixture
def config(scene):
    return Config.fromfile(str(scene / 'labeler.py'))
