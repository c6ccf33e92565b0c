"""A label file with all that formats stumble over, and its images."""

import json

import numpy as np
import pytest
from PIL import Image

from mmwsis.formats.coco_masks import encode_mask

WIDTH, HEIGHT = 40, 30
NAMES = ('traffic light', 'été: "a/b" <c>', 'nothing of it')


def bitmap(*boxes, holes=()):
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for value, given in ((1, boxes), (0, holes)):
        for x, y, w, h in given:
            mask[y : y + h, x : x + w] = value
    return mask


def hard_masks():
    """Name of the difficulty -> mask."""
    touching = bitmap((2, 2, 3, 3), (5, 5, 3, 3))  # with their corners
    return dict(
        hole=bitmap((1, 1, 12, 10), holes=[(3, 3, 4, 4), (8, 5, 2, 2)]),
        parts=bitmap((20, 2, 6, 6), (30, 2, 5, 20)),
        island=bitmap((1, 14, 12, 12), (5, 18, 3, 3), holes=[(3, 16, 8, 8)])
        | bitmap((5, 18, 3, 3)),
        pixel=bitmap((17, 17, 1, 1)),
        corner_pixel=bitmap((WIDTH - 1, HEIGHT - 1, 1, 1)),
        touching=touching,
        whole=bitmap((0, 0, WIDTH, HEIGHT)),
    )


def annotation(number, image_id, category_id, mask, **more):
    ys, xs = np.nonzero(mask)
    x, y = int(xs.min()), int(ys.min())
    box = [x, y, int(xs.max()) - x + 1, int(ys.max()) - y + 1]
    return dict(
        id=number,
        image_id=image_id,
        category_id=category_id,
        segmentation=encode_mask(mask),
        bbox=box,
        area=int(mask.sum()),
        **{'iscrowd': 0, **more},
    )


@pytest.fixture
def labels(tmp_path):
    """Path of a label file and its image folder; ids and categories have gaps."""
    images = tmp_path / 'images'
    (images / 'day 1').mkdir(parents=True)
    turned = Image.new('RGB', (HEIGHT, WIDTH))  # stored upright it is 40 x 30
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(images / 'day 1/turned é.jpg', exif=exif)
    Image.new('RGB', (WIDTH, HEIGHT)).save(images / 'plain.png')
    Image.new('RGB', (WIDTH, HEIGHT)).save(images / 'empty.png')
    numbered = enumerate(hard_masks().values())
    annotations = [
        annotation(100 + 7 * n, 5, 3 if n % 2 else 8, mask, score=0.25 + n / 16)
        for n, mask in numbered
    ]
    annotations.append(annotation(3, 9, 8, bitmap((4, 4, 9, 9)), iscrowd=1))
    polygon = annotation(4, 9, 3, bitmap((10, 10, 10, 10)))
    polygon['segmentation'] = [[10.5, 10.25, 20, 11, 15, 19.5], [25, 5, 30, 5, 27, 9]]
    annotations.append(polygon)
    entries = (
        (5, 'day 1/turned é.jpg', [3, 8]),
        (9, 'plain.png', [3, 8, 12]),
        (11, 'empty.png', []),
    )
    coco = dict(
        images=[
            dict(id=n, file_name=name, width=WIDTH, height=HEIGHT, tags=tags)
            for n, name, tags in entries
        ],
        annotations=annotations,
        categories=[dict(id=n, name=name) for n, name in zip((3, 8, 12), NAMES)],
    )
    path = tmp_path / 'pseudo.json'
    path.write_text(json.dumps(coco))
    return path, images
