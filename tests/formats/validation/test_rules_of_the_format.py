"""Every rule of the table, with the exact text of its issue."""

import sys
from pathlib import Path

import pytest

from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.validation import RULES, Severity, validate_file

sys.path.insert(0, str(Path(__file__).parent))
from rule_cases import AREA_TEXT, AT, CASES


def test_a_crowd_does_not_say_that_its_class_is_there(clean, issues):
    # A region to leave out of account, as KITTI's DontCare, may be of any class.
    clean['images'][0]['tags'] = [17]
    assert issues(clean) == {}


@pytest.mark.parametrize('rule, fault, message', CASES)
def test_rule(clean, issues, rule, fault, message):
    pixels = clean['annotations'][0]['area']
    fault(clean)
    if rule == 'area-mismatch' and message is None:
        message = AT + AREA_TEXT.format(pixels)
    found = issues(clean)[rule]
    assert found if message is None else message in found


LOADED = [
    case
    for case in CASES
    if RULES[case[0]].severity is Severity.ERROR
    and not case[0].startswith(('mask-', 'polygon-', 'rle-'))  # not looked at there
    # The first is about the file as a whole; our datasets do without the second.
    and case[0] not in ('label-missing', 'area-missing', 'box-contradicts-mask')
]


@pytest.mark.parametrize('rule, fault, message', LOADED)
def test_the_loaders_refuse_it_in_the_same_words(clean, write, rule, fault, message):
    fault(clean)
    path = write(clean)
    with pytest.raises(ValueError) as caught:
        load_coco(path, 'masks')
    # What the leak guard refuses before the rules are looked at has no advice.
    said = str(caught.value).removesuffix(f' {RULES[rule].advice}')
    # The guard does not look for the integer that a text may stand for.
    words = (message or '').partition(' It is the text')[0]
    assert said.startswith(f'{path}: {words}')
    assert not message or said == f'{path}: {message}' or 'It is the text' in message


def test_every_rule_of_the_file_has_a_case():
    """Leaks, image files and configs have tests of their own."""
    elsewhere = {'leak', 'guarded', 'unlisted-key', 'mask-missing'}
    elsewhere |= {'image-missing', 'image-unreadable', 'image-size-differs'}
    elsewhere |= {'image-orientation', 'image-depth', 'file-encoding', 'level-absent'}
    rules = {name for name in RULES if not name.startswith('config-')}
    assert rules - elsewhere == {rule for rule, _, _ in CASES}


def test_clean_file_has_no_issues(clean, issues):
    assert issues(clean) == {}


@pytest.mark.parametrize(
    'level', ['image_tags', 'points', 'boxes', 'extreme_points', 'masks']
)
def test_clean_weak_file_has_no_issues(weaker, issues, level):
    assert issues(weaker(level), supervision=level) == {}


def test_all_findings_are_counted_and_the_first_kept(clean, write):
    for entry in clean['annotations']:
        entry['bbox'] = [500, 500, 10, 10]
    log = validate_file(write(clean), max_examples=2).log
    assert log.counts['bbox-outside'] == 4
    assert len(log.examples['bbox-outside']) == 2
    assert log.count_of(Severity.ERROR) == 4


def test_a_mix_whose_images_all_say_their_level_is_declared(clean, write):
    for entry in clean['annotations'][1:3]:
        del entry['segmentation'], entry['area']
    text = validate_file(write(clean)).level_text()
    assert 'nothing declares a level' in text
    clean['images'][0]['supervision'] = 'masks'
    clean['images'][1]['supervision'] = 'extreme_points'
    for entry in clean['annotations'][:1]:
        del entry['extreme_points'], entry['point'], entry['bbox']
    text = validate_file(write(clean)).level_text()
    assert text == 'mixed (images[].supervision of every image)'


def test_lists_may_come_in_any_order(clean, write):
    clean['annotations'][0]['image_id'] = 71
    clean['annotations'][1]['category_id'] = 99
    reports = [
        validate_file(write(dict(sorted(clean.items(), reverse=turn))))
        for turn in (False, True)
    ]
    assert reports[0].log.counts == reports[1].log.counts
    assert set(reports[0].log.counts) == {'annotation-image', 'annotation-category'}
    assert reports[0].summary == reports[1].summary


def test_both_parsers_see_the_same(clean, write):
    """A file with NaN, which is no JSON, goes through the standard library."""
    clean['annotations'][0].update(bbox=[1, 2, 3], area=-1, note='\u00e9 "]}\\')
    usual = validate_file(write(clean, indent=1))
    slow = validate_file(write({'other': float('nan'), **clean}, indent=1))
    assert slow.log.counts == usual.log.counts
    assert slow.log.examples == usual.log.examples
    assert slow.summary == usual.summary


def test_objects_in_chunks_are_one_file(clean, write, monkeypatch):
    clean['annotations'].append({**clean['annotations'][0], 'id': 12})
    whole = validate_file(write(clean))
    monkeypatch.setattr('mmwsis.formats.json_file.CHUNK', 1)
    parts = validate_file(write(clean))
    assert parts.log.counts == whole.log.counts
    assert parts.log.counts['annotation-id-duplicate'] == 1
    assert parts.log.counts['annotation-duplicate'] == 1
    assert parts.summary == whole.summary


@pytest.mark.parametrize(
    'content, message',
    [
        (b'{"images": [{"id": 1}', 'is no valid JSON'),
        (b'[]', 'expected a COCO JSON'),
        (b'{}', "with the list 'images'"),
        (b'{"images": {}}', "with the list 'images'"),
        (b'{"images": []}', "with the list 'categories'"),
        (b'{"images": [], "annotations": {}}', 'annotations must be a list'),
        (
            b'{"images": [], "annotations": [{"segments_info": []}]}',
            'is a COCO panoptic file',
        ),
    ],
)
def test_what_cannot_be_read(tmp_path, content, message):
    path = tmp_path / 'broken.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        validate_file(str(path))
    assert str(caught.value).startswith(str(path))


def test_hostile_masks_do_not_end_the_process(clean, issues):
    """pycocotools would; each of these is an issue."""
    hostile = [
        dict(size=[90, 120], counts='\u00e9\u00e9'),
        dict(size=[90, 120], counts=''),
        dict(size=[90, 120], counts='o' * 50),
        dict(size=[90, 120], counts='PPPPPPPPPPPPPPPP0'),
        dict(size=[90, 120], counts=[-5, 10805]),
        dict(size=[90, 120], counts=[10**30, 1]),
        dict(size=[90, 120], counts=[1.5, 10798.5]),
        dict(size=[], counts=[]),
        dict(size=None, counts={}),
        [[]],
        [[1e308, 1, 2, 3, 4, -1e308]],
        [['a', 1, 2, 3, 4, 5]],
        [[10**400, 1, 2, 3, 4, 5]],
        [dict(a=1)],
        7,
    ]
    first = clean['annotations'][0]
    clean['annotations'] = [
        {**first, 'id': k, 'segmentation': mask} for k, mask in enumerate(hostile)
    ]
    found = issues(clean, max_examples=100)
    named = ' '.join(message for messages in found.values() for message in messages)
    for k in range(len(hostile)):
        assert f'annotation id {k} of image id 70' in named


def test_documentation_lists_every_rule():
    text = (Path(__file__).parents[3] / 'docs/supervision.md').read_text()
    for rule in RULES.values():
        statement = rule.statement.rstrip('.').replace('|', '\\|')
        row = f'| `{rule.name}` | {rule.severity.label} | {statement} | {rule.fix} |'
        assert row in text
    assert text.count('\n| `') >= len(RULES)
