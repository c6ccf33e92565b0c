"""One broken file a rule, with the exact text of its issue."""

import copy

NAN = float('nan')
AT = 'annotation id 901 of image id 70: '
IMAGE = 'image id 70: '
IN = '([x, y, width, height]) in an image of 120 x 90 pixels.'
EXTREME = 'extreme_points must be four [x, y]'
DAMAGED = 'The file is damaged, or was written for another image.'
ORDER = f'{AT}{EXTREME} in image pixels in the order top, left, bottom, right; '
POINTS = [[40, 20], [10, 45], [40, 70], [70, 45]]


def ann(**values):
    return lambda coco: coco['annotations'][0].update(values)


def image(**values):
    return lambda coco: coco['images'][0].update(values)


def without(key):
    return lambda coco: coco['annotations'][0].pop(key)


def without_mask(**values):
    def change(coco):
        coco['annotations'][0].update(values)
        del coco['annotations'][0]['segmentation'], coco['annotations'][0]['area']

    return change


def rle(**values):
    return lambda coco: coco['annotations'][3]['segmentation'].update(values)


def extreme(index, point):
    points = copy.deepcopy(POINTS)
    points[index] = point
    return ann(extreme_points=points)


def box(*values):
    return ann(bbox=list(values))


def copied(coco):
    coco['annotations'].append({**coco['annotations'][0], 'id': 902})


def same_id(coco):
    coco['annotations'][2]['id'] = 901


def second_image(**values):
    return lambda coco: coco['images'][1].update(values)


def own_polygon(*polygons):
    return ann(segmentation=list(polygons))


CASES = [
    (
        'category-entry',
        lambda coco: coco['categories'].append(dict(id=1)),
        "categories[2] must have id and name; got {'id': 1}.",
    ),
    (
        'category-duplicate',
        lambda coco: coco['categories'].append(dict(id=6, name='dog')),
        "two categories have the name 'dog'; it must be unique.",
    ),
    (
        'image-entry',
        lambda coco: coco['images'].append(dict(file_name='c.png')),
        "images[2] must be an object with an id; got {'file_name': 'c.png'}.",
    ),
    (
        'image-id-duplicate',
        lambda coco: coco['images'].append(coco['images'][0]),
        'image id 70 appears twice in images; ids must be unique.',
    ),
    (
        'image-size',
        image(width='120'),
        f"{IMAGE}width must be a positive integer (pixels); got '120'.",
    ),
    ('image-file-name', image(file_name=''), f'{IMAGE}file_name is missing.'),
    (
        'image-file-duplicate',
        second_image(file_name='a.png'),
        "image id 3: file_name 'a.png' is that of image id 70 too.",
    ),
    (
        'image-supervision',
        image(supervision='box'),
        f"{IMAGE}supervision must be one of 'image_tags', 'points', 'boxes', "
        "'extreme_points', 'masks', got 'box'.",
    ),
    (
        'image-tags',
        image(tags=[5, 17, 6]),
        f'{IMAGE}category id 6, from tags or from an annotation, is not in '
        'categories; known ids: 17, 5.',
    ),
    (
        'image-tags',
        image(tags='cat'),
        f"{IMAGE}tags must be a list of category ids; got 'cat'.",
    ),
    (
        'image-tags',
        image(neg_category_ids=[5, 9]),
        f'{IMAGE}category id 9, from neg_category_ids, is not in categories; known '
        'ids: 17, 5.',
    ),
    (
        'image-tags',
        image(not_exhaustive_category_ids=5),
        f'{IMAGE}not_exhaustive_category_ids must be a list of category ids; got 5.',
    ),
    (
        'image-crop-tags',
        image(tags=[5], crop_tags=dict(size=[90, 60], tags=[[5]])),
        f'{IMAGE}crop_tags: expected 2 lists of category ids, one for each crop of 90 '
        'x 60 pixels (height x width) of an image of 90 x 120, got 1.',
    ),
    (
        'image-crop-tags',
        image(tags=[5], crop_tags=dict(size=[90, 60], tags=[[], [17, 5]])),
        f'{IMAGE}crop_tags have the category ids [17], which tags lack.',
    ),
    (
        'tags-duplicate',
        image(tags=[5, 17, 5]),
        f'{IMAGE}tags [5] stand there twice.',
    ),
    (
        'tags-incomplete',
        image(tags=[5]),
        f'{IMAGE}tags [5] lack the annotated category ids [17].',
    ),
    (
        'void-format',
        image(void=dict(size=[120, 90], counts='abc')),
        f'{IMAGE}void: the RLE has size [120, 90], its image is [90, 120] (height, '
        'width).',
    ),
    (
        'void-format',
        image(void=dict(size=[90, 120], counts='abc')),
        f"{IMAGE}void: the counts of the RLE are damaged; got 'abc'. {DAMAGED}",
    ),
    (
        'void-format',
        image(void=[1, 2]),
        f'{IMAGE}void must be a compressed RLE, {{"size": [height, width], "counts": '
        'text}; got [1, 2].',
    ),
    (
        'image-unlabelled',
        lambda coco: coco['images'].append(
            dict(coco['images'][0], id=8, file_name='c')
        ),
        'image id 8: no annotation and no tag.',
    ),
    (
        'annotation-entry',
        lambda coco: coco['annotations'].append(5),
        'every entry of annotations must be an object; got 5.',
    ),
    (
        'annotation-image',
        ann(image_id=71),
        'annotation id 901 of image id 71: no image of the file has this id (2 '
        'images).',
    ),
    (
        'annotation-image',
        ann(image_id=[70]),
        'annotation id 901 of image id [70]: image_id must be an id; got [70].',
    ),
    (
        'annotation-category',
        ann(category_id=6),
        f'{AT}category_id 6 is not in categories; known ids: 17, 5.',
    ),
    (
        'annotation-category',
        ann(category_id={}),
        f'{AT}category_id must be an id; got {{}}.',
    ),
    (
        'annotation-id',
        without('id'),
        'annotation id None of image id 70: every annotation needs an id.',
    ),
    (
        'annotation-id',
        ann(id=1.5),
        'annotation id 1.5 of image id 70: id must be an integer or a text; got 1.5.',
    ),
    (
        'annotation-id-duplicate',
        same_id,
        'annotation id 901 appears 2 times (image ids [70, 3]); ids must be unique '
        'over the whole file.',
    ),
    (
        'annotation-duplicate',
        copied,
        'annotation id 902 of image id 70: equal in everything but the id to '
        'annotation id 901.',
    ),
    ('iscrowd-format', ann(iscrowd=2), f'{AT}iscrowd must be 0 or 1; got 2.'),
    ('iscrowd-missing', without('iscrowd'), f'{AT}iscrowd is missing.'),
    (
        'point-format',
        ann(point=[1, '2']),
        f"{AT}point must be one [x, y], finite numbers in pixels; got [1, '2'].",
    ),
    (
        'point-format',
        ann(point=[NAN, 2]),
        f'{AT}point must be one [x, y], finite numbers in pixels; got [nan, 2].',
    ),
    (
        'point-outside',
        ann(point=[125, 2]),
        f'{AT}point [125, 2] lies 5 px outside the image of 120 x 90 pixels (up to 1 '
        'px is moved onto the border).',
    ),
    (
        'point-border',
        ann(point=[-0.5, 45]),
        f'{AT}point [-0.5, 45] lies 0.5 px outside the image of 120 x 90 pixels.',
    ),
    (
        'point-off-box',
        ann(point=[8, 45]),
        f'{AT}point [8, 45] lies 2 px outside its bbox [10, 20, 60, 50] ([x, y, '
        'width, height]).',
    ),
    (
        'score-range',
        without_mask(score=1.5),
        f'{AT}score must be a number from 0 to 1; got 1.5.',
    ),
    (
        'score-range',
        without_mask(score=NAN),
        f'{AT}score must be a number from 0 to 1; got nan.',
    ),
    (
        'score-range',
        without_mask(score='high'),
        f"{AT}score must be a number from 0 to 1; got 'high'.",
    ),
    (
        'point-shared',
        lambda coco: coco['annotations'][2].update(image_id=70, point=[40.4, 44.6]),
        'annotation id 13 of image id 70: point on the pixel of that of annotation id '
        "901, column 40, row 45: both 'cat'.",
    ),
    (
        'point-shared',
        lambda coco: coco['annotations'][1].update(image_id=70, point=[40, 45]),
        'annotation id 12 of image id 70: point on the pixel of that of annotation id '
        "901, column 40, row 45: 'dog' and 'cat'.",
    ),
    (
        'extreme-format',
        ann(extreme_points=POINTS[:3]),
        f'{AT}extreme_points must be four [x, y] (top, left, bottom, right), finite '
        f'numbers in pixels; got {POINTS[:3]}.',
    ),
    (
        'extreme-order',
        ann(extreme_points=POINTS[::-1]),
        f'{ORDER}{POINTS[::-1]} breaks: top has the smallest y, left has the smallest '
        'x, bottom has the largest y, right has the largest x.',
    ),
    (
        'extreme-outside',
        extreme(3, [123, 45]),
        f'{AT}extreme_points [[40, 20], [10, 45], [40, 70], [123, 45]] lies 3 px '
        'outside the image of 120 x 90 pixels (up to 1 px is moved onto the border).',
    ),
    (
        'extreme-border',
        extreme(3, [121, 45]),
        f'{AT}extreme_points [[40, 20], [10, 45], [40, 70], [121, 45]] lies 1 px '
        'outside the image of 120 x 90 pixels.',
    ),
    (
        'extreme-flat',
        ann(extreme_points=[[10, 20], [10, 45], [10, 70], [10.5, 45]]),
        f'{AT}extreme_points [[10, 20], [10, 45], [10, 70], [10.5, 45]] span 0.5 x 50 '
        'px.',
    ),
    (
        'extreme-off-box',
        extreme(3, [73, 45]),
        f'{AT}bbox [10, 20, 60, 50] is not the box of its extreme_points, [10.0, 20.0, '
        '63.0, 50.0] ([x, y, width, height]); they differ by 3 px.',
    ),
    (
        'bbox-format',
        box(1, 2, 3),
        f'{AT}bbox must be [x, y, width, height], finite numbers in pixels; got [1, 2, '
        '3].',
    ),
    (
        'bbox-format',
        box(1, 2, float('inf'), 3),
        f'{AT}bbox must be [x, y, width, height], finite numbers in pixels; got [1, 2, '
        'inf, 3].',
    ),
    (
        'bbox-negative',
        box(70, 70, -60, -50),
        f'{AT}width and height must not be negative; got bbox [70, 70, -60, -50] {IN}',
    ),
    (
        'bbox-outside',
        box(120, 20, 60, 50),
        f'{AT}the box must intersect its image; got bbox [120, 20, 60, 50] {IN}',
    ),
    (
        'bbox-huge',
        box(10, 20, 600, 50),
        f'{AT}the box is more than 3 times as large as its image; got bbox [10, 20, '
        f'600, 50] {IN}',
    ),
    (
        'bbox-flat',
        box(10, 20, 0, 50),
        f'{AT}the box is less than 1 px wide or high; got bbox [10, 20, 0, 50] {IN}',
    ),
    (
        'bbox-over-border',
        box(10, 20, 120, 50),
        f'{AT}the box crosses the border by 10 px; got bbox [10, 20, 120, 50] {IN}',
    ),
    (
        'bbox-border',
        box(-0.5, 20, 70.5, 50),
        f'{AT}the box crosses the border by 0.5 px; got bbox [-0.5, 20, 70.5, 50] {IN}',
    ),
    (
        'area-format',
        ann(area=-1),
        f'{AT}area must be a finite number, not negative; got -1.',
    ),
    ('area-missing', without('area'), f'{AT}area is missing.'),
    (
        'level-mixed',
        without('segmentation'),
        "of 3 objects these many have each label: {'point': 3, 'bbox': 3, "
        "'extreme_points': 3, 'segmentation': 2}.",
    ),
    (
        'label-missing',
        without('bbox'),
        f'{AT}a mask without bbox, which every loader of COCO files needs.',
    ),
    (
        'mask-format',
        ann(segmentation='mask'),
        f'{AT}segmentation must be polygons [[x, y, x, y, ...], ...] or an RLE with '
        'size and counts; got str.',
    ),
    (
        'mask-format',
        ann(segmentation=[1, 2, 3, 4, 5, 6]),
        f'{AT}segmentation must be a list of polygons [[x, y, x, y, ...], ...]; an '
        'entry is a int: 1. A single polygon needs two pairs of brackets.',
    ),
    (
        'mask-format',
        rle(counts=None),
        'annotation id 500 of image id 70: an RLE needs size [height, width] and '
        'counts, a text or a list; got size [90, 120] and counts None.',
    ),
    (
        'polygon-vertices',
        own_polygon([1, 2, 3, 4]),
        f'{AT}a polygon needs at least 3 vertices x, y; got 4 numbers: [1, 2, 3, 4].',
    ),
    (
        'polygon-numbers',
        own_polygon([1, 2, 3, 4, 5, NAN]),
        f'{AT}polygon coordinates must be finite numbers; got [1, 2, 3, 4, 5, nan].',
    ),
    (
        'polygon-numbers',
        own_polygon([1, 2, 3, 4, 5, None]),
        f'{AT}polygon coordinates must be finite numbers; got [1, 2, 3, 4, 5, None].',
    ),
    (
        'polygon-over-border',
        own_polygon([40, 20, 10, 45, 40, 70, 125, 45]),
        f'{AT}a vertex lies 5 px outside the image.',
    ),
    (
        'rle-size',
        rle(size=[120, 90]),
        'annotation id 500 of image id 70: the RLE has size [120, 90], its image is '
        '[90, 120] (height, width).',
    ),
    (
        'rle-counts',
        rle(counts='abc'),
        'annotation id 500 of image id 70: the counts of the RLE are damaged; got '
        f"'abc'. {DAMAGED}",
    ),
    (
        'rle-counts',
        rle(counts=[10, 10]),
        'annotation id 500 of image id 70: the runs of the RLE add up to 20 pixels, '
        'the image has 120 x 90 = 10800; got counts [10, 10]. '
        f'{DAMAGED}',
    ),
    (
        'rle-counts',
        rle(counts=[3, -1, 9]),
        'annotation id 500 of image id 70: the counts of an RLE must be integers from '
        '0 to the 10800 pixels of the image; got [3, -1, 9]. '
        f'{DAMAGED}',
    ),
    (
        'mask-empty',
        own_polygon([10, 20, 30, 40, 50, 60]),
        f'{AT}its polygons have no area.',
    ),
    (
        'mask-empty',
        rle(counts=[10800]),
        'annotation id 500 of image id 70: its RLE has no pixel.',
    ),
    ('area-mismatch', ann(area=3000), None),
    (
        'category-entry',
        lambda coco: coco['categories'].append(dict(id=8, name=' ')),
        "categories[2] must have id and name; got {'id': 8, 'name': ' '}.",
    ),
    (
        'category-name',
        lambda coco: coco['categories'].append(dict(id=8, name='cow\u200b ')),
        "category 'cow\\u200b ' looks like 'cow'.",
    ),
    (
        'category-alike',
        lambda coco: coco['categories'].append(dict(id=8, name='dog ')),
        "categories 'dog' and 'dog ' differ in blanks only.",
    ),
    (
        'category-alike',
        lambda coco: coco['categories'].append(dict(id=8, name='Dog')),
        "categories 'Dog' and 'dog' differ in upper and lower case only.",
    ),
    (
        'image-size',
        image(width=40000, height=40000),
        f'{IMAGE}an image of 40000 x 40000 pixels is more than any reader opens.',
    ),
    (
        'image-file-path',
        image(file_name='sub\\a.png'),
        f"{IMAGE}file_name 'sub\\\\a.png' has backslashes, as Windows writes paths; "
        'write /.',
    ),
    (
        'image-file-path',
        image(file_name='C:/labels/a.png'),
        f"{IMAGE}file_name 'C:/labels/a.png' is an absolute path, which holds on one "
        'machine only.',
    ),
    (
        'image-file-path',
        image(file_name='a.png '),
        f"{IMAGE}file_name 'a.png ' starts or ends with a blank.",
    ),
    (
        'image-file-path',
        image(file_name='https://example.org/a.png'),
        f"{IMAGE}file_name 'https://example.org/a.png' is a URL; give the path of the "
        'downloaded file.',
    ),
    (
        'image-file-duplicate',
        second_image(file_name='.\\a.png'),
        "image id 3: file_name '.\\\\a.png' is that of image id 70 too.",
    ),
    (
        'image-url-only',
        lambda coco: coco['images'][0].update(
            coco_url='http://images/train/a.png', file_name=''
        ),
        f'{IMAGE}file_name is missing, coco_url is there.',
    ),
    (
        'annotation-image',
        ann(image_id='70'),
        "annotation id 901 of image id '70': no image of the file has this id (2 "
        "images). It is the text '70', the file has 70.",
    ),
    (
        'annotation-category',
        ann(category_id='17'),
        f"{AT}category_id '17' is not in categories; known ids: 17, 5. It is the text "
        "'17', the file has 17.",
    ),
    (
        'annotation-id-text',
        ann(id='a'),
        "annotation id 'a' of image id 70: the id is 'a'.",
    ),
    (
        'annotation-id-zero',
        ann(id=0),
        'annotation id 0 of image id 70: the id is 0.',
    ),
    ('iscrowd-format', ann(iscrowd='1'), f"{AT}iscrowd must be 0 or 1; got '1'."),
    ('iscrowd-format', ann(ignore='no'), f"{AT}ignore must be 0 or 1; got 'no'."),
    (
        'image-file-name',
        image(file_name='a\ud83d.png'),
        f"{IMAGE}file_name must be the path of a file; got 'a\\ud83d.png'.",
    ),
    ('image-file-name', image(file_name='a\0.png'), None),
    ('image-file-name', image(file_name=' '), None),
    (
        'category-entry',
        lambda coco: coco['categories'].append(dict(id=8, name='n\udc00')),
        "categories[2] must have id and name; got {'id': 8, 'name': 'n\\udc00'}.",
    ),
    (
        'bbox-format',
        ann(bbox='7'),
        f"{AT}bbox must be [x, y, width, height], finite numbers in pixels; got '7'.",
    ),
    ('bbox-format', ann(bbox=[1, 2, [3], None]), None),
    ('bbox-format', ann(bbox=[10**400, 2, 3, 4]), None),
    ('area-format', ann(area='3'), None),
    (
        'coordinates-normalised',
        lambda coco: [
            entry.update(bbox=[0.1, 0.2, 0.5, 0.5]) for entry in coco['annotations']
        ],
        'all 4 bbox of the file lie within 0 to 1.',
    ),
    (
        'polygon-vertices',
        own_polygon([10, 20], [60, 20], [60, 70]),
        f'{AT}a polygon needs at least 3 vertices x, y; got 2 numbers: [10, 20]. COCO '
        'has no [x, y] pairs: one flat list [x, y, x, y, ...].',
    ),
    (
        'polygon-numbers',
        own_polygon([[i, 20] for i in range(6)]),
        f'{AT}polygon coordinates must be finite numbers; got [[0, 20], [1, 20], '
        '[2, 20], [3, 20], [4, 20], [5, 20]]. COCO has no [x, y] pairs: one flat list '
        '[x, y, x, y, ...].',
    ),
    (
        'polygon-numbers',
        own_polygon(['1', '2', '3', '4', '5', '6']),
        f"{AT}polygon coordinates must be finite numbers; got ['1', '2', '3', '4', "
        "'5', '6']. Numbers are written without quotation marks.",
    ),
    (
        'polygon-huge',
        own_polygon([10, 20, 1e9, 20, 60, 70]),
        f'{AT}a vertex lies 1e+09 px outside the image.',
    ),
    ('mask-format', ann(segmentation=[1, 2, 3, 4, 5, 6]), None),
    ('mask-format', ann(segmentation=dict(size=None, counts=[1])), None),
    ('mask-format', ann(segmentation=dict(size=[90, 120], counts=7)), None),
    ('rle-size', ann(segmentation=dict(size=[90.0, 120], counts=[10800])), None),
    ('rle-size', ann(segmentation=dict(size=[90, 120, 3], counts=[10800])), None),
    ('rle-counts', rle(counts=[10800.0]), None),
    (
        'area-mismatch',
        lambda coco: coco['annotations'][0].update(
            segmentation=[
                [10, 20, 70, 20, 70, 70, 10, 70],
                [20, 30, 60, 30, 60, 60, 20, 60],
            ],
            area=1800,
        ),
        f'{AT}area is 1800, but the mask has 3000 px. A polygon inside another one is '
        'no hole, it is filled.',
    ),
    (
        'box-contradicts-mask',
        box(60, 5, 60, 15),
        f'{AT}bbox [60, 5, 60, 15] is not the box of the mask, [11.0, 20.0, 58.0, '
        '50.0] ([x, y, width, height]).',
    ),
    (
        'mask-off-box',
        box(10, 20, 70, 50),
        f'{AT}bbox [10, 20, 70, 50] is not the box of the mask, [11.0, 20.0, 58.0, '
        '50.0] ([x, y, width, height]).',
    ),
]
AREA_TEXT = 'area is 3000, but the mask has {} px.'
