"""``tools/analysis_tools/check_dataset.py``: exit status, text and JSON."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from forked_tools import run_forked
from PIL import Image

from mmwsis.formats.validation import RULES

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/check_dataset.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('check_dataset_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def labels(tmp_path):
    """Write a file of clicks and boxes; returns its path."""

    def write(**change):
        annotation = dict(
            id=9,
            image_id=7,
            category_id=1,
            iscrowd=0,
            bbox=[5, 5, 20, 10],
            point=[9, 9],
        )
        annotation.update(change)
        content = dict(
            images=[dict(id=7, file_name='a.png', width=60, height=40)],
            annotations=[annotation],
            categories=[dict(id=1, name='bolt')],
        )
        (tmp_path / 'labels.json').write_text(json.dumps(content))
        return str(tmp_path / 'labels.json')

    return write


def test_clean_file(tool, labels, capsys):
    path = labels()
    assert tool.main([path]) == 0
    assert capsys.readouterr().out == (
        f'{path}: supervision boxes (what every object has; nothing declares a level)\n'
        '\n'
        '1 images, 1 objects, 0 crowd regions; at most 1 objects in an image\n'
        'image size: 60 x 40\n'
        'labels: point 1, bbox 1\n'
        'points outside their boxes: 0 of 1\n'
        'images without labels: 0\n'
        '\n'
        'class                      objects     crowd    images    tagged     small'
        '    medium     large\n'
        'bolt                             1         0         1         0         1'
        '         0         0\n'
        '\n'
        'No issues.\n'
    )


def test_issue_as_it_is_printed(tool, labels, capsys):
    assert tool.main([labels(point=[70, 9]), '--supervision', 'boxes']) == 1
    out = capsys.readouterr().out
    rule = RULES['point-outside']
    start = f'ERROR point-outside (1): {rule.statement}\n    annotation id 9 of image'
    assert f'{start} id 7: point [70, 9] lies ' in out
    assert f'\n    -> {rule.advice}\n' in out
    assert out.endswith('1 error, 1 warning, 0 notes\n')


def test_strict_turns_warnings_into_errors(tool, labels, capsys):
    path = labels(point=[4, 9])
    assert tool.main([path]) == 0
    assert tool.main([path, '--strict']) == 1
    assert 'WARNING point-off-box (1)' in capsys.readouterr().out


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['nowhere.json'], 'Annotation file nowhere.json does not exist'),
        (['{labels}', '--images', 'nowhere'], 'Image folder nowhere does not exist'),
        (['{labels}', '--config', 'nowhere.py'], 'nowhere.py does not exist'),
        (['{labels}', '--fix', '{labels}'], 'would overwrite the input'),
    ],
)
def test_what_cannot_be_read_gives_status_2(tool, labels, capsys, arguments, message):
    path = labels()
    assert tool.main([word.replace('{labels}', path) for word in arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('check_dataset: ') and message in error


@pytest.mark.parametrize(
    'arguments',
    [[], ['x.json', '--max-examples', '0'], ['x.json', '--dataset', 'y.py']],
)
def test_usage_errors_give_status_2(tool, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        tool.main(arguments)
    assert caught.value.code == 2


def test_report_for_scripts(tool, labels, tmp_path):
    out = tmp_path / 'report.json'
    path = labels(point=[70, 9])
    assert tool.main([path, '--supervision', 'points', '--json', str(out)]) == 1
    report = json.loads(out.read_text())
    assert report['counts'] == {'error': 2, 'warning': 1, 'note': 0}
    assert report['supervision'] == 'points'
    assert [entry['rule'] for entry in report['findings']] == [
        'point-outside',
        'leak',
        'point-off-box',
    ]
    (example,) = report['findings'][1]['examples']
    assert (example['image_id'], example['annotation_id']) == (7, 9)
    assert example['message'].startswith('annotation id 9 of image id 7: bbox')
    assert report['summary']['classes'][0]['objects'] == 1


def test_fix_is_checked_again(tool, labels, tmp_path, capsys):
    out = tmp_path / 'fixed.json'
    path = labels(point=[-1, 9], bbox=[-1, 5, 26, 10])
    assert tool.main([path, '--fix', str(out), '--json', str(tmp_path / 'r')]) == 0
    said = capsys.readouterr().out
    assert f'Repaired, written to {out}: 2' in said
    assert 'annotation id 9 of image id 7: point [-1, 9] -> [0, 9]' in said
    assert said.endswith('No issues.\n')
    assert json.loads(out.read_text())['annotations'][0]['bbox'] == [0, 5, 25, 10]
    repaired = json.loads((tmp_path / 'r').read_text())['repaired']
    assert repaired == {'point-border': 1, 'bbox-border': 1}


def test_as_a_command(labels):
    done = run_forked([sys.executable, str(TOOL), labels(bbox=[70, 5, 9, 9])])
    assert done.returncode == 1
    assert 'ERROR bbox-outside (1)' in done.stdout
    assert 'Traceback' not in done.stderr


@pytest.fixture
def panoptic(tmp_path):
    """Write a panoptic file and its PNG, of one segment; returns its path."""

    def write(number, folder='panoptic', **change):
        segment = dict(id=5, category_id=1, bbox=[0, 0, 6, 4], area=24, **change)
        entry = dict(image_id=7, file_name='a.png', segments_info=[segment])
        content = dict(
            images=[dict(id=7, file_name='a.jpg', width=6, height=4)],
            annotations=[entry],
            categories=[dict(id=1, name='bolt', isthing=1)],
        )
        (tmp_path / 'panoptic.json').write_text(json.dumps(content))
        (tmp_path / folder).mkdir()
        Image.new('RGB', (6, 4), (number, 0, 0)).save(tmp_path / folder / 'a.png')
        return str(tmp_path / 'panoptic.json')

    return write


def test_panoptic_file_of_the_usual_names(tool, panoptic, capsys):
    path = panoptic(5)
    assert tool.main([path]) == 0
    assert capsys.readouterr().out == (
        f'{path}: COCO panoptic file\n\n1 images, 1 segments\n\nNo issues.\n'
    )
    assert tool.main([path, '--supervision', 'boxes']) == 2
    assert 'is a COCO panoptic file' in capsys.readouterr().err


def test_faulty_panoptic_file(tool, panoptic, tmp_path, capsys):
    path = panoptic(9, 'maps')
    assert tool.main([path]) == 2
    assert 'there is no folder' in capsys.readouterr().err
    out = tmp_path / 'report.json'
    folder = str(tmp_path / 'maps')
    assert tool.main([path, '--panoptic-dir', folder, '--json', str(out)]) == 1
    text = capsys.readouterr().out
    assert 'segment id 9, which segments_info lacks' in text
    assert 'segments_info has segment id 5' in text
    found = json.loads(out.read_text())['findings']
    assert [one['rule'] for one in found] == ['panoptic-unlisted', 'panoptic-absent']
