"""A COCO-size annotation file, made up but with COCO's proportions.

Images of 640x480 with 7 objects each; polygons of about 25 corners, one annotation in
ten with two parts, one in ten as RLE, one in a hundred a crowd region; sizes spread
like COCO's (a third small, a third medium, a third large).
"""

import argparse
import json
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_api

WIDTH, HEIGHT, CLASSES, OBJECTS_PER_IMAGE = 640, 480, 80, 7


def outline(rng, x, y, half, corners):
    """A wobbly closed outline inside the image, rounded as COCO rounds."""
    turn = np.sort(rng.random(corners)) * 2 * np.pi
    radius = half * (0.6 + 0.4 * rng.random(corners))
    xs = np.clip(x + radius * np.cos(turn), 0, WIDTH)
    ys = np.clip(y + radius * np.sin(turn), 0, HEIGHT)
    return np.round(np.stack([xs, ys], axis=1), 2).ravel().tolist()


def make_annotation(rng, identifier, image_id):
    is_crowd = rng.random() < 0.01
    half = 2 ** rng.uniform(3.0, 7.3)
    x, y = rng.uniform(half / 2, np.array([WIDTH, HEIGHT]) - half / 2)
    corners = int(rng.integers(8, 42))
    polygons = [outline(rng, x, y, half, corners)]
    if rng.random() < 0.1:
        polygons.append(outline(rng, x + half / 2, y, half / 2, corners))
    rle = mask_api.merge(mask_api.frPyObjects(polygons, HEIGHT, WIDTH))
    area = float(mask_api.area(rle))
    if area == 0:
        return None
    segmentation = polygons
    if is_crowd or rng.random() < 0.1:
        counts = rle['counts'].decode('ascii')
        segmentation = {'size': [HEIGHT, WIDTH], 'counts': counts}
    return dict(
        id=identifier,
        image_id=image_id,
        category_id=int(rng.integers(CLASSES)) + 1,
        bbox=[float(value) for value in mask_api.toBbox(rle)],
        area=area,
        iscrowd=int(is_crowd),
        segmentation=segmentation,
    )


def make_file(path, count, seed=0):
    """Write a file with ``count`` annotations."""
    rng = np.random.default_rng(seed)
    annotations = []
    while len(annotations) < count:
        image_id = len(annotations) // OBJECTS_PER_IMAGE + 1
        annotation = make_annotation(rng, len(annotations) + 1, image_id)
        if annotation is not None:
            annotations.append(annotation)
    images = [
        dict(id=k, file_name=f'{k:012d}.jpg', width=WIDTH, height=HEIGHT)
        for k in range(1, annotations[-1]['image_id'] + 1)
    ]
    categories = [dict(id=k, name=f'class {k}') for k in range(1, CLASSES + 1)]
    document = dict(images=images, annotations=annotations, categories=categories)
    Path(path).write_text(json.dumps(document))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out')
    parser.add_argument('--count', type=int, default=100_000)
    args = parser.parse_args()
    make_file(args.out, args.count)
