"""Every fault at every place that reads files: it is named, and nothing is written.

Rows of the table are the faults of ``broken_files.FAULTS``, columns its ``PLACES``. A
fault that is no error at a place is not listed there and must be none. Texts that end
in an ellipsis are pinned where they come from: those about the label file in
``tests/formats``, those about images with ``LoadCachedImage``.
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

from broken_files import FAULTS, PLACES, Files  # noqa: E402

READERS = ('image_dataset', 'train', 'generate', 'measure', 'browse', 'browse_original')
CROPS = ('train', 'generate', 'browse')  # read extreme points
MASKS = ('image_dataset', 'measure')
PIXELS = READERS  # all but the converter, which opens no image
OBJECT = 'annotation id 11 of image id 1: ...'
ANN = '{labels}: ' + OBJECT
NOT_CONVERTED = (
    '{labels}: 1 annotation(s) cannot be converted, so that nothing was written:\n  '
    + OBJECT
)
NO_CROPS = dict.fromkeys(
    ('train', 'browse', 'browse_original'),
    "{labels}: no annotation of the classes 'bolt'; the file has 2 images and 0 "
    "annotations. Check ann_file, and metainfo['classes'] letter by letter.",
)
NOTHING_TO_CONVERT = dict(
    convert='{labels}: 1 error(s) would go into the result, so that nothing was ...'
)
# At a place without masks the guard has removed the broken ones.
BROKEN_MASK = dict.fromkeys(MASKS, ANN) | dict(
    browse_original='{image}: ' + OBJECT, convert=NOT_CONVERTED
)
IMAGE = dict.fromkeys(PIXELS, 'Image {image} (image id 1) ...')
NO_JSON = dict.fromkeys(PLACES, '{labels} is no valid JSON: ...')
BROKEN_ANNOTATION = dict.fromkeys(PLACES, ANN)


TEXTS = dict(
    missing_image=IMAGE,
    truncated_image=IMAGE,
    empty_image=IMAGE,
    empty_file=NO_JSON,
    cut_json=NO_JSON,
    list_json=dict.fromkeys(PLACES, '{labels}: expected a COCO JSON, one object ...')
    | dict(train='{labels} has no list "categories" ...'),
    nan_box=BROKEN_ANNOTATION | dict(convert=NOT_CONVERTED),
    point_outside=dict.fromkeys(READERS, ANN) | dict(convert=NOT_CONVERTED),
    unknown_category=BROKEN_ANNOTATION,
    duplicate_annotation=dict.fromkeys(
        PLACES, '{labels}: annotation id 11 appears ...'
    ),
    duplicate_image=dict.fromkeys(PLACES, '{labels}: image id 1 appears ...'),
    unknown_image=dict.fromkeys(
        PLACES, '{labels}: annotation id 11 of image id 9: no image ...'
    ),
    rle_malformed=BROKEN_MASK,
    rle_size=BROKEN_MASK,
    rle_runs=BROKEN_MASK,
    nan_polygon=BROKEN_MASK,
    flat_box=dict(convert=NOT_CONVERTED),
    no_annotations=NO_CROPS | NOTHING_TO_CONVERT,
    no_images=dict(
        {
            place: text.replace('2 images', '0 images')
            for place, text in NO_CROPS.items()
        },
        image_dataset='{labels}: no image is left. It has 0; filter_cfg is None, the '
        "classes are 'bolt'.",
        measure='{labels} and {truth} share no image id (0 and 2 images). Give the '
        'ground truth of the images that were labelled.',
        convert='{labels}: no image is left, so that nothing was written',
    ),
    crowds_only=dict.fromkeys(
        ('train', 'browse', 'browse_original'),
        '{labels}: no annotation is left to train on. It has 3 of the classes '
        "'bolt'; training keeps 64 < width * height < 1e+10, both sides > 2 px and "
        'no crowd. Relax filter_cfg, or give a file with more objects.',
    )
    | NOTHING_TO_CONVERT,
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
def test_valid_files_are_accepted_everywhere(tmp_path, place):
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
    expected = expected.format(
        labels=files.labels, image=files.root / '1.png', truth=files.root / 'truth.json'
    )
    start, is_cut, _ = expected.partition('...')
    said = str(caught.value)
    assert said.startswith(start) if is_cut else said == expected
    # The parts of a generation that can go on hold no mask; there is no result.
    held = {'pseudo.json.parts', 'pseudo.json.parts/manifest.json'}
    held |= {
        f'pseudo.json.parts/{name}.lock' for name in ('manifest.json', 'shard1of1')
    }
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
def test_files_without_objects_give_valid_pseudo_labels(tmp_path, fault):
    files = make(tmp_path, FAULTS[fault])
    PLACES['generate'](files)
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
    COCO(str(files.root / 'pseudo.json'))  # a plain reader opens it


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
    assert str(caught.value).startswith(
        f'Image {path} (image id 1): the annotation file says 60 x 48 pixels, the '
        'image has 64 x 48.'
    )
