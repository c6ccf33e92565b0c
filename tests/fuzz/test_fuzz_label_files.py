"""Every tool that reads a label file, with one value of the file changed.

No tool prints a traceback, and none writes what check_dataset refuses.
"""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_documents import DOCUMENT
from fuzz_runs import check_run, fuzz
from fuzz_values import encode, files

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
