"""Rules about categories, images, image files, and configs."""

from .rule import Rule, Severity

_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE
_REWRITE = 'Write the entry again from its source, or remove it.'

CATEGORY_RULES = (
    Rule(
        'category-entry',
        _E,
        'category',
        'Every category is an object with an id (integer or text) and a name (text).',
        'Add what is missing.',
    ),
    Rule(
        'category-duplicate',
        _E,
        'category',
        'Ids and names of categories are unique.',
        'Merge the two categories, or rename one.',
    ),
)

IMAGE_RULES = (
    Rule(
        'image-entry',
        _E,
        'image',
        'Every image is an object with an id, integer or text.',
        _REWRITE,
    ),
    Rule(
        'image-id-duplicate',
        _E,
        'image',
        'Image ids are unique.',
        'Number the images anew, and their annotations with them.',
    ),
    Rule(
        'image-size',
        _E,
        'image',
        'width and height are positive integers, in pixels.',
        'Read them from the image files.',
    ),
    Rule(
        'image-file-name',
        _E,
        'image',
        'Every image has a file_name, or as in LVIS a coco_url.',
        'Add file_name, relative to the image folder.',
    ),
    Rule(
        'image-file-duplicate',
        _W,
        'image',
        'No two images have the same file_name.',
        'Merge the two entries: each would be trained with the labels of one only.',
    ),
    Rule(
        'image-supervision',
        _E,
        'image',
        'images[].supervision is one of the five levels, or not there.',
        'Write image_tags, points, boxes, extreme_points or masks.',
    ),
    Rule(
        'image-tags',
        _E,
        'image',
        "images[].tags is a list of ids of categories of the file; so are LVIS's "
        'neg_category_ids and not_exhaustive_category_ids.',
        'Add the category or fix the id.',
    ),
    Rule(
        'tags-duplicate',
        _N,
        'image',
        'No tag stands twice in an image.',
        'Harmless; remove one.',
        fix='keeps one',
    ),
    Rule(
        'tags-incomplete',
        _W,
        'image',
        'tags, where they are given, name the class of every object of the image.',
        'Add the class to tags: at image_tags it would count as absent.',
    ),
    Rule(
        'void-format',
        _E,
        'image',
        'images[].void is an RLE of the size of the image.',
        'Write it again with the converter of the dataset.',
    ),
    Rule(
        'image-unlabelled',
        _N,
        'image',
        'Images have annotations or tags.',
        'Fine where nothing is in the image; filter_cfg=dict(filter_empty_gt=True) '
        'leaves such images out.',
    ),
)

FILE_RULES = (
    Rule(
        'image-missing',
        _E,
        'image file',
        'Every image file exists.',
        'Check --images and file_name.',
        cheap=False,
    ),
    Rule(
        'image-unreadable',
        _E,
        'image file',
        'Every image file can be decoded to its end.',
        'Fetch or write it again.',
        cheap=False,
    ),
    Rule(
        'image-size-differs',
        _E,
        'image file',
        'The image file has the width and height that the label file says.',
        'Labels of another size do not fit: correct width and height, or scale the '
        'labels.',
        cheap=False,
    ),
    Rule(
        'image-orientation',
        _W,
        'image file',
        'No image file is turned by its EXIF orientation.',
        'Some readers turn it and some do not: store the pixels upright.',
        cheap=False,
    ),
)

CONFIG_RULES = (
    Rule(
        'config-classes',
        _E,
        'config',
        'Every class of the config is a category of the file, letter by letter.',
        'Correct metainfo.classes or the names in the file.',
    ),
    Rule(
        'config-order',
        _E,
        'config',
        "Datasets of mmdet list classes in the file's order; ours match by name.",
        "List metainfo.classes in the file's order.",
    ),
    Rule(
        'config-splits',
        _E,
        'config',
        'All splits of a config have the same classes in the same order.',
        'Use one metainfo for all.',
    ),
    Rule(
        'config-num-classes',
        _E,
        'config',
        'Every num_classes of the model is the number of classes.',
        'Set it, or use --dataset, which does.',
    ),
    Rule(
        'config-unused-category',
        _N,
        'config',
        'Every category of the file is a class of the config.',
        'Its objects are not read; fine if that is meant.',
    ),
    Rule(
        'config-other-file',
        _N,
        'config',
        'The config reads this file.',
        'It was compared with the classes of the first dataset instead.',
    ),
)
