"""A clean file of every kind of label, and validation of what a test makes of it."""

import copy
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_api

from mmwsis.formats.validation import validate_file

WIDTH, HEIGHT = 120, 90


def diamond(x, y, w, h):
    """Corners of a diamond: top, left, bottom, right."""
    return [
        [x + w / 2, y],
        [x, y + h / 2],
        [x + w / 2, y + h],
        [x + w, y + h / 2],
    ]


def labelled(ann_id, image_id, category_id, x, y, w, h):
    top, left, bottom, right = diamond(x, y, w, h)
    polygon = [[*top, *left, *bottom, *right]]
    rle = mask_api.merge(mask_api.frPyObjects(polygon, HEIGHT, WIDTH))
    return dict(
        id=ann_id,
        image_id=image_id,
        category_id=category_id,
        iscrowd=0,
        bbox=[x, y, w, h],
        area=int(mask_api.area(rle)),
        segmentation=polygon,
        point=[x + w / 2, y + h / 2],
        extreme_points=[top, left, bottom, right],
    )


@pytest.fixture
def clean():
    """Two images, three objects and a crowd region as RLE; ids with gaps."""
    pixels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8, order='F')
    pixels[8:28, 80:110] = 1
    rle = mask_api.encode(pixels)
    crowd = dict(
        id=500,
        image_id=70,
        category_id=5,
        iscrowd=1,
        bbox=[80, 8, 30, 20],
        area=600,
        segmentation=dict(size=[HEIGHT, WIDTH], counts=rle['counts'].decode()),
    )
    return dict(
        info=dict(description='test'),
        images=[
            dict(id=70, file_name='a.png', width=WIDTH, height=HEIGHT),
            dict(id=3, file_name='b.png', width=WIDTH, height=HEIGHT),
        ],
        annotations=[
            labelled(901, 70, 17, 10, 20, 60, 50),
            labelled(12, 3, 5, 4, 6, 50, 60),
            labelled(13, 3, 17, 60, 16, 40, 44),
            crowd,
        ],
        categories=[dict(id=17, name='cat'), dict(id=5, name='dog')],
    )


@pytest.fixture
def weaker(clean):
    """The same file at a weaker level, nothing stronger in it."""

    def make(level):
        coco = copy.deepcopy(clean)
        keep = {
            'points': ('point',),
            'boxes': ('bbox',),
            'extreme_points': ('extreme_points', 'bbox'),
            'masks': ('bbox', 'area', 'segmentation'),
        }
        if level == 'image_tags':
            coco['annotations'] = []
            coco['images'][0]['tags'], coco['images'][1]['tags'] = [5, 17], [5, 17]
            return coco
        ids = ('id', 'image_id', 'category_id', 'iscrowd')
        coco['annotations'] = [
            {key: value for key, value in ann.items() if key in (*ids, *keep[level])}
            for ann in coco['annotations']
        ]
        return coco

    return make


@pytest.fixture
def write(tmp_path):
    """Write a COCO dictionary, and its images if asked for; returns the path."""

    def save(coco, name='labels.json', images=False, **options):
        path = tmp_path / name
        path.write_text(json.dumps(coco, **options))
        for entry in coco['images'] if images else ():
            array = np.full((entry['height'], entry['width'], 3), 90, dtype=np.uint8)
            Image.fromarray(array).save(tmp_path / entry['file_name'])
        return str(path)

    return save


@pytest.fixture
def issues(write):
    """Messages by rule of a COCO dictionary."""

    def find(coco, **options):
        log = validate_file(write(coco), **options).log
        return {
            rule: [str(issue) for issue in examples]
            for rule, examples in log.examples.items()
        }

    return find
