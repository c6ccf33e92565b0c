"""``tools/analysis_tools/review_list.py`` as a user calls it."""

import csv
import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwsis.formats.coco_masks import encode_mask

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools/review_list.py'


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('review_list_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def call(tool, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        arguments = [str(one) for one in arguments]
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *arguments, '--workers', '1'])
        tool.main()

    return run


@pytest.fixture
def labels(tmp_path):
    """Three images of two squares; on the second one a label is only half of its."""
    (tmp_path / 'images').mkdir()
    images, truth, pseudo = [], [], []
    for image_id in (1, 2, 3):
        pixels = np.full((48, 64, 3), 70, np.uint8)
        for place, x in enumerate((6, 36)):
            mask = np.zeros((48, 64), np.uint8)
            mask[10:30, x : x + 20] = 1
            pixels[mask > 0] = (230, 120, 20)
            half = mask.copy()
            half[:, x + 8 :] = 0
            bad = (image_id, place) == (2, 1)
            own = dict(id=10 * image_id + place, image_id=image_id, category_id=1)
            own.update(iscrowd=0, bbox=[x, 10, 20, 20], area=400)
            truth.append(dict(own, segmentation=encode_mask(mask)))
            seen = encode_mask(half if bad else mask)
            pseudo.append(dict(own, segmentation=seen, score=0.4 if bad else 0.9))
        name = f'{image_id}.png'
        Image.fromarray(pixels).save(tmp_path / 'images' / name)
        images.append(dict(id=image_id, file_name=name, width=64, height=48))
    for name, annotations in (('truth', truth), ('pseudo', pseudo)):
        content = dict(images=images, annotations=annotations)
        content['categories'] = [dict(id=1, name='square')]
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    return tmp_path


def rows(path):
    return list(csv.DictReader(path.open()))


def test_list_page_calibration_and_folder_to_correct(labels, call, capsys):
    call('pseudo.json', 'images', '--out-dir', 'out', '--gt', 'truth.json')
    assert rows(Path('out/review.csv'))[0]['annotation_id'] == '21'
    found = json.loads(Path('out/calibration.json').read_text())
    assert found['labels'] == 6 and found['order']['confidence']['auc_0.75'] == 1
    assert '| confidence | 1.000' in capsys.readouterr().out
    assert not Path('out/signals.parts').exists()

    # The rule that fits labels may rank others; the worst go out as whole images.
    rest = [
        '--rule',
        'out/calibration.json',
        '--no-crf',
        '--worst',
        '1',
        '--export',
        'labelme',
    ]
    call('pseudo.json', 'images', '--out-dir', 'second', *rest)
    assert rows(Path('second/review.csv'))[0]['annotation_id'] == '21'
    assert [path.name for path in Path('second/to_correct').glob('*.json')] == [
        '2.json'
    ]
    shapes = json.loads(Path('second/to_correct/2.json').read_text())['shapes']
    assert sorted(one['group_id'] for one in shapes) == [20, 21]
    assert Path('second/to_correct/2.png').is_file()
    with pytest.raises(SystemExit, match='to_correct exists and may hold corr'):
        call('pseudo.json', 'images', '--out-dir', 'second', *rest)


def test_a_list_without_images_and_page(labels, call):
    call('pseudo.json', '--out-dir', 'out', '--page', '0', '--with', 'truth.json')
    found = rows(Path('out/review.csv'))
    assert found[0]['truth'] == '0.4' and found[0]['crf'] == ''
    assert [path.name for path in Path('out').iterdir()] == ['review.csv']


@pytest.mark.parametrize(
    'arguments, message',
    [
        (['--worst', '3'], 'go together'),
        (['--export', 'labelme', '--worst', '3'], 'needs the folder of the images'),
        (['--page', '-1'], 'must be at least'),
        (['--export', 'yolo-seg', '--worst', '3'], 'its files hold no ids'),
    ],
)
def test_options_that_do_not_fit(labels, call, capsys, arguments, message):
    with pytest.raises(SystemExit):
        call('pseudo.json', '--out-dir', 'out', *arguments)
    assert message in capsys.readouterr().err and not Path('out').exists()


def test_a_file_that_is_no_rule(labels, call):
    with pytest.raises(SystemExit, match='truth.json has no fitted rule: give the cal'):
        call('pseudo.json', '--out-dir', 'out', '--rule', 'truth.json')
    assert not Path('out').exists()


def change(name, edit):
    content = json.loads(Path(name).read_text())
    edit(content)
    Path(name).write_text(json.dumps(content))


def test_reviewed_labels_are_not_listed_again(labels, call, capsys):
    def correct(coco):
        worst = next(one for one in coco['annotations'] if one['id'] == 21)
        worst['correction'] = 'changed'
        coco['images'][2]['supervision'] = 'masks'  # of the labels 30 and 31

    change('pseudo.json', correct)
    call('pseudo.json', '--out-dir', 'out', '--page', '0')
    ids = [int(row['annotation_id']) for row in rows(Path('out/review.csv'))]
    assert sorted(ids) == [10, 11, 20]
    said = capsys.readouterr().out
    assert '3 labels (3 labels that people have reviewed are left out), least' in said
    call('pseudo.json', '--out-dir', 'all', '--page', '0', '--all')
    assert len(rows(Path('all/review.csv'))) == 6
    assert '6 labels, least trusted first' in capsys.readouterr().out
    change(
        'pseudo.json', lambda c: [i.update(supervision='masks') for i in c['images']]
    )
    with pytest.raises(ValueError, match='people have reviewed all 6; --all lists'):
        call('pseudo.json', '--out-dir', 'none', '--page', '0')


def test_wrong_truth_is_refused_before_the_work(labels, call, tool, monkeypatch):
    change('truth.json', lambda coco: [o.update(id=o['id'] + 1000) for o in own(coco)])
    monkeypatch.setattr(tool, 'review_labels', lambda *a, **k: pytest.fail('too early'))
    for name, message in (
        ('truth.json', 'share no annotation id'),
        ('no.json', 'no.json'),
    ):
        with pytest.raises((SystemExit, ValueError, OSError), match=message):
            call('pseudo.json', 'images', '--out-dir', 'out', '--gt', name)


def own(coco):
    return coco['annotations']


def test_an_empty_mask_is_exported_without_a_shape(labels, call, capsys):
    def empty(coco):
        mask = encode_mask(np.zeros((48, 64), np.uint8))
        coco['annotations'][3].update(segmentation=mask, score=0.1)

    change('pseudo.json', empty)
    call(
        *('pseudo.json', 'images', '--out-dir', 'out', '--no-crf', '--page', '0'),
        *('--worst', '9', '--export', 'labelme'),
    )
    said = capsys.readouterr().err
    assert 'annotation id 21 has no shape there' in said
    assert '--worst 9: there are 6 labels to review' in said
    shapes = json.loads(Path('out/to_correct/2.json').read_text())['shapes']
    assert [one['group_id'] for one in shapes] == [20]


@pytest.mark.parametrize('name', ['other', 'score', 'mirrored'])
def test_a_second_file_named_like_a_signal(labels, call, name):
    Path('truth.json').rename(f'{name}.json')
    call('pseudo.json', '--out-dir', 'a', '--page', '0', '--with', f'{name}.json')
    Path(f'{name}.json').rename('plain.json')
    call('pseudo.json', '--out-dir', 'b', '--page', '0', '--with', 'plain.json')
    first, second = rows(Path('a/review.csv')), rows(Path('b/review.csv'))
    assert [row[f'{name}_2'] for row in first] == [row['plain'] for row in second]
    confident = [[row['confidence'] for row in found] for found in (first, second)]
    assert confident[0] == confident[1]
