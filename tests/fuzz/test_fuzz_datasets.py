"""The converters of published datasets, with one of their files changed.

No tool prints a traceback, none writes what check_dataset refuses, and after an error
nothing is left behind.
"""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import fuzz_layouts as layouts
from fuzz_layouts import CLICKS, INSTANCES, KITTI_TEXT, NAMES, PANOPTIC, XML, images
from fuzz_runs import check_run, fuzz
from fuzz_values import files

LISTED = 'voc2coco voc --list list.txt --out-dir out'
VOC = f'{LISTED} --sbd sbd --tags xml'
VOC_MAPS = f'{LISTED} --sbd sbd --panoptic --semantic-dir out/maps'
VOC_CLICKS = f'{LISTED} --clicks clicks.json'
CITYSCAPES = 'cityscapes2coco . --split train --out-dir out --panoptic --semantic'
KITTI_BOXES = 'kitti2coco boxes . --list list.txt --out-dir out --level'
KITTI_MASKS = 'kitti2coco masks . --classes car person --out out/a.json'
LEVELS = 'image_tags points boxes extreme_points masks'
WEAK = 'coco2weak panoptic.json --out-dir out --level'
STUFF = 'coco2weak instances.json --out-dir out --stuff-tags panoptic.json --level'
SKIP = '--skip-invalid'
CITYSCAPES_MAP = 'gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png'
PHOTOGRAPH = layouts.png(layouts.label_map(1, 2, 3))
MAP = layouts.png(layouts.label_map(1, 2, 0))
# Layout, arguments, file, what it may become.
CASES = {
    'voc xml': (
        'voc',
        f'{VOC} {SKIP}',
        f'voc/Annotations/{NAMES[0]}.xml',
        layouts.texts(XML),
    ),
    'voc objects': (
        *('voc', VOC_MAPS, f'voc/SegmentationObject/{NAMES[0]}.png', images(MAP)),
    ),
    'voc classes': (
        *('voc', f'{VOC_MAPS} {SKIP}', f'voc/SegmentationClass/{NAMES[0]}.png'),
        images(MAP),
    ),
    'voc photograph': (
        *('voc', VOC_MAPS, f'voc/JPEGImages/{NAMES[1]}.jpg', images(PHOTOGRAPH)),
    ),
    'voc list': ('voc', VOC_MAPS, 'list.txt', layouts.texts('\n'.join(NAMES))),
    'voc clicks': ('voc', VOC_CLICKS, 'clicks.json', files(CLICKS)),
    'voc clicks skip': ('voc', f'{VOC_CLICKS} {SKIP}', 'clicks.json', files(CLICKS)),
    'sbd': (
        *('voc', VOC_MAPS, f'sbd/inst/{NAMES[1]}.mat'),
        st.one_of(layouts.matrices(), images(layouts.mat(MAP, [1]))),
    ),
    'cityscapes': ('cityscapes', CITYSCAPES, CITYSCAPES_MAP, images(MAP)),
    'cityscapes skip': (
        *('cityscapes', f'{CITYSCAPES} {SKIP} --ids trainIds', CITYSCAPES_MAP),
        images(MAP),
    ),
    'kitti points': (
        *('kitti', f'{KITTI_BOXES} points', 'training/label_2/000001.txt'),
        layouts.texts(KITTI_TEXT),
    ),
    'kitti boxes': (
        *('kitti', f'{KITTI_BOXES} boxes', 'training/label_2/000001.txt'),
        layouts.texts(KITTI_TEXT),
    ),
    'kitti masks': ('kitti', KITTI_MASKS, 'training/instance/000001.png', images(MAP)),
    'panoptic json': ('panoptic', f'{WEAK} {LEVELS}', 'panoptic.json', files(PANOPTIC)),
    'panoptic boxes': (
        *('panoptic', f'{WEAK} boxes image_tags {SKIP}', 'panoptic.json'),
        files(PANOPTIC),
    ),
    'panoptic png': ('panoptic', f'{WEAK} {LEVELS}', 'panoptic/a.png', images(MAP)),
    'stuff tags': ('panoptic', f'{STUFF} {LEVELS}', 'panoptic.json', files(PANOPTIC)),
    'stuff instances': (
        'panoptic',
        f'{STUFF} {LEVELS}',
        'instances.json',
        files(INSTANCES),
    ),
}


def convert(layout, arguments, changes):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layouts.LAYOUTS[layout](folder)
        for path, content in changes.items():
            layouts.write(folder / path, content)
        tool, *rest = arguments.split()
        panoptic = [f'panoptic_{part}.json' for part in ('list', 'gtFine_train')]
        return check_run(
            f'dataset_converters/{tool}', [*rest, '--workers', '1'], folder, panoptic
        )


@pytest.mark.parametrize('name', CASES)
def test_unchanged(name):
    layout, arguments, _, _ = CASES[name]
    assert convert(layout, arguments, {}) == 0


@pytest.mark.parametrize('name', CASES)
def test_one_file_changed(name):
    layout, arguments, path, strategy = CASES[name]

    @fuzz(8)
    @given(strategy)
    def look(content):
        convert(layout, arguments, {path: content})

    look()
