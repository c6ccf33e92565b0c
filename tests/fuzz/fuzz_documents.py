"""A label file with everything that one may hold, and pseudo labels of it."""

import copy


def _annotation(number, image, category, box, segmentation, **more):
    return dict(
        id=number,
        image_id=image,
        category_id=category,
        bbox=box,
        area=box[2] * box[3],
        segmentation=segmentation,
        **more,
    )


def _square(x, y, side):
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


TWO_PARTS = _square(1, 2, 6) + _square(9, 2, 6)
DOCUMENT = dict(
    info=dict(description='fuzz'),
    licenses=[dict(id=1, name='none')],
    images=[
        dict(id=1, file_name='a.png', width=16, height=12),
        dict(id='b', file_name='sub/b.png', width=10, height=10, tags=[3, 'd']),
        dict(
            id=7,
            coco_url='http://x/train/c.png',
            width=8,
            height=8,
            neg_category_ids=['d'],
            not_exhaustive_category_ids=[],
            void=dict(size=[8, 8], counts='08h1'),
        ),
    ],
    annotations=[
        _annotation(
            1, 1, 3, [1, 2, 14, 6], _square(1, 2, 6) + _square(9, 2, 6), iscrowd=0
        ),
        _annotation(
            5,
            1,
            'd',
            [0, 0, 2, 12],
            dict(size=[12, 16], counts=[0, 24, 168]),
            iscrowd=1,
        ),
        _annotation(
            'x',
            'b',
            'd',
            [0, 0, 1, 10],
            dict(size=[10, 10], counts='0:j2'),
            iscrowd=0,
        ),
        _annotation(
            9,
            'b',
            3,
            [1, 1, 4, 4],
            _square(1, 1, 4),
            iscrowd=0,
            point=[3, 3],
            extreme_points=[[3, 1], [1, 3], [3, 5], [5, 3]],
            score=0.5,
        ),
    ],
    categories=[
        dict(id=3, name='cat', supercategory='animal'),
        dict(id='d', name='dog', isthing=1, color=[1, 2, 3]),
    ],
)
PSEUDO = copy.deepcopy(DOCUMENT)
PSEUDO['info'] = dict(
    mmwsis=dict(
        method='x',
        config='x.py',
        checkpoint_sha256='0',
        supervision='boxes',
        match='id',
    )
)
for entry in PSEUDO['annotations']:
    entry['score'] = 0.75
