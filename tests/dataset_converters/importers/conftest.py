"""A label file of every level, written in each tool's format and imported again."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_api

TOOL = Path(__file__).parents[3] / 'tools/dataset_converters/import_labels.py'
WIDTH, HEIGHT = 200, 100


def mask_keys(*polygons):
    rle = mask_api.merge(mask_api.frPyObjects(list(polygons), HEIGHT, WIDTH))
    xs = [x for polygon in polygons for x in polygon[0::2]]
    ys = [y for polygon in polygons for y in polygon[1::2]]
    box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
    return dict(segmentation=list(polygons), bbox=box, area=int(mask_api.area(rle)))


def box_keys(x, y, w, h):
    return dict(bbox=[x, y, w, h], area=w * h)


def extreme_keys(top, left, bottom, right):
    box = box_keys(left[0], top[1], right[0] - left[0], bottom[1] - top[1])
    return dict(extreme_points=[top, left, bottom, right], **box)


@pytest.fixture
def coco():
    """Five images, one a level; ids and order are those that an import gives."""
    labels = {
        'boxes.png': (
            'boxes',
            [(1, box_keys(10, 20, 30.5, 40)), (2, box_keys(100, 5, 100, 95))],
        ),
        'clicks.png': (
            'points',
            [(2, dict(point=[12, 30])), (2, dict(point=[199, 0]))],
        ),
        'extreme.png': (
            'extreme_points',
            [
                (1, extreme_keys([50, 10], [20, 40], [60, 80], [90, 44.25])),
                (1, extreme_keys([150, 20], [120, 22], [140, 60], [160, 30])),
            ],
        ),
        'masks.png': (
            'masks',
            [
                (1, mask_keys([10, 10, 40, 8, 50, 30, 40, 60, 12, 50])),
                (
                    2,
                    mask_keys(
                        [100, 20, 120, 20, 125, 30, 120, 40, 100, 40],
                        [140, 20, 160, 20, 160, 40, 150, 45, 140, 40],
                    ),
                ),
            ],
        ),
        'tags.png': ('image_tags', []),
    }
    images, annotations = [], []
    for image_id, (name, (level, objects)) in enumerate(labels.items(), start=1):
        tags = sorted({category for category, _ in objects}) or [2, 3]
        images.append(
            dict(
                id=image_id,
                file_name=name,
                width=WIDTH,
                height=HEIGHT,
                tags=tags,
                supervision=level,
            )
        )
        for category, keys in objects:
            own = dict(id=len(annotations) + 1, image_id=image_id)
            annotations.append(dict(own, category_id=category, iscrowd=0, **keys))
    names = ['bolt', 'nut', 'sky']
    categories = [dict(id=k, name=name) for k, name in enumerate(names, start=1)]
    return dict(images=images, annotations=annotations, categories=categories)


@pytest.fixture
def image_folder(tmp_path, coco):
    """The folder of the images."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for image in coco['images']:
        pixels = np.zeros((image['height'], image['width'], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / image['file_name'])
    return folder


@pytest.fixture
def by_image(coco):
    """Entries of images with the class names of their tags and their annotations."""
    names = {category['id']: category['name'] for category in coco['categories']}

    def rows():
        for image in coco['images']:
            own = [a for a in coco['annotations'] if a['image_id'] == image['id']]
            own = [(names[a['category_id']], a) for a in own]
            yield image, [names[tag] for tag in image['tags']], own

    return rows


@pytest.fixture
def same():
    """Compare an import with the file it came from, up to ``info``."""

    def check(result, coco):
        assert {key: result[key] for key in coco} == coco

    return check


@pytest.fixture
def run_tool():
    """The command line, in this process."""
    spec = importlib.util.spec_from_file_location('import_labels_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return lambda *arguments: tool.main([str(argument) for argument in arguments])
