"""Every fault at every place that reads files: the exact text, and nothing written.

A table of DESIGN's kind: rows are the faults of ``broken_files.FAULTS``, columns its
``PLACES``. What is no error at a place is listed too, so that no cell is left open.
"""

import gc
import json
import sys
from pathlib import Path

import pytest
from mmengine.logging import MessageHub
from pycocotools.coco import COCO

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parents[1] / 'pseudo_labels'),
]

from broken_files import FAULTS, OVERLONG_RLE, PLACES, Files  # noqa: E402

READERS = ('image_dataset', 'train', 'generate', 'measure', 'browse', 'browse_original')
CROPS = ('train', 'generate', 'browse')  # read extreme points
MASKS = ('image_dataset', 'measure')
PIXELS = READERS  # all but the converter, which opens no image
ANN = '{labels}: annotation id 11 of image id 1: '
NO_CROPS = dict.fromkeys(
    ('train', 'browse', 'browse_original'),
    "{labels}: no annotation of the classes 'bolt'; the file has 2 images and 0 "
    "annotations. Check ann_file, and metainfo['classes'] letter by letter.",
)
NAN_POINTS = '[[nan, 6], [4, 18], [19, 30], [34, 18]]'


def everywhere(text):
    return dict.fromkeys(PLACES, text)


def in_readers(text, convert):
    return dict.fromkeys(READERS, text) | dict(convert=convert)


def in_masks(text, convert):
    """At a place without masks the guard has removed the broken ones."""
    return dict(
        dict.fromkeys(MASKS, ANN + text),
        browse_original='{image}: annotation id 11 of image id 1: ' + text,
        convert=not_converted(convert),
    )


def not_converted(reason):
    return (
        '{labels}: 1 annotation(s) cannot be converted, so that nothing was written:\n'
        f'  annotation id 11 of image id 1: {reason}\n'
        'Fix or remove them, or leave them out of the result with --skip-invalid.'
    )


def no_json(reason, size):
    return everywhere(
        f'{{labels}} is no valid JSON: {reason} of {size} bytes. An interrupted '
        'download or copy looks like this; fetch or write the file again.'
    )


TEXTS = dict(
    missing_image=dict.fromkeys(
        PIXELS,
        'Image {image} (image id 1) does not exist. Check data_root and '
        "data_prefix['img'] in the config.",
    ),
    truncated_image=dict.fromkeys(
        PIXELS,
        'Image {image} (image id 1) cannot be decoded (700 bytes): image file is '
        'truncated. The file is truncated or no image; fetch it again.',
    ),
    empty_image=dict.fromkeys(
        PIXELS,
        'Image {image} (image id 1) is no image, or the beginning of it is lost '
        '(0 bytes); fetch it again.',
    ),
    empty_file=no_json('Expecting value at line 1, column 1', 0),
    cut_json=no_json("Expecting ',' delimiter at line 1, column 21", 20),
    list_json=in_readers(
        '{labels}: expected a COCO JSON, one object with the lists images, annotations '
        'and categories; got a list.',
        '{labels}: expected a COCO object with images, annotations and categories, '
        'given a JSON list.',
    )
    | dict(
        train='{labels} has no list "categories" of {{"id", "name"}}; is it a COCO '
        'annotation file?'
    ),
    nan_box=dict.fromkeys(
        ('image_dataset', 'measure', 'browse_original'),
        f'{ANN}extreme_points must be four [x, y] (top, left, bottom, right), finite '
        f'numbers in pixels; got {NAN_POINTS}. Write the entry again from its source, '
        'or remove it.',
    )
    | dict.fromkeys(
        CROPS,
        f'{ANN}extreme_points must be four [x, y] in image pixels in the order top, '
        f'left, bottom, right, all finite numbers; got {NAN_POINTS}.',
    )
    | dict(
        convert=not_converted(
            'bbox must have finite coordinates and a positive width and height, given '
            '[nan, 6, 30, 24]; --boxes-mode mask takes the box of the mask instead'
        )
    ),
    point_outside=dict.fromkeys(
        READERS,  # the converter makes its own points, from the masks
        f'{ANN}extreme_points [[19, 6], [4, 18], [19, 30], [69, 18]] lies 5 px outside '
        'the image of 64 x 48 pixels (up to 1 px is moved onto the border). Are '
        'coordinates [x, y] in pixels of this image?',
    ),
    unknown_category=in_readers(
        f'{ANN}category_id 8 is not in categories; known ids: 3. Add the category or '
        'mend the id.',
        f'{ANN}category_id 8 is not in the file. Add it to categories, or remove the '
        'annotation.',
    ),
    duplicate_annotation=in_readers(
        '{labels}: annotation id 11 appears 2 times (image ids [1, 1]); ids must be '
        'unique over the whole file. Number the annotations anew; a merge of two files '
        'needs this.',
        '{labels}: annotation id 11 appears twice; ids must be unique over the whole '
        'file.',
    ),
    duplicate_image=in_readers(
        '{labels}: image id 1 appears twice in images; ids must be unique.',
        '{labels}: image id 1 appears twice; ids must be unique over the whole file.',
    ),
    unknown_image=in_readers(
        '{labels}: annotation id 11 of image id 9: no image of the file has this id '
        '(2 images). Add the image to images or remove the annotation.',
        '{labels}: annotation id 11 of image id 9: image_id 9 is not in the file. Add '
        'it to images, or remove the annotation.',
    ),
    rle_malformed=in_masks(
        'the compressed RLE does not describe a 64x48 image; got counts '
        f'{OVERLONG_RLE[:40]!r}. The file is damaged or was written for another image.',
        'bad RLE: counts has a run that no image can hold',
    ),
    rle_size=in_masks(
        'the RLE has size [5, 5], its image is [48, 64] (height, width).',
        'the RLE has size [height, width] = [5, 5], its image has [48, 64]',
    ),
    rle_runs=in_masks(
        'RLE counts must be a string, or runs that add up to 3072 pixels; got '
        '[3, -1, 9].',
        'bad RLE: the runs add up to 11 pixels, the image has 3072',
    ),
    nan_polygon=in_masks(
        'a polygon needs at least 3 vertices x, y, all finite; got '
        '[1.0, 2.0, nan, 3.0, 4.0, 5.0].',
        'polygon coordinates must be finite numbers',
    ),
    flat_box=dict(
        convert=not_converted(
            'bbox must have finite coordinates and a positive width and height, given '
            '[4, 6, 0, 24]; --boxes-mode mask takes the box of the mask instead'
        )
    ),
    no_annotations=NO_CROPS,
    no_images=dict(
        {
            place: text.replace('2 images', '0 images')
            for place, text in NO_CROPS.items()
        },
        image_dataset='{labels}: no image is left. It has 0; filter_cfg is None, the '
        "classes are 'bolt'.",
        measure='{labels} and {truth} share no image id (0 and 2 images). Give the '
        'ground truth of the images that were labelled.',
    ),
    crowds_only=dict.fromkeys(
        ('train', 'browse', 'browse_original'),
        '{labels}: no annotation is left to train on. It has 3 of the classes '
        "'bolt'; training keeps 64 < width * height < 1e+10, both sides > 2 px and "
        'no crowd. Relax filter_cfg, or give a file with more objects.',
    ),
)


@pytest.fixture(autouse=True, scope='module')
def _quick_garbage_collection():
    gc.freeze()  # MMEngine collects garbage with every dataset
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _no_progress_left_over():
    yield
    MessageHub._instance_dict.clear()


def test_the_table_has_a_row_for_every_fault():
    assert TEXTS.keys() == FAULTS.keys()


@pytest.mark.parametrize('place', PLACES)
def test_sound_files_are_accepted_everywhere(tmp_path, place):
    files = make(tmp_path)
    run(place, files)


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('fault', FAULTS)
def test_fault(tmp_path, fault, place):
    files = make(tmp_path, FAULTS[fault])
    expected = TEXTS[fault].get(place)
    if expected is None:
        run(place, files)
        return
    before = files.listing()
    with pytest.raises((OSError, ValueError)) as caught:
        PLACES[place](files)
    assert str(caught.value) == expected.format(
        labels=files.labels, image=files.root / '1.png', truth=files.root / 'truth.json'
    )
    # The parts of a generation that can go on hold no mask; there is no result.
    held = {'pseudo.json.parts', 'pseudo.json.parts/manifest.json'}
    held.add('pseudo.json.parts/shard1of1.lock')
    new = set(files.listing()) - set(before)
    assert new == (held if place == 'generate' and 'image' in fault and new else set())


def make(tmp_path, fault=None):
    root = tmp_path / 'data'
    root.mkdir()
    files = Files(root)
    if fault is not None:
        fault(files)
    return files.write()


def run(place, files):
    """Run without an error; training ends where the test's model has no loss."""
    if place == 'train':
        with pytest.raises(NotImplementedError):
            PLACES[place](files)
    else:
        PLACES[place](files)


@pytest.mark.parametrize('fault', ['no_annotations', 'no_images', 'crowds_only'])
def test_files_without_objects_give_valid_files(tmp_path, fault):
    files = make(tmp_path, FAULTS[fault])
    PLACES['generate'](files)
    PLACES['convert'](files)
    assert not (files.root / 'pseudo.json.parts').exists()
    pseudo = json.loads((files.root / 'pseudo.json').read_text())
    assert pseudo['images'] == [
        {**image, 'tags': tags}
        for image, tags in zip(
            files.coco['images'], [[3], [3]] if fault == 'crowds_only' else [[], []]
        )
    ]
    assert [a['iscrowd'] for a in pseudo['annotations']] == (
        [1, 1, 1] if fault == 'crowds_only' else []
    )
    for name in ('pseudo', 'boxes', 'extreme_points', 'points', 'image_tags'):
        COCO(str(files.root / f'{name}.json'))  # a plain reader opens it


def test_quality_of_no_pseudo_labels_is_zero(tmp_path):
    files = make(tmp_path, FAULTS['no_annotations'])
    PLACES['measure'](files)
    report = json.loads((files.root / 'report/quality.json').read_text())
    assert report['coverage'] == 0 and report['class_mean_iou']['all'] == 0


def test_image_of_another_size_than_the_files_say(tmp_path):
    files = make(tmp_path)
    path = files.root / '1.png'
    for content in (files.coco, files.truth):
        content['images'][0].update(width=60)
    files.write()
    with pytest.raises(ValueError) as caught:
        PLACES['measure'](files)
    assert str(caught.value) == (
        f'Image {path} (image id 1) has 64 x 48 pixels, the annotation files say '
        '60 x 48. Is --img-dir the folder of these images?'
    )
    with pytest.raises(ValueError) as caught:
        PLACES['train'](files)
    assert str(caught.value) == (
        f'Image {path} (image id 1): the annotation file says 60 x 48 pixels, the '
        'image has 64 x 48. Its annotations would not fit; mend width and height, or '
        'the image.'
    )
