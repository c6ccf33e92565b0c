"""What all tests share: a clean process, and a small annotation file."""

import gc
import json

import numpy as np
import pytest
import torch
from PIL import Image

# Some tests fork. OpenMP threads are not forked, and a loop that waits for them hangs.
# Results with one thread also do not depend on the number of cores.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """Generation turns them off for its process; hypothesis refuses to go on then."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True, scope='session')
def _quick_garbage_collection():
    # MMEngine collects garbage whenever a dataset is built; walking through all of
    # torch and mmdet each time takes longer than the tests.
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def labelled_coco():
    """Two photographs, three objects (one crowd), one empty image; ids with gaps."""

    def annotation(ann_id, image_id, category_id, x, y, w, h, iscrowd=0):
        return dict(
            id=ann_id,
            image_id=image_id,
            category_id=category_id,
            iscrowd=iscrowd,
            bbox=[x, y, w, h],
            area=w * h / 2,
            segmentation=[[x + w / 2, y, x + w, y + h / 2, x + w / 2, y + h, x, y]],
            point=[x + w / 2, y + h / 2],
            extreme_points=[
                [x + w / 2, y],
                [x, y + h / 2],
                [x + w / 2, y + h],
                [x + w, y + h / 2],
            ],
        )

    return dict(
        info=dict(description='test'),
        images=[
            dict(id=70, file_name='a.png', width=120, height=90),
            dict(id=3, file_name='b.png', width=64, height=80),
            dict(id=11, file_name='c.png', width=50, height=40),
        ],
        annotations=[
            annotation(901, 70, 17, 10.5, 20.25, 60.0, 50.5),
            annotation(12, 3, 5, 4.0, 6.0, 50.0, 60.0),
            annotation(500, 70, 5, 80.0, 8.0, 30.0, 20.0, iscrowd=1),
        ],
        categories=[
            dict(id=17, name='cat', supercategory='animal'),
            dict(id=5, name='dog', supercategory='animal'),
            dict(id=40, name='sky', isthing=0),
        ],
    )


@pytest.fixture
def write_coco(tmp_path):
    """Write a COCO dictionary and its images; returns the path of the JSON."""

    def write(coco, images=True, name='instances.json'):
        path = tmp_path / name
        path.write_text(json.dumps(coco))
        if images:
            rng = np.random.default_rng(0)
            for image in coco['images']:
                shape = (image['height'], image['width'], 3)
                pixels = rng.integers(0, 256, shape, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / image['file_name'])
        return str(path)

    return write


def pytest_collection_modifyitems(items):
    """Start with the pipelines: the longest file must not be the last one to run."""
    items.sort(key=lambda item: item.path.parent.name != 'pipelines')
