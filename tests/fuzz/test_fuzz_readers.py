"""The tools that look at label files and write none, with one value changed.

No tool prints a traceback, whatever the file holds.
"""

import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

import fuzz_layouts as layouts
from fuzz_documents import DOCUMENT, PSEUDO
from fuzz_layouts import PANOPTIC, images
from fuzz_runs import check_run, fuzz
from fuzz_values import documents, encode, files

METRICS = {'coco/segm_mAP': 0.25, 'coco/segm_mAP_50': 0.5, 'pq': {'a': 1}, 'mIoU': 40}
COSTS = {'boxes': 38.1, 'masks': {'image': 18.5, 'object': 79}}
ENTRIES = [
    [
        'a.png',
        'cat',
        0,
        [1, 2, 14, 6],
        dict(size=[12, 16], counts='>66000000000h00XO000000000:'),
    ]
]
MAP = layouts.png(layouts.label_map(1, 2, 0))
QUALITY = 'analysis_tools/pseudo_label_quality pseudo.json gt.json --out-dir out'
PANOPTIC_QUALITY = QUALITY.replace('pseudo.json', 'panoptic.json') + ' --worst 0'
# Arguments, file, what it may become.
CASES = {
    'check_dataset': (
        'analysis_tools/check_dataset gt.json',
        'gt.json',
        files(DOCUMENT),
    ),
    'check_dataset images': (
        'analysis_tools/check_dataset gt.json --images img --json report.json',
        *('gt.json', files(DOCUMENT)),
    ),
    'check_dataset level': (
        'analysis_tools/check_dataset gt.json --supervision masks --no-masks',
        *('gt.json', files(DOCUMENT)),
    ),
    'check_dataset fix': (
        'analysis_tools/check_dataset gt.json --fix fixed.json',
        *('gt.json', files(DOCUMENT)),
    ),
    'check_dataset image': (
        'analysis_tools/check_dataset gt.json --images img',
        *('img/a.png', images(layouts.png(np.zeros((12, 16, 3), np.uint8)))),
    ),
    'quality gt': (f'{QUALITY} --worst 0', 'gt.json', files(DOCUMENT)),
    'quality pseudo': (f'{QUALITY} --worst 0', 'pseudo.json', files(PSEUDO)),
    'quality overlap': (
        f'{QUALITY} --worst 0 --match overlap',
        *('pseudo.json', files(PSEUDO)),
    ),
    'quality separated': (
        f'{QUALITY} --worst 0 --separated some.json',
        *('some.json', files(DOCUMENT)),
    ),
    'quality panoptic': (
        f'{PANOPTIC_QUALITY} --gt-seg-dir panoptic'.replace('gt.json', 'truth.json'),
        *('panoptic.json', files(PANOPTIC)),
    ),
    'quality panoptic truth': (
        f'{PANOPTIC_QUALITY} --gt-seg-dir panoptic'.replace('gt.json', 'truth.json'),
        *('truth.json', files(PANOPTIC)),
    ),
    'quality panoptic png': (
        f'{PANOPTIC_QUALITY} --gt-seg-dir panoptic'.replace('gt.json', 'truth.json'),
        *('panoptic/a.png', images(MAP)),
    ),
    'quality semantic': (
        'analysis_tools/pseudo_label_quality maps maps2 --out-dir out --classes a b c',
        *('maps/a.png', images(MAP)),
    ),
    'retention': (
        'analysis_tools/retention weak.json full.json --out table.json',
        *('weak.json', files(METRICS)),
    ),
    'costs': (
        'dataset_converters/annotation_budget gt.json --seconds 300 --out-dir out '
        '--workers 1 --costs costs.json',
        *('costs.json', files(COSTS)),
    ),
    'pickle': (
        'dataset_converters/separated_coco gt.json --pickle s.pkl --out out/s.json '
        '--skip-invalid --workers 1',
        *('s.pkl', documents(ENTRIES).map(pickle.dumps)),
    ),
}


def make(folder):
    for name, document in {
        'gt': DOCUMENT,
        'some': DOCUMENT,
        'pseudo': PSEUDO,
        'truth': PANOPTIC,
        'weak': METRICS,
        'full': METRICS,
        'costs': COSTS,
    }.items():
        (folder / f'{name}.json').write_bytes(encode(document))
    (folder / 's.pkl').write_bytes(pickle.dumps(ENTRIES))
    layouts.panoptic(folder)
    for image in DOCUMENT['images']:
        path = folder / 'img' / image.get('file_name', 'train/c.png')
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (image['width'], image['height'])).save(path)
    for name in ('maps', 'maps2'):
        layouts.write(folder / f'{name}/a.png', MAP)


def run(arguments, changes):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder)
        for path, content in changes.items():
            layouts.write(folder / path, content)
        tool, *rest = arguments.split()
        others = [
            'quality.json',
            'report.json',
            'fixed.json',
            'table.json',
            'budget.json',
        ]
        return check_run(tool, rest, folder, others)


@pytest.mark.parametrize('name', CASES)
def test_unchanged(name):
    assert run(CASES[name][0], {}) == 0


@pytest.mark.parametrize('name', CASES)
def test_one_value_changed(name):
    arguments, path, strategy = CASES[name]

    @fuzz(8)
    @given(strategy)
    def look(content):
        run(arguments, {path: content})

    look()
