"""Three images with boxes and proposals, and a config that labels them."""

import json

import numpy as np
from mmengine.config import Config
from PIL import Image
from pycocotools import mask as coco_mask

SIZE = 48, 60
CIRCLES = dict(a=(20, 16, 9), b=(40, 30, 10), c=(24, 20, 8))  # x, y, radius


def disc(name, grown=0):
    y, x = np.ogrid[: SIZE[0], : SIZE[1]]
    cx, cy, radius = CIRCLES[name]
    return (x - cx) ** 2 + (y - cy) ** 2 <= (radius + grown) ** 2


def picture():
    image = np.random.default_rng(0).integers(0, 40, (*SIZE, 3), dtype=np.uint8)
    for name, color in dict(a=(200, 40, 40), b=(40, 60, 200), c=(190, 60, 30)).items():
        image[disc(name)] = color
    return image


def box_of(name, margin=3):
    cx, cy, radius = CIRCLES[name]
    side = 2 * (radius + margin)
    return [cx - radius - margin, cy - radius - margin, side, side]


def annotation(number, image, category, bbox, iscrowd=0):
    return dict(
        id=number,
        image_id=image,
        category_id=category,
        bbox=bbox,
        iscrowd=iscrowd,
    )


def write_scenes(folder):
    """Three images: two discs of a class, another and a crowd, none."""
    for number in range(3):
        Image.fromarray(picture()).save(folder / f'{number}.png')
    images = [
        dict(id=n, file_name=f'{n}.png', height=SIZE[0], width=SIZE[1], tags=[5])
        for n in range(3)
    ]
    categories = [dict(id=i, name=name) for i, name in ((3, 'x'), (5, 'y'), (9, 'bg'))]
    annotations = [
        annotation(11, 0, 5, box_of('a')),
        annotation(12, 0, 5, box_of('c')),
        annotation(13, 1, 3, box_of('b', 2)),
        annotation(14, 1, 3, [0, 0, 20, 20], iscrowd=1),
    ]
    coco = dict(images=images, categories=categories, annotations=annotations)
    (folder / 'boxes.json').write_text(json.dumps(coco))
    results = []
    for image, name, score in ((0, 'a', 0.9), (0, 'c', 0.5), (1, 'b', 0.7)):
        rle = coco_mask.encode(np.asfortranarray(disc(name, 1), np.uint8))
        rle['counts'] = rle['counts'].decode()
        results.append(
            dict(image_id=image, category_id=1, segmentation=rle, score=score)
        )
    (folder / 'proposals.json').write_text(json.dumps(results))


def config(folder, stuff=(), **more):
    classes = ('x', 'y', *stuff)
    return Config(
        dict(
            model=dict(
                type='mmwsis.GrabCutProposals',
                num_things_classes=2,
                num_stuff_classes=len(stuff),
                test_cfg=dict(num_iters=2),
            ),
            artifact='semantic_maps',
            pseudo_label_dataloader=dict(
                batch_size=1,
                num_workers=0,
                dataset=dict(
                    type='mmwsis.CocoWeakDataset',
                    supervision='boxes',
                    metainfo=dict(classes=classes, stuff_classes=stuff),
                    ann_file=str(folder / 'boxes.json'),
                    data_prefix=dict(img=str(folder)),
                    min_box_side=0,
                    test_mode=True,
                    pipeline=[
                        dict(type='mmwsis.LoadCachedImage', max_images=0),
                        dict(
                            type='mmwsis.LoadWeakAnnotations',
                            with_bbox=True,
                            with_point=False,
                        ),
                        dict(
                            type='mmwsis.LoadProposals',
                            path=str(folder / 'proposals.json'),
                            allow_missing=True,
                            resize=False,
                        ),
                        dict(type='mmwsis.PackWeakInputs'),
                    ],
                ),
            ),
            wsis=dict(method='Weak panoptic'),
            **more,
        )
    )
