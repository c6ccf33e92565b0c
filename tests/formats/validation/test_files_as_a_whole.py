"""Encodings, levels without a label, and what the loaders make of any junk."""

import copy
import gzip
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from mmwsis.compat import read_coco_files_in_any_encoding
from mmwsis.formats.categories import read_categories
from mmwsis.formats.coco_file import load_coco, read_coco
from mmwsis.formats.json_file import read_json
from mmwsis.formats.validation import validate_document, validate_file

sys.path.insert(0, str(Path(__file__).parent))
from test_validator_never_crashes import JUNK, places


@pytest.mark.parametrize('encoding', ['utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32'])
def test_encodings_that_all_of_our_readers_know(tmp_path, clean, encoding, capsys):
    clean['categories'][0]['name'] = 'Kätzchen'
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(clean, ensure_ascii=False), encoding=encoding)
    log = validate_file(str(path)).log
    assert set(log.counts) == {'file-encoding'}
    assert load_coco(str(path), 'masks')['annotations']
    assert read_coco(path) == clean
    assert read_categories(path) == clean['categories']
    read_coco_files_in_any_encoding()
    assert len(COCO(str(path)).anns) == len(clean['annotations'])
    capsys.readouterr()


def test_a_locale_that_is_not_utf8(tmp_path, clean, monkeypatch):
    monkeypatch.setattr('locale.getpreferredencoding', lambda *_: 'ascii')
    clean['categories'][0]['name'] = 'Kätzchen'
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(clean, ensure_ascii=False), encoding='utf-8')
    read_coco_files_in_any_encoding()
    assert COCO(str(path)).cats[17]['name'] == 'Kätzchen'


@pytest.mark.parametrize(
    'content, words',
    [
        ('{"images": "K\u00e4"}'.encode('latin-1'), 'saved in another encoding'),
        (gzip.compress(b'{}', mtime=0), 'gzip file; unpack it'),
        (b'PK\x03\x04rest', 'zip file; unpack it'),
        (b'[' * 200_000, 'no valid JSON'),
        (b'1' * 10_000, 'no valid JSON'),
    ],
)
def test_what_is_no_text_is_named(tmp_path, content, words):
    path = tmp_path / 'labels.json'
    path.write_bytes(content)
    for read in (read_json, validate_file, lambda path: load_coco(path, 'boxes')):
        with pytest.raises(ValueError, match=words) as caught:
            read(str(path))
        assert str(caught.value).startswith(str(path))


LEVELS = ('image_tags', 'points', 'boxes', 'extreme_points', 'masks')


@pytest.mark.parametrize('level', LEVELS)
def test_a_level_without_any_label_is_one_error(weaker, level):
    coco = weaker('boxes' if level == 'points' else 'points')
    if level == 'image_tags':
        coco['annotations'] = []
    report = validate_document(coco, 'file', supervision=level)
    (issue,) = report.log.examples['level-absent']
    assert f'supervision {level!r}, but' in str(issue)
    with pytest.raises(ValueError, match=r'^file: .* Give the file that has'):
        report.log.discard(('leak',))
        report.log.raise_first('file')


@pytest.mark.parametrize('level', LEVELS[1:])
def test_no_object_at_all(weaker, level):
    coco = weaker(level)
    coco['annotations'] = [
        {**entry, 'iscrowd': 1}
        for entry in coco['annotations']
        if entry.get('segmentation') or level != 'masks'
    ]
    found = validate_document(coco, 'file', supervision=level).log.examples
    text = 'the file has no object, only crowds.'
    assert str(found['level-absent'][0]) == f'supervision {level!r}, but {text}'
    coco['annotations'] = []
    found = validate_document(coco, 'file', supervision=level).log.examples
    text = 'the file has no object.'
    assert str(found['level-absent'][0]) == f'supervision {level!r}, but {text}'


def test_images_may_all_declare_a_weaker_level(weaker):
    coco = weaker('boxes')
    for image in coco['images']:
        image['supervision'] = 'boxes'
    log = validate_document(coco, 'file', config_supervision='masks').log
    assert 'level-absent' not in log.counts


def test_boxes_for_masks_say_what_to_do(weaker):
    log = validate_document(weaker('boxes'), 'file', supervision='masks').log
    text = str(log.examples['level-absent'][0])
    assert 'only: bbox 3' in text or 'only bbox' in text or 'bbox 3' in text
    assert 'generate_pseudo_labels.py' in text
    assert 'mask-missing' not in log.counts


def test_ignored_annotations_need_no_label(clean):
    entry = clean['annotations'][0]
    for key in ('segmentation', 'area', 'bbox'):
        del entry[key]
    log = validate_document(clean, 'file', supervision='masks').log
    assert set(log.counts) == {'label-missing', 'mask-missing'}
    entry['ignore'] = 1
    log = validate_document(clean, 'file', supervision='masks').log
    assert not log.counts


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_our_loaders_say_what_is_wrong_with_any_junk(clean, write, data):
    coco = copy.deepcopy(clean)
    coco['images'][0].update(tags=[17, 5], supervision='masks')
    *parents, last = data.draw(st.sampled_from(list(places(coco))[1:]))
    target = coco
    for key in parents:
        target = target[key]
    target[last] = copy.deepcopy(data.draw(st.sampled_from([*JUNK, '17'])))
    path = write(coco)
    for read in (
        read_coco,
        lambda path: load_coco(path, data.draw(st.sampled_from(LEVELS))),
    ):
        try:
            read(path)
        except ValueError as error:
            assert path in str(error)
