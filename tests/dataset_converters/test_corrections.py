"""Corrected masks in the place of pseudo labels: rules, ids, bad input, simulation."""

import copy
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.correction_files import (
    CorrectionSettings,
    apply_corrections,
    simulate_file,
    summary_path,
)
from mmwsis.dataset_converters.corrections import merge_corrections
from mmwsis.dataset_converters.review_order import order_labels
from mmwsis.formats.coco_file import load_coco
from mmwsis.formats.coco_masks import annotation_mask, encode_mask
from mmwsis.formats.validation import validate_file

TOOLS = Path(__file__).parents[2] / 'tools/dataset_converters'
HEIGHT, WIDTH = 40, 60
NAMES = ('bolt', 'red nut')


def rectangle(x, y, width=10, height=8):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y : y + height, x : x + width] = 1
    return encode_mask(mask)


def polygon(x, y, width=10, height=8):
    right, below = x + width, y + height
    return [[x, y, right, y, right, below, x, below]]


def document(annotations, images=(1, 2, 3), categories=NAMES, **info):
    return dict(
        info=dict(mmwsis=info),
        images=[
            dict(id=one, file_name=f'sub/{one}.jpg', width=WIDTH, height=HEIGHT)
            for one in images
        ],
        annotations=annotations,
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(categories)],
    )


def label(key, image_id, segmentation, category_id=1, **more):
    x, y, w, h = 0, 0, 10, 8
    if isinstance(segmentation, dict):
        ys, xs = np.nonzero(annotation_mask(segmentation, (HEIGHT, WIDTH), ''))
        x, y = int(xs.min()), int(ys.min())
        w, h = int(xs.max()) + 1 - x, int(ys.max()) + 1 - y
    return dict(
        id=key,
        image_id=image_id,
        category_id=category_id,
        segmentation=segmentation,
        bbox=[x, y, w, h],
        area=w * h,
        iscrowd=0,
        **more,
    )


@pytest.fixture
def pseudo():
    labels = [
        label(11, 1, rectangle(5, 5), score=0.9, weak_bbox=[5, 5, 10, 8]),
        label(12, 1, rectangle(30, 5), score=0.5),
        label(21, 2, rectangle(5, 5), 2, score=0.7),
        label(22, 2, rectangle(30, 20), 2, score=0.2),
        label(31, 3, rectangle(5, 5), score=0.8),
    ]
    made = dict(method='EXITS', supervision='extreme_points', checkpoint_sha256='0')
    coco = document(labels, **made)
    tags = ([1], [2], [1, 2])
    for image, own in zip(coco['images'], tags):
        image['tags'] = own
    return coco


def corrected_of(pseudo, image_ids, **changes):
    """What comes back if nothing was corrected, with the importer's own numbers."""
    images = [one for one in pseudo['images'] if one['id'] in image_ids]
    # The importer numbers images, and classes in the order that it was given.
    numbers = {one['id']: i + 1 for i, one in enumerate(images)}
    coco = document([], categories=NAMES[::-1], tool='import_labels', ids_kept=True)
    coco['images'] = [
        dict(
            id=numbers[one['id']],
            file_name=one['file_name'],
            width=WIDTH,
            height=HEIGHT,
            supervision='masks',
        )
        for one in images
    ]
    coco['annotations'] = [
        label(
            one['id'],
            numbers[one['image_id']],
            one['segmentation'],
            3 - one['category_id'],
        )
        for one in pseudo['annotations']
        if one['image_id'] in numbers
    ]
    return coco


def by_id(coco):
    return {one['id']: one for one in coco['annotations']}


def mask_of(annotation):
    return annotation_mask(annotation['segmentation'], (HEIGHT, WIDTH), '')


def test_all_rules(pseudo):
    before = copy.deepcopy(pseudo)
    back = corrected_of(pseudo, (1, 2))
    found = by_id(back)
    found[11]['segmentation'] = polygon(6, 6)  # another mask
    found[21]['category_id'] = 2  # another class: in this file 2 is bolt
    back['annotations'] = [found[11], found[12], found[21]]  # 22 was deleted
    new = label(1, 2, polygon(40, 30), 1)
    back['annotations'].append({**new, 'is_new': True})
    merged = merge_corrections(pseudo, back)
    assert pseudo == before
    mixed = by_id(merged.coco)
    assert list(mixed) == [11, 12, 21, 31, 32]

    changed = mixed[11]
    assert changed['correction'] == 'changed' and changed['score'] == 1
    assert changed['bbox'] == [6, 6, 10, 8] and changed['area'] == 80
    assert changed['weak_bbox'] == [5, 5, 10, 8]
    assert (mask_of(changed) == mask_of(dict(segmentation=rectangle(6, 6)))).all()
    same = mixed[12]
    assert same['correction'] == 'unchanged' and same['score'] == 1
    assert same['segmentation'] == by_id(before)[12]['segmentation']
    assert mixed[21]['category_id'] == 1 and mixed[21]['correction'] == 'changed'
    assert mixed[31] == by_id(before)[31]  # of an image that nobody looked at
    added = mixed[32]
    assert added['image_id'] == 2 and added['category_id'] == 2
    assert added['correction'] == 'added' and added['bbox'] == [40, 30, 10, 8]

    actions = {one.annotation_id: one.action for one in merged.objects}
    assert actions == {
        11: 'changed', 12: 'unchanged', 21: 'changed', 22: 'deleted', 32: 'added',
    }  # fmt: skip
    other = next(one for one in merged.objects if one.annotation_id == 21)
    assert (other.old_name, other.name, other.iou) == ('red nut', 'bolt', 1)
    levels = [one.get('supervision') for one in merged.coco['images']]
    assert levels == ['masks', 'masks', None]
    assert [one['tags'] for one in merged.coco['images']] == [[1], [1, 2], [1, 2]]


def test_tags_follow_the_objects(pseudo):
    back = corrected_of(pseudo, (1, 3))
    back['annotations'] = []
    merged = merge_corrections(pseudo, back)
    # Image 3 is tagged with a class that it has no object of, such as stuff.
    assert [one['tags'] for one in merged.coco['images']] == [[], [2], [2]]


@pytest.mark.parametrize(('same_iou', 'action'), [(0.8, 'unchanged'), (0.9, 'changed')])
def test_nearly_the_same_mask(pseudo, same_iou, action):
    back = corrected_of(pseudo, (3,))
    back['annotations'][0]['segmentation'] = rectangle(5, 5, 10, 7)
    merged = merge_corrections(pseudo, back, same_iou=same_iou)
    assert [one.action for one in merged.objects] == [action]
    assert merged.objects[0].iou == pytest.approx(7 / 8)
    kept = mask_of(by_id(merged.coco)[31]).sum()
    assert kept == (80 if action == 'unchanged' else 70)


def test_a_part_of_an_image_was_reviewed(pseudo):
    """Others stay if they are the same or not there, and count if they change."""
    back = corrected_of(pseudo, (1, 2))
    found = by_id(back)
    found[21]['segmentation'] = polygon(6, 6)
    back['annotations'] = [found[12], found[21]]
    merged = merge_corrections(pseudo, back, reviewed=[12, 22])
    actions = {one.annotation_id: one.action for one in merged.objects}
    assert actions == {12: 'unchanged', 21: 'changed', 22: 'deleted'}
    mixed = by_id(merged.coco)
    assert mixed[11] == by_id(pseudo)[11]
    # No image is complete: 11 and 21 were not on the list.
    assert not any('supervision' in one for one in merged.coco['images'])


def test_an_empty_image_was_reviewed(pseudo):
    pseudo['annotations'] = pseudo['annotations'][:-1]
    merged = merge_corrections(pseudo, corrected_of(pseudo, (3,)))
    assert merged.objects == [] and merged.complete == [3]
    assert merged.coco['images'][2]['supervision'] == 'masks'


def test_crowds_are_no_labels_to_correct(pseudo):
    pseudo['annotations'][0]['iscrowd'] = 1
    back = corrected_of(pseudo, (1,))
    back['annotations'] = back['annotations'][1:]
    merged = merge_corrections(pseudo, back)
    assert [one.annotation_id for one in merged.objects] == [12]
    assert 11 in by_id(merged.coco)


def test_twice(pseudo):
    """Mixed labels are corrected again; what people did before stays theirs."""
    back = corrected_of(pseudo, (1,))
    back['annotations'][0]['segmentation'] = polygon(6, 6)
    first = merge_corrections(pseudo, back).coco
    again = corrected_of(first, (3,))
    again['annotations'].append({**label(1, 1, polygon(40, 30), 1), 'is_new': True})
    second = merge_corrections(first, again).coco
    assert by_id(second)[11]['correction'] == 'changed'
    assert by_id(second)[32]['correction'] == 'added'
    levels = [one.get('supervision') for one in second['images']]
    assert levels == ['masks', None, 'masks']


def _no_images(back):
    back.update(images=[], annotations=[])


def _unknown_image(back):
    back['images'][0]['file_name'] = '1.jpg'


def _one_image_twice(back):
    back['images'][1]['file_name'] = '../to_correct/sub/1.jpg'
    back['annotations'] = []


def _other_size(back):
    back['images'][0]['width'] = 61
    back['annotations'] = []


def _unknown_id(back):
    back['annotations'][0]['id'] = 99


def _other_image(back):
    back['annotations'][0]['image_id'] = 2


def _unknown_class(back):
    back['categories'][1]['name'] = 'Bolt'


def _no_mask(back):
    back['annotations'][0].pop('segmentation')


def _points(back):
    back['images'][0].update(supervision='points', tags=[1])
    back['annotations'] = []


def _outside(back):
    back['annotations'][0]['segmentation'] = polygon(100, 100)


@pytest.mark.parametrize(
    ('spoil', 'text'),
    [
        (_no_images, 'back: it has no image'),
        (_unknown_image, r'1 of 2 images are not in labels:\n  1.jpg\n.*--img-dir'),
        (_one_image_twice, 'sub/1.jpg and ../to_correct/sub/1.jpg are both image id 1'),
        (_other_size, 'sub/1.jpg has 60x40 pixels in labels and 61x40 in back'),
        (_unknown_id, r'1 of 4 annotation ids match nothing in labels.*\[99\].*--keep'),
        (_other_image, 'id 11 is in sub/2.jpg, but in labels it is of image id 1'),
        (_unknown_class, "id 11 of image id 1: class 'Bolt' is none of labels"),
        (_no_mask, 'back: annotation id 11 of image id 1: it has no mask'),
        (_points, 'sub/1.jpg has labels of level points'),
        (_outside, 'id 11 of image id 1: its mask covers no pixel'),
    ],
)
def test_what_does_not_belong_together(pseudo, spoil, text):
    back = corrected_of(pseudo, (1, 2))
    spoil(back)
    with pytest.raises(ValueError, match=f'(?s){text}'):
        merge_corrections(pseudo, back, sources=('labels', 'back'))


def test_a_review_list_of_other_labels(pseudo):
    with pytest.raises(ValueError, match='no label of its images was reviewed'):
        merge_corrections(pseudo, corrected_of(pseudo, (1,)), reviewed=[31])


@pytest.fixture
def files(tmp_path, pseudo):
    back = corrected_of(pseudo, (1, 2))
    back['annotations'][0]['segmentation'] = polygon(6, 6)
    truth = document(
        [label(k, k // 10, rectangle(k - 5, 10), 1 + k // 20) for k in by_id(pseudo)]
    )
    for name, content in dict(pseudo=pseudo, back=back, truth=truth).items():
        (tmp_path / f'{name}.json').write_text(json.dumps(content))
    rows = [f'{i + 1},{key},x' for i, key in enumerate((31, 12, 22, 11, 21))]
    text = '\n'.join(['rank,annotation_id,class', *rows])
    (tmp_path / 'review.csv').write_text(text)
    return tmp_path


def test_files(files):
    out = files / 'out/mixed.json'
    summary = apply_corrections(files / 'pseudo.json', files / 'back.json', out)
    assert (summary['changed'], summary['unchanged'], summary['reviewed']) == (1, 3, 4)
    assert summary['minutes'] == pytest.approx(80 / 60, abs=0.01)
    assert summary['per_class']['bolt']['changed'] == 1
    told = json.loads(summary_path(out).read_text())
    assert told['objects'][0]['action'] == 'changed'
    made = json.loads(out.read_text())['info']['mmwsis']
    assert made['method'] == 'EXITS'  # of the labels that it was made from
    assert made['corrections']['corrected'] == 'back.json'
    assert made['corrections']['changed'] == 1
    assert not validate_file(str(out)).failed(strict=False)
    assert len(load_coco(str(out), 'masks')['annotations']) == 5
    with pytest.raises(FileExistsError, match='--overwrite'):
        apply_corrections(files / 'pseudo.json', files / 'back.json', out)
    again = apply_corrections(
        *(files / 'pseudo.json', files / 'back.json', out),
        CorrectionSettings(seconds=30),
        RunOptions(overwrite=True),
    )
    assert again['minutes'] == 0.5


def test_labels_that_were_imported_without_ids(files):
    back = json.loads((files / 'back.json').read_text())
    del back['info']['mmwsis']['ids_kept']
    (files / 'back.json').write_text(json.dumps(back))
    with pytest.raises(ValueError, match='import it again with --keep-ids'):
        apply_corrections(files / 'pseudo.json', files / 'back.json', files / 'm.json')
    assert (
        not (files / 'm.json').exists() and not summary_path(files / 'm.json').exists()
    )


def test_simulated_worst_first(files):
    settings = CorrectionSettings(review=files / 'review.csv', count=2)
    out = files / 'mixed.json'
    sources = files / 'pseudo.json', files / 'truth.json'
    summary = simulate_file(*sources, out, settings)
    assert summary['masks_drawn'] == 2 and summary['minutes'] == pytest.approx(2.67)
    mixed = by_id(json.loads(out.read_text()))
    assert [k for k, one in mixed.items() if 'correction' in one] == [12, 31]
    assert (mask_of(mixed[31]) == mask_of(dict(segmentation=rectangle(26, 10)))).all()
    images = json.loads(out.read_text())['images']
    # The only label of image 3 was drawn; of image 1 another one is left.
    assert [one.get('supervision') for one in images] == [None, None, 'masks']
    made = json.loads(out.read_text())['info']['mmwsis']['corrections']
    assert made['simulated'] == dict(order='worst', seed=0)
    # All of them are the ground truth.
    everything = CorrectionSettings(review=files / 'review.csv')
    simulate_file(*sources, files / 'all.json', everything)
    truth = by_id(json.loads((files / 'truth.json').read_text()))
    for key, one in by_id(json.loads((files / 'all.json').read_text())).items():
        assert (mask_of(one) == mask_of(truth[key])).all()


def test_random_order_is_nested(pseudo):
    order = order_labels(pseudo, 'labels', 'random', seed=1)
    assert sorted(order) == [11, 12, 21, 22, 31]
    assert order != order_labels(pseudo, 'labels', 'random', seed=2)
    fewer = dict(pseudo, annotations=pseudo['annotations'][1:])
    left = order_labels(fewer, 'labels', 'random', seed=1)
    assert left == [key for key in order if key != 11]
    assert order_labels(pseudo, 'labels') == [22, 12, 21, 31, 11]  # by score


def test_simulated_labels_that_were_found(pseudo):
    """Each becomes the object that it overlaps most; others are deleted."""
    from mmwsis.dataset_converters.simulated_corrections import simulate_corrections

    pseudo['info']['mmwsis']['artifact'] = dict(type='instances')
    truth = document(
        [
            label(501, 1, rectangle(6, 5), 2),
            label(502, 1, rectangle(50, 30)),
            label(503, 2, rectangle(30, 20)),
        ]
    )
    back = simulate_corrections(pseudo, truth, [11, 12, 22])
    assert [(one['id'], one['category_id']) for one in back['annotations']] == [
        (11, 2),
        (22, 1),
    ]
    merged = merge_corrections(pseudo, back, [11, 12, 22])
    actions = {one.annotation_id: one.action for one in merged.objects}
    assert actions == {11: 'changed', 12: 'deleted', 22: 'changed'}


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('rank,id\n1,11\n', "no column 'annotation_id'"),
        ('rank,annotation_id\n', 'lists no label'),
        ('rank,annotation_id\n1,99\n', "line 2: annotation id '99' is not in"),
        ('rank,annotation_id\n1,11\n2,11\n', 'id 11 is listed twice'),
        ('rank,annotation_id\nfirst,11\n', "review.csv: line 2: rank 'first'"),
    ],
)
def test_broken_review_lists(files, text, message):
    (files / 'review.csv').write_text(text)
    settings = CorrectionSettings(review=files / 'review.csv')
    with pytest.raises(ValueError, match=message):
        simulate_file(
            *(files / 'pseudo.json', files / 'truth.json', files / 'm.json'), settings
        )
    assert not (files / 'm.json').exists()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(count=6), 'has 5 labels to review, asked for are the 6 worst'),
        (dict(count=0), 'asked for are the 0 worst'),
        (dict(same_iou=0), r'same_iou must be in \(0, 1\]'),
        (dict(seconds=-1), 'seconds must be 0 or more'),
        (dict(order='best'), 'order must be one of'),
    ],
)
def test_wrong_settings(files, settings, message):
    with pytest.raises(ValueError, match=message):
        simulate_file(
            *(files / 'pseudo.json', files / 'truth.json', files / 'm.json'),
            CorrectionSettings(**settings),
        )


def test_simulation_needs_the_same_objects(files):
    truth = json.loads((files / 'truth.json').read_text())
    out = files / 'm.json'
    for spoil, message in (
        (lambda one: one.update(id=77), 'annotation id 11 of image id 1 is no object'),
        (lambda one: one.update(image_id=2), 'annotation id 11 of image id 1 is no'),
    ):
        spoiled = copy.deepcopy(truth)
        spoil(spoiled['annotations'][0])
        (files / 'truth.json').write_text(json.dumps(spoiled))
        with pytest.raises(ValueError, match=message):
            simulate_file(files / 'pseudo.json', files / 'truth.json', out)
    truth['images'][0]['file_name'] = 'other.jpg'
    (files / 'truth.json').write_text(json.dumps(truth))
    with pytest.raises(ValueError, match=r"no image id 1 with the file name '1.jpg'"):
        simulate_file(files / 'pseudo.json', files / 'truth.json', out)
    pseudo = json.loads((files / 'pseudo.json').read_text())
    for one in pseudo['annotations']:
        one.pop('score')
    (files / 'pseudo.json').write_text(json.dumps(pseudo))
    with pytest.raises(ValueError, match='no score to order them by'):
        simulate_file(files / 'pseudo.json', files / 'truth.json', out)
    assert not out.exists()


def tool():
    path = TOOLS / 'apply_corrections.py'
    spec = importlib.util.spec_from_file_location('apply_corrections_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_command_line(files, monkeypatch, capsys):
    monkeypatch.chdir(files)
    main = tool().main
    main(['pseudo.json', 'back.json', '--out', 'mixed.json'])
    said = capsys.readouterr().out
    assert '| all | 4 | 3 | 1 | 0 | 0 | 0 |' in said
    assert '1 masks drawn' in said and 'mixed.corrections.json' in said
    assert 'minutes are of masks that were changed or added' in said
    main([
        *('pseudo.json', '--simulate', 'truth.json', '--out', 'random.json'),
        *('--order', 'random', '--worst', '3', '--seconds-per-mask', '60'),
    ])  # fmt: skip
    said = capsys.readouterr().out
    assert '3 masks drawn: 3 minutes at 60 s each' in said
    assert 'minutes are of every mask that was reviewed and kept, drawn anew' in said


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        ([], 'either CORRECTED or --simulate'),
        (['b.json', '--simulate', 'c.json'], 'either CORRECTED or --simulate'),
        (['b.json', '--order', 'random'], '--order is for --simulate'),
        (['b.json', '--worst', '3'], '--worst needs the --review list'),
    ],
)
def test_options_that_do_not_go_together(words, message, capsys):
    with pytest.raises(SystemExit):
        tool().parse_args(['a.json', *words, '--out', 'm.json'])
    assert message in capsys.readouterr().err


@pytest.fixture
def weak(pseudo):
    made = dict(tool='coco2weak', coordinates='continuous')
    coco = document([], supervision='extreme_points', **made)
    for image, tags in zip(coco['images'], ([1], [2], [1, 2])):
        image['tags'] = tags
    for one in pseudo['annotations']:
        x, y, w, h = one['bbox']
        points = [[x + w / 2, y], [x, y + h / 2], [x + w / 2, y + h], [x + w, y + 1]]
        kept = {k: one[k] for k in ('id', 'image_id', 'category_id', 'iscrowd')}
        coco['annotations'].append({**kept, 'extreme_points': points})
    return coco


def test_the_labeler_gets_the_corrections(files, weak):
    back = json.loads((files / 'back.json').read_text())
    found = by_id(back)
    new = {**label(1, 2, polygon(40, 30), 1), 'is_new': True}
    back['annotations'] = [found[11], found[12], found[21], new]  # 22 was deleted
    (files / 'back.json').write_text(json.dumps(back))
    rows = ['rank,annotation_id', '1,11', '2,12', '3,22']
    (files / 'review.csv').write_text('\n'.join(rows))  # 21 was not looked at
    (files / 'clicks.json').write_text(json.dumps(weak))
    settings = CorrectionSettings(
        review=files / 'review.csv',
        weak=files / 'clicks.json',
        weak_out=files / 'corrected.json',
    )
    apply_corrections(
        *(files / 'pseudo.json', files / 'back.json', files / 'mixed.json'), settings
    )
    coco = json.loads((files / 'corrected.json').read_text())
    assert not validate_file(str(files / 'corrected.json')).failed(strict=False)
    levels = [one['supervision'] for one in coco['images']]
    assert levels == ['masks', 'extreme_points', 'extreme_points']
    assert [one['tags'] for one in coco['images']] == [[1], [2], [1, 2]]
    own, before = by_id(coco), by_id(weak)
    assert list(own) == [11, 12, 21, 32, 31]
    # Clicks that a person has seen stay, those of a changed mask follow from it.
    assert own[12]['extreme_points'] == before[12]['extreme_points']
    assert own[12]['segmentation'] and own[12]['point']
    assert own[11]['bbox'] == [6, 6, 10, 8]
    assert own[11]['extreme_points'] != before[11]['extreme_points']
    for key in (21, 31):
        assert own[key]['extreme_points'] == before[key]['extreme_points']
    assert 'segmentation' not in own[32] and own[32]['bbox'] == [40, 30, 10, 8]
    # A labeler reads its own level of all of them.
    for level in ('boxes', 'extreme_points', 'masks'):
        read = by_id(load_coco(str(files / 'corrected.json'), level))
        assert ('segmentation' in read[11]) == (level == 'masks')
        assert ('extreme_points' in read[11]) == (level in ('extreme_points', 'masks'))


def test_a_labeler_of_tags_gets_other_tags(files, pseudo):
    tags = document([], tool='coco2weak', supervision='image_tags')
    for image, own in zip(tags['images'], ([1], [2], [1, 2])):
        image['tags'] = own
    (files / 'tags.json').write_text(json.dumps(tags))
    back = json.loads((files / 'back.json').read_text())
    back['annotations'][0]['category_id'] = 1  # another class: red nut
    (files / 'back.json').write_text(json.dumps(back))
    settings = CorrectionSettings(
        weak=files / 'tags.json', weak_out=files / 'corrected.json'
    )
    apply_corrections(
        *(files / 'pseudo.json', files / 'back.json', files / 'mixed.json'), settings
    )
    read = load_coco(str(files / 'corrected.json'), 'image_tags')
    assert [one['tags'] for one in read['images']] == [[1, 2], [2], [1, 2]]
    assert read['annotations'] == []


def test_weak_labels_of_other_images(files, weak):
    weak['images'] = weak['images'][1:]
    weak['annotations'] = weak['annotations'][2:]
    (files / 'clicks.json').write_text(json.dumps(weak))
    settings = CorrectionSettings(
        weak=files / 'clicks.json', weak_out=files / 'corrected.json'
    )
    with pytest.raises(ValueError, match='clicks.json lacks image id 1, whose labels'):
        apply_corrections(
            *(files / 'pseudo.json', files / 'back.json', files / 'm.json'), settings
        )
    assert not (files / 'm.json').exists()
    with pytest.raises(ValueError, match='go together'):
        CorrectionSettings(weak='clicks.json')
    with pytest.raises(ValueError, match='need a name of their own'):
        own = CorrectionSettings(weak=files / 'clicks.json', weak_out=files / 'm.json')
        apply_corrections(
            *(files / 'pseudo.json', files / 'back.json', files / 'm.json'), own
        )


def test_corrections_go_into_labels_of_a_better_labeler(files, pseudo):
    back = json.loads((files / 'back.json').read_text())
    back['annotations'] = back['annotations'][:-1]  # 22 was deleted
    back['annotations'].append({**label(1, 2, polygon(40, 30), 1), 'is_new': True})
    (files / 'back.json').write_text(json.dumps(back))
    mixed, last = files / 'mixed.json', files / 'last.json'
    apply_corrections(files / 'pseudo.json', files / 'back.json', mixed)
    for one in pseudo['annotations']:
        one.update(segmentation=rectangle(20, 25), bbox=[20, 25, 10, 8])
    (files / 'better.json').write_text(json.dumps(pseudo))
    apply_corrections(files / 'better.json', mixed, last)
    first, second = (by_id(json.loads(file.read_text())) for file in (mixed, last))
    assert list(second) == [11, 12, 21, 31, 32]
    for key in (11, 12, 21, 32):
        assert (mask_of(first[key]) == mask_of(second[key])).all()
    assert (mask_of(second[31]) == mask_of(dict(segmentation=rectangle(20, 25)))).all()
    levels = [one.get('supervision') for one in json.loads(last.read_text())['images']]
    assert levels == ['masks', 'masks', None]
