"""The rules of the label file: one table for the loaders, preflight and the validator.

A rule has one name, one severity and one statement; the checks in this package refer to
it by name. Which of the rules hold where:

- the loaders (:mod:`mmwsis.formats.checks`) stop at the first error;
- the start of training (:mod:`mmwsis.engine.label_check`) collects the errors;
- ``tools/analysis_tools/check_dataset.py`` collects everything.

Rules about masks are checked by the last two, image files by the last, and a sample of
them before training.
"""

from .rule import Rule, Severity

_REWRITE = 'Write the entry again from its source, or remove it.'
_TOOL = 'tools/dataset_converters/coco2weak.py'

# Severity -> name -> what must hold, what to do where it does not, and what ``--fix``
# does about it.
_TABLE: dict[Severity, dict[str, tuple[str, ...]]] = {
    Severity.ERROR: {
        'category-entry': (
            'Every category is an object with an id (integer or text) and a name '
            '(text that is not blank).',
            'Add what is missing.',
        ),
        'category-duplicate': (
            'Ids and names of categories are unique.',
            'Merge the two categories, or rename one.',
        ),
        'image-entry': (
            'Every image is an object with an id, integer or text.',
            _REWRITE,
        ),
        'image-id-duplicate': (
            'Image ids are unique.',
            'Number the images anew, and their annotations with them.',
        ),
        'image-size': (
            'width and height are positive integers, in pixels, of an image that can '
            'be read (at most 2^20 a side, 2^30 pixels).',
            'Read them from the image files.',
            'with --images: reads them from the files',
        ),
        'image-file-name': (
            'Every image has a file_name, or as in LVIS a coco_url.',
            'Add file_name, relative to the image folder.',
        ),
        'image-supervision': (
            'images[].supervision is one of the five levels, or not there.',
            'Write image_tags, points, boxes, extreme_points or masks.',
        ),
        'image-tags': (
            "images[].tags is a list of ids of categories of the file; so are LVIS's "
            'neg_category_ids and not_exhaustive_category_ids.',
            'Add the category or fix the id.',
        ),
        'image-crop-tags': (
            'images[].crop_tags is {"size": [height, width], "tags": [...]}: a crop no '
            'larger than the image, and for each crop of its grid a list of ids that '
            'are among images[].tags.',
            f'Write them again with {_TOOL} --crop-tags.',
        ),
        'void-format': (
            'images[].void is an RLE of the size of the image.',
            'Write it again with the converter of the dataset.',
        ),
        'image-missing': (
            'Every image file exists.',
            'Check file_name and the image folder: --images, or data_root and '
            'data_prefix of the config.',
        ),
        'image-unreadable': (
            'Every image file can be decoded to its end.',
            'Fetch or write it again.',
        ),
        'image-size-differs': (
            'The image file, held upright, has the width and height that the label '
            'file says.',
            'Labels of another size do not fit: correct width and height, or scale '
            'the labels.',
            'with --images: corrects exchanged sides where the labels prove it',
        ),
        'annotation-entry': ('Every annotation is an object.', _REWRITE),
        'annotation-image': (
            'image_id is the id of an image of the file.',
            'Add the image to images or remove the annotation.',
        ),
        'annotation-category': (
            'category_id is the id of a category of the file.',
            'Add the category or fix the id.',
        ),
        'annotation-id': (
            'Every annotation has an id, integer or text.',
            'Number the annotations.',
        ),
        'annotation-id-duplicate': (
            'Annotation ids are unique over the whole file.',
            'Number the annotations anew; a merge of two files needs this.',
            'removes exact copies',
        ),
        'iscrowd-format': ('iscrowd is 0 or 1; so is ignore.', _REWRITE),
        'coordinates-normalised': (
            'Coordinates are pixels, not shares of the image from 0 to 1.',
            'Multiply x by the width and y by the height of the image.',
        ),
        'point-format': ('point is one [x, y] of finite numbers.', _REWRITE),
        'point-outside': (
            'point lies in its image.',
            'Are coordinates [x, y] in pixels of this image?',
        ),
        'score-range': (
            'score of a point or a box is a number from 0 to 1.',
            'Divide by the largest possible score, or leave it out: a click has none.',
        ),
        'extreme-format': (
            'extreme_points are four [x, y] of finite numbers.',
            _REWRITE,
        ),
        'extreme-order': (
            'extreme_points come in the order top, left, bottom, right, and each is '
            'the outermost on its side.',
            'Sort them; see docs/supervision.md.',
            'sorts them where only one order fits',
        ),
        'extreme-outside': (
            'extreme_points lie in their image.',
            'Are coordinates [x, y] in pixels of this image?',
        ),
        'bbox-format': ('bbox is [x, y, width, height] of finite numbers.', _REWRITE),
        'bbox-negative': (
            'width and height of bbox are not negative.',
            'Is it [x0, y0, x1, y1]? COCO has [x, y, width, height].',
        ),
        'bbox-outside': (
            'bbox intersects its image.',
            'Are coordinates in pixels of this image?',
        ),
        'bbox-huge': (
            'bbox is at most three times as large as its image.',
            'Are coordinates in pixels of this image?',
        ),
        'area-format': ('area is a finite number and not negative.', _REWRITE),
        'label-missing': (
            'Every object has the label of its level; crowd regions need a box only.',
            f'Label it, give the image a weaker supervision, or derive it: {_TOOL}.',
        ),
        'level-absent': (
            'A file that is read at a level, or claims it, has a label of that level.',
            'Give the file that has such labels, or a level that this one has; weaker '
            f'labels are derived from masks by {_TOOL}.',
        ),
        'mask-missing': (
            'At masks every object and every crowd region has a segmentation.',
            'Add it or remove the annotation. Our datasets also read images whose '
            'supervision says a weaker level.',
        ),
        'area-missing': (
            'An annotation with a mask has area; mmdet.CocoDataset and evaluation '
            'need it.',
            'Add the number of pixels of the mask.',
            'adds the pixels of the mask',
        ),
        'leak': (
            'A file holds nothing stronger than the level that it, one of its images '
            'or --supervision claims.',
            f'Remove it ({_TOOL} writes clean files), or claim the level that is '
            'there.',
        ),
        'mask-format': (
            'segmentation is a list of polygons [[x, y, x, y, ...], ...] or an RLE '
            'with size and counts.',
            _REWRITE,
            'adds the brackets of a single polygon',
        ),
        'polygon-vertices': (
            'Every polygon has at least three vertices, and as many x as y.',
            'Remove the polygon, or the annotation if it has no other.',
            'flattens lists of [x, y] pairs',
        ),
        'polygon-numbers': (
            'Coordinates of polygons are finite numbers.',
            _REWRITE,
            'flattens lists of [x, y] pairs and reads numbers that are texts',
        ),
        'polygon-huge': (
            'No vertex lies more than three image sizes outside its image.',
            'Are coordinates in pixels of this image?',
        ),
        'box-contradicts-mask': (
            'bbox and mask of an object are at the same place.',
            'Training would read both: correct the one that is wrong.',
        ),
        'rle-size': (
            'The size of an RLE is [height, width] of its image.',
            'It belongs to another image or scale, or is [width, height].',
        ),
        'rle-counts': (
            'The counts of an RLE are whole, and its runs add up to the image.',
            _REWRITE,
        ),
        'panoptic-format': (
            'Panoptic files have categories with isthing, and per image segments_info '
            'with ids from 1, and category, box and area of each.',
            _REWRITE,
        ),
        'panoptic-png': (
            'Every panoptic PNG is there, and of the size of its image.',
            'Check data_prefix.seg, and write it again.',
        ),
        'panoptic-unlisted': (
            'Every segment of a panoptic PNG is in segments_info.',
            'Training would leave it out: add it, or make it 0 (void) in the PNG.',
        ),
        'panoptic-absent': (
            'Every segment of segments_info is in the panoptic PNG.',
            'Training would learn an empty mask: remove it, or correct the PNG.',
        ),
        'config-nothing-left': (
            'Images with objects of the classes of the config are left after its '
            'filter_cfg.',
            'Correct metainfo.classes or filter_cfg, or label the images.',
        ),
        'config-reader': (
            'The file has what the dataset or the metric of the config reads.',
            'Add it, or use the datasets and metrics of mmwsis, which do without.',
        ),
        'config-classes': (
            'Every class of the config is a category of the file, letter by letter.',
            'Correct metainfo.classes or the names in the file.',
        ),
        'config-order': (
            "Datasets of mmdet list classes in the file's order; ours match by name.",
            "List metainfo.classes in the file's order.",
        ),
        'config-splits': (
            'All splits of a config have the same classes in the same order.',
            'Use one metainfo for all.',
        ),
        'config-num-classes': (
            'Every num_classes of the model is the number of classes.',
            'Set it, or use --dataset, which does.',
        ),
    },
    Severity.WARNING: {
        'panoptic-grey': (
            'Panoptic PNGs are in colours, id = R + 256 G + 65536 B.',
            'mmwsis reads 16 bits of grey too, other tools do not: make the labels '
            "anew with encoding='rgb' for them.",
        ),
        'file-encoding': (
            'The file is UTF-8 without a byte order mark.',
            'Our tools read it all the same; plain pycocotools and MMDetection do not.',
            'writes it so',
        ),
        'category-name': (
            'Names of categories have no blanks at their ends and no invisible '
            'characters.',
            'Names are compared letter by letter: write them as they look.',
            'removes them, where the name stays unique',
        ),
        'category-alike': (
            'Names of categories differ in more than blanks, hyphens, case or Unicode '
            'form.',
            'Merge the two if they are one class; a model would have to tell them '
            'apart.',
        ),
        'image-file-path': (
            'file_name is a path relative to the image folder, with / between its '
            'parts.',
            'Write it so; else the labels work on the machine of their author only.',
            'writes / for backslashes',
        ),
        'image-file-duplicate': (
            'No two images have the same file_name.',
            'Merge the two entries: each would be trained with the labels of one only.',
        ),
        'tags-incomplete': (
            'tags, where they are given, name the class of every object of the image.',
            'Add the class to tags: at image_tags it would count as absent.',
        ),
        'image-orientation': (
            'No image file is turned by its EXIF orientation.',
            'Everything here, MMDetection and labelling tools turn it; where a tool '
            'does not, its labels are wrong: store the pixels upright.',
        ),
        'image-depth': (
            'Image files have at most 8 bits per channel.',
            'Of 16 bits the upper 8 are read, of floats the whole part: scale the '
            'values so that the brightest is 255, and save 8 bits.',
        ),
        'annotation-id-zero': (
            'No annotation id of a mask is 0.',
            'mmdet.CocoMetric counts a match with this object as none; our metrics do '
            'not.',
        ),
        'annotation-duplicate': (
            'No two annotations are equal in everything but the id.',
            'Remove one: the object would count twice.',
            'keeps the first',
        ),
        'iscrowd-missing': (
            'An annotation with a mask has iscrowd; evaluation with pycocotools '
            'needs it.',
            'Add "iscrowd": 0.',
            'adds 0',
        ),
        'point-off-box': (
            'point lies in the bounding box of its object.',
            'A click on another object, or a swap of x and y?',
        ),
        'point-shared': (
            'No two points of an image are on one pixel.',
            'Remove one: two clicks on one object, or two classes for one pixel.',
        ),
        'extreme-flat': (
            'extreme_points span a box of at least one pixel each way.',
            'No model can be trained on such an object; the loaders leave it out.',
        ),
        'extreme-off-box': (
            'bbox, where it is given too, is the box of the extreme_points to one '
            'pixel.',
            'At extreme_points the box of the points is used.',
        ),
        'bbox-flat': (
            'bbox is at least one pixel wide and high.',
            'No model can be trained on such an object; the loaders leave it out.',
        ),
        'bbox-over-border': (
            'bbox does not cross the border of its image by more than one pixel.',
            'Is it [x0, y0, x1, y1]? COCO has [x, y, width, height].',
        ),
        'level-mixed': (
            'A file that declares no level holds the same kind of label for every '
            'object.',
            'Write images[].supervision, or pass --supervision.',
        ),
        'polygon-over-border': (
            'No vertex lies more than one pixel outside its image.',
            'What is outside is cut off; are coordinates in pixels of this image?',
        ),
        'mask-empty': ('A mask covers at least one pixel.', 'Remove the annotation.'),
        'area-mismatch': (
            'area is that of the mask (to 5 % and the rounding of its outline).',
            'Evaluation sorts objects into small, medium and large by it.',
        ),
        'mask-off-box': (
            'bbox is the box of the mask, to 2 px or 5 %.',
            'One of the two belongs to another object, scale or format.',
        ),
    },
    Severity.NOTE: {
        'image-url-only': (
            'Every image has a file_name.',
            'Our datasets take the last two parts of coco_url, as LVIS needs it; '
            'mmdet.CocoDataset does not.',
        ),
        'annotation-id-text': (
            'Annotation ids of masks are integers.',
            'mmdet.CocoMetric cannot read texts; our metrics can.',
        ),
        'tags-duplicate': (
            'No tag stands twice in an image.',
            'Harmless; remove one.',
            'keeps one',
        ),
        'image-unlabelled': (
            'Images have annotations or tags.',
            'Fine where nothing is in the image; '
            'filter_cfg=dict(filter_empty_gt=True) leaves such images out.',
        ),
        'point-border': (
            'point does not cross the border of its image by up to one pixel.',
            'The loaders move it onto the border.',
            'moves it onto the border',
        ),
        'extreme-border': (
            'extreme_points do not cross the border of their image by up to one pixel.',
            'The loaders move them onto the border.',
            'moves them onto the border',
        ),
        'bbox-border': (
            'bbox does not cross the border of its image by up to one pixel.',
            'Rounding; harmless.',
            'clips it',
        ),
        'guarded': (
            'A file holds nothing stronger than the level that the config reads it at.',
            'Nothing to do: the loader removes it before anything sees it.',
        ),
        'unlisted-key': (
            'Below masks, annotations have no keys but those of the format.',
            'The loader removes them.',
        ),
        'config-unused-category': (
            'Every category of the file is a class of the config.',
            'Its objects are not read; fine if that is meant.',
        ),
        'config-other-file': (
            'The config reads this file.',
            'It was compared with the classes of the first dataset instead.',
        ),
    },
}

RULES: dict[str, Rule] = {
    name: Rule(name, severity, *texts)
    for severity, rules in _TABLE.items()
    for name, texts in rules.items()
}
