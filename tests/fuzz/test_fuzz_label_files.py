"""Every tool that reads a label file, with one value of the file changed.

No tool prints a traceback, and none writes what check_dataset refuses.
"""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_runs import check_run, fuzz
from fuzz_values import encode, files


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
LEVELS = ('image_tags', 'points', 'boxes', 'extreme_points')
CONVERSIONS = {
    'coco2weak': ['--level', *LEVELS, '--out-dir', 'out'],
    'coco2weak tags': ['--level', 'image_tags', '--out', 'out/t.json'],
    'coco2weak boxes': ['--level', 'boxes', '--out', 'out/b.json'],
    'coco2weak skip': ['--level', *LEVELS, '--out-dir', 'out', '--skip-invalid'],
    'mix_supervision': ['--masks', '34%', '--points', 'rest', '--out', 'out/m.json'],
    'mix_supervision skip': [
        *('--masks', '67%', '--boxes', 'rest', '--out', 'out/m.json'),
        *('--skip-invalid', '--seed', '1'),
    ],
    'annotation_budget': ['--seconds', '300', '--out-dir', 'out'],
    'separated_coco': ['--out', 'out/s.json', '--min-part', '1'],
    'separated_coco skip': ['--out', 'out/s.json', '--skip-invalid'],
}


@pytest.mark.parametrize('name', CONVERSIONS)
def test_unchanged(name, tmp_path):
    (tmp_path / 'in.json').write_bytes(encode(DOCUMENT))
    tool = f'dataset_converters/{name.split()[0]}'
    arguments = ['in.json', *CONVERSIONS[name], '--workers', '1']
    assert check_run(tool, arguments, tmp_path, ['budget.json']) == 0


@pytest.mark.parametrize('name', CONVERSIONS)
def test_conversion(name):
    @fuzz(12)
    @given(files(DOCUMENT))
    def look(content):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'in.json').write_bytes(content)
            tool = f'dataset_converters/{name.split()[0]}'
            arguments = ['in.json', *CONVERSIONS[name], '--workers', '1']
            check_run(tool, arguments, Path(folder), ['budget.json'])

    look()
