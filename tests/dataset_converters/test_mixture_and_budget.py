"""Semi-supervised mixes and fixed budgets."""

import importlib.util
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.dataset_converters.budget import (
    VOC_COSTS,
    Cost,
    affordable,
    dataset_costs,
    parse_cost,
    read_costs,
    sample_budget,
)
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.mixture import (
    Share,
    assign_levels,
    mix_file,
    parse_amount,
    rank_images,
    summarize_levels,
)
from mmwsis.datasets.coco_weak import CocoWeakDataset
from mmwsis.formats.coco_file import load_coco
from mmwsis.structures.supervision import Supervision, restrict_coco

TOOLS = Path(__file__).parents[2] / 'tools/dataset_converters'
MASKS, POINTS, BOXES = Supervision.MASKS, Supervision.POINTS, Supervision.BOXES
STRONGER = {
    'masks': (),
    'extreme_points': ('segmentation',),
    'boxes': ('segmentation', 'extreme_points'),
    'points': ('segmentation', 'extreme_points', 'bbox', 'area'),
}


def _rectangle(x, y):
    """RLE of 20 x 15 pixels."""
    start = 60 * x + y
    counts = [start, *[15, 45] * 19, 15, 5400 - start - 60 * 19 - 15]
    return {'size': [60, 90], 'counts': counts}


@pytest.fixture
def source(tmp_path):
    """40 images, two objects each but for every eighth, which has a crowd more."""
    rng = random.Random(0)
    annotations = []
    for image_id in range(1, 41):
        for k in range(2 + (image_id % 8 == 0)):
            x, y = rng.randint(0, 60), rng.randint(0, 40)
            annotations.append(
                dict(
                    id=100 * image_id + k,
                    image_id=image_id,
                    category_id=3 if k else 7,
                    iscrowd=int(k == 2),
                    bbox=[x, y, 20, 15],
                    area=301.5,
                    segmentation=[[x, y, x + 20, y, x + 20, y + 15, x, y + 15]]
                    if k < 2
                    else _rectangle(x, y),
                    score=0.25,
                )
            )
    coco = dict(
        info=dict(description='forty', secret='mean mask area 301.5'),
        images=[
            dict(id=k, file_name=f'{k}.jpg', width=90, height=60, mask_area=5)
            for k in range(1, 41)
        ],
        categories=[
            dict(id=3, name='cat'), dict(id=7, name='dog'), dict(id=9, name='emu')
        ],
        annotations=annotations,
    )  # fmt: skip
    path = tmp_path / 'instances_train.json'
    path.write_text(json.dumps(coco))
    return path


def mix(source, name, *shares, **options):
    return mix_file(
        source, source.parent / name, [Share(*s) for s in shares], **options
    )


def ids_at(mixture, level):
    return {
        im['id'] for im in mixture['images'] if im['supervision'] == level.label
    }  # fmt: skip


def test_every_image_holds_its_level_and_nothing_stronger(source):
    mixture = mix(
        source, 'mix.json', (MASKS, 0.25), (Supervision.EXTREME_POINTS, 0.25),
        (BOXES, 8), (POINTS, 8), (Supervision.IMAGE_TAGS, None),
    )  # fmt: skip
    assert [len(ids_at(mixture, level)) for level in Supervision] == [4, 8, 8, 10, 10]
    level_of = {im['id']: im['supervision'] for im in mixture['images']}
    assert [im['id'] for im in mixture['images']] == list(range(1, 41))
    for annotation in mixture['annotations']:
        level = level_of[annotation['image_id']]
        assert level != 'image_tags'
        # A crowd region has no point and no extreme points, at most its box.
        if not annotation['iscrowd']:
            key = {'masks': 'segmentation', 'boxes': 'bbox', 'points': 'point'}
            assert key.get(level, level) in annotation
        assert not set(annotation) & set(STRONGER[level])
        assert ('score' in annotation) == (level == 'masks')
    for image in mixture['images']:
        assert image['tags'] == [3, 7]
        assert ('mask_area' in image) == (image['supervision'] == 'masks')
    assert 'secret' not in json.dumps(mixture)
    # What the guard would take away is not there: reading changes nothing.
    assert restrict_coco(mixture, MASKS) == mixture
    path = source.parent / 'mix.json'
    assert load_coco(str(path), 'masks')['annotations'] == mixture['annotations']


def test_a_dataset_reads_the_mix(source):
    mix(source, 'mix.json', (MASKS, 10), (BOXES, None))
    dataset = CocoWeakDataset(
        ann_file=str(source.parent / 'mix.json'),
        metainfo=dict(classes=('cat', 'dog')),
        data_prefix=dict(img=''),
        supervision='masks',
        pipeline=[],
        filter_cfg=None,
    )
    has_mask = {'masks': True, 'boxes': False}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        things = [one for one in info['instances'] if not one['ignore_flag']]
        assert len(things) == 2
        assert all(('mask' in t) == has_mask[info['supervision']] for t in things)


def test_smaller_shares_are_part_of_larger_ones_and_seeds_differ(source):
    draws = [
        ids_at(mix(source, f'{share}.json', (MASKS, share), (POINTS, None)), MASKS)
        for share in (0.05, 0.1, 0.5, 1.0)
    ]
    assert [len(draw) for draw in draws] == [2, 4, 20, 40]
    assert draws[0] < draws[1] < draws[2] < draws[3]
    other = mix(source, 'other.json', (MASKS, 0.5), (POINTS, None), seed=1)
    assert ids_at(other, MASKS) != draws[2]


def test_the_draw_does_not_depend_on_order_or_processes(source):
    first = mix(source, 'a.json', (MASKS, 0.3), (POINTS, 0.3))
    assert first['info']['mmwsis']['images_left_out'] == 16
    mix(source, 'b.json', (MASKS, 0.3), (POINTS, 0.3), run=RunOptions(workers=2))
    assert (source.parent / 'a.json').read_bytes() == (
        source.parent / 'b.json'
    ).read_bytes()
    coco = json.loads(source.read_text())
    coco['images'].reverse()
    source.write_text(json.dumps(coco))
    again = mix(source, 'c.json', (MASKS, 0.3), (POINTS, 0.3))
    assert ids_at(again, MASKS) == ids_at(first, MASKS)
    assert ids_at(again, POINTS) == ids_at(first, POINTS)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 300),
    st.lists(st.integers(0, 20), min_size=1, max_size=5),
    st.integers(0, 5),
)
def test_shares_that_add_up_to_one_use_every_image_once(count, weights, seed):
    weights[0] += 1
    levels = list(Supervision)[: len(weights)]
    shares = [Share(level, w / sum(weights)) for level, w in zip(levels, weights)]
    ranked = rank_images(range(count), seed)
    assert sorted(ranked) == list(range(count))
    dealt = assign_levels(ranked, shares)
    assert len(dealt) == count
    for share in shares:
        number = sum(level is share.level for level in dealt.values())
        assert abs(number - share.amount * count) < 1 + 1e-6


def test_amounts():
    assert [parse_amount(t) for t in ('0.1', '10%', '500', 'rest', '1', '1.0')] == [
        0.1, 0.1, 500, None, 1, 1.0
    ]  # fmt: skip
    assert isinstance(parse_amount('1'), int)
    for text in ('-1', '1.5', '120%', 'all', '', 'nan', '%'):
        with pytest.raises(ValueError, match='expected a share'):
            parse_amount(text)


def test_impossible_deals_are_refused(source):
    ids = list(range(10))
    for shares, message in (
        ([], 'given none'),
        ([Share(MASKS, 0.1), Share(MASKS, 3)], 'one share'),
        ([Share(MASKS, None), Share(BOXES, None)], 'only one level'),
        ([Share(MASKS, 8), Share(BOXES, 0.3)], 'masks 8, boxes 30%.* more .*10'),
        ([Share(MASKS, 11), Share(BOXES, None)], 'more images than the file has: 10'),
    ):
        with pytest.raises(ValueError, match=message):
            assign_levels(ids, shares)
    coco = json.loads(source.read_text())
    coco['images'][4]['supervision'] = 'points'
    source.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match="image id 5 has supervision 'points'"):
        mix(source, 'x.json', (BOXES, None))
    assert not (source.parent / 'x.json').exists()
    mix(source, 'y.json', (POINTS, None))


def test_broken_annotations_are_named_or_left_out(source):
    coco = json.loads(source.read_text())
    coco['annotations'][0]['segmentation'] = []
    source.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match='annotation id 100'):
        mix(source, 'x.json', (POINTS, None))
    mixture = mix(source, 'x.json', (POINTS, None), run=RunOptions(skip_invalid=True))
    assert 100 not in {ann['id'] for ann in mixture['annotations']}


def run_tool(name, *arguments):
    spec = importlib.util.spec_from_file_location(f'{name}_tool', TOOLS / f'{name}.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main([str(argument) for argument in arguments])


def test_the_mix_tool(source, capsys):
    out = source.parent / 'mixed.json'
    command = [source, '--masks', '10%', '--image-tags', 'rest', '--out', out]
    run_tool('mix_supervision', *command, '--workers', 1)
    text = capsys.readouterr().out
    assert '40 images, 0 left out' in text
    assert 'shows no object of 1 classes: emu' in text
    rows = summarize_levels(json.loads(out.read_text()))
    assert [(k, r['images']) for k, r in rows.items()] == [
        ('masks', 4), ('image_tags', 36)
    ]  # fmt: skip
    with pytest.raises(SystemExit, match='--overwrite'):
        run_tool('mix_supervision', *command)
    with pytest.raises(SystemExit):
        run_tool('mix_supervision', source, '--masks', '2.5', '--out', out)
    assert 'expected a share' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        run_tool('mix_supervision', source, '--out', out)
    assert 'at least one level' in capsys.readouterr().err


def test_the_paper_s_numbers(tmp_path):
    """WISE, Table 2: 29,280 seconds, on a file of as many images as VOC's train."""
    budget = 20.0 * 1464
    ranked = rank_images(range(1464), 0)
    objects = dict.fromkeys(ranked, 3)
    costs = {**VOC_COSTS, 'one click per object': Cost(23.3)}
    numbers = {
        level: len(affordable(ranked, objects, cost, budget)[0])
        for level, cost in costs.items()
    }
    published = {'image_tags': 1464, 'points': 1325, 'masks': 122}
    # The others follow from Bearman et al.'s costs by the same rule, round(budget / t).
    rounded = {'boxes': 769, 'extreme_points': 769}
    assert numbers == {**published, **rounded, 'one click per object': 1257}
    images = [
        dict(id=k, file_name=f'{k}.jpg', width=8, height=8) for k in range(1, 1465)
    ]
    square = dict(category_id=1, iscrowd=0, bbox=[1, 1, 4, 4], area=16)
    square['segmentation'] = [[1, 1, 5, 1, 5, 5, 1, 5]]
    annotations = [dict(square, id=k, image_id=k) for k in range(1, 1465)]
    file = tmp_path / 'instances_train.json'
    file.write_text(
        json.dumps(
            dict(
                images=images,
                annotations=annotations,
                categories=[dict(id=1, name='a')],
            )
        )
    )
    levels = {level: VOC_COSTS[level] for level in published}
    rows = sample_budget(file, tmp_path / 'budget', budget, levels)
    assert {row.level: len(row.image_ids) for row in rows} == published
    for row in rows:
        assert abs(row.seconds - budget) <= row.cost.image / 2
        document = json.loads((tmp_path / 'budget' / row.file).read_text())
        assert len(document['images']) == published[row.level]
        assert len(set(row.image_ids)) == len(row.image_ids)
    by_level = {row.level: set(row.image_ids) for row in rows}
    assert by_level['masks'] < by_level['points'] < by_level['image_tags']


def test_objects_cost_too():
    objects = {1: 2, 2: 0, 3: 5}
    taken, spent = affordable([1, 2, 3], objects, Cost(1, 10), 22)
    assert (taken, spent) == ([1, 2], 22)
    # 51 seconds are left of image 3 after half of it has been paid.
    assert affordable([1, 2, 3], objects, Cost(1, 10), 22 + 25.5)[0] == [1, 2, 3]


def test_each_level_gets_what_it_affords(source):
    out = source.parent / 'budget'
    costs = dict(image_tags=Cost(20), points=Cost(40), masks=Cost(10, 45))
    rows = sample_budget(source, out, 600, costs)
    by_level = {row.level: row for row in rows}
    assert {k: len(r.image_ids) for k, r in by_level.items()} == dict(
        image_tags=30, points=15, masks=6
    )
    assert set(by_level['masks'].image_ids) < set(by_level['points'].image_ids)
    assert by_level['masks'].seconds == 600  # crowd regions cost nothing
    assert sorted(p.name for p in out.iterdir()) == [
        'budget.json', 'budget.md', 'image_tags_train.json', 'masks_train.json',
        'points_train.json',
    ]  # fmt: skip
    points = load_coco(str(out / 'points_train.json'), 'masks')
    assert {im['id'] for im in points['images']} == set(by_level['points'].image_ids)
    assert all('bbox' not in ann for ann in points['annotations'])
    assert points['info']['mmwsis']['supervision'] == 'points'
    table = json.loads((out / 'budget.json').read_text())
    entry = next(row for row in table['levels'] if row['level'] == 'masks')
    assert entry['image_ids'] == by_level['masks'].image_ids
    assert (
        '| masks | 10+45 | 6 | 12 | 0.17 | masks_train.json |'
        in (out / 'budget.md').read_text()
    )


def test_clicks_of_people_take_the_place_of_derived_points(source, capsys):
    folder = source.parent
    run_tool('coco2weak', source, '--level', 'points', '--out', folder / 'clicks.json')
    clicks = json.loads((folder / 'clicks.json').read_text())
    points = {}
    for one in clicks['annotations']:
        if 'point' in one:  # crowds have none
            one['point'] = points[one['id']] = [one['point'][0] + 0.25, one['point'][1]]
    (folder / 'clicks.json').write_text(json.dumps(clicks))
    command = [source, '--hours', 0.25, '--levels', 'points', 'masks', '--workers', 1]
    given = ['--labels', f'points={folder / "clicks.json"}']
    run_tool('annotation_budget', *command, '--out-dir', folder / 'own', *given)
    run_tool('annotation_budget', *command, '--out-dir', folder / 'derived')
    own, derived = (
        load_coco(str(folder / name / 'points_train.json'), 'points')
        for name in ('own', 'derived')
    )
    assert own['info']['mmwsis']['source'].endswith('clicks.json')
    assert [im['id'] for im in own['images']] == [im['id'] for im in derived['images']]
    found = {one['id']: one['point'] for one in own['annotations'] if 'point' in one}
    assert found and found.items() <= points.items()
    first = (folder / 'own/masks_train.json').read_text()
    assert json.loads(first)['annotations']
    dropped = own['images'][0]['id']
    clicks['images'] = [im for im in clicks['images'] if im['id'] != dropped]
    clicks['annotations'] = [
        one for one in clicks['annotations'] if one['image_id'] != dropped
    ]
    (folder / 'clicks.json').write_text(json.dumps(clicks))
    with pytest.raises(SystemExit, match=f'lacks 1 of the .* first image id {dropped}'):
        run_tool('annotation_budget', *command, '--out-dir', folder / 'not', *given)
    assert not (folder / 'not').exists()
    with pytest.raises(SystemExit, match='is written LEVEL=FILE'):
        run_tool(
            'annotation_budget', *command, '--out-dir', 'not', '--labels', 'clicks'
        )


def test_a_dataset_may_end_before_the_money(source):
    rows = sample_budget(source, source.parent / 'b', 1e6, dict(boxes=Cost(38.1)))
    assert rows[0].is_capped
    assert len(rows[0].image_ids) == 40
    with pytest.raises(ValueError, match='do not buy one image of level masks'):
        sample_budget(source, source.parent / 'c', 100, dict(masks=Cost(239.7)))
    assert not (source.parent / 'c').exists()


def test_costs_of_a_dataset_like_voc_are_those_of_voc():
    # 1.5 classes and 2.8 objects per image.
    images = [dict(id=i) for i in range(10)]
    annotations = [dict(image_id=i % 10, category_id=i // 10) for i in range(15)] + [
        dict(image_id=0, category_id=0)
    ] * 13
    annotations.append(dict(image_id=0, category_id=9, iscrowd=1))
    coco = dict(images=images, annotations=annotations)
    per_image = {
        level: cost.image + 2.8 * cost.obj
        for level, cost in dataset_costs(coco, 20).items()
    }
    assert per_image.pop('points') == pytest.approx(23.3, abs=0.05)
    assert per_image == pytest.approx(
        {level: VOC_COSTS[level].image for level in per_image}
    )


def test_costs_come_from_options_and_files(tmp_path):
    assert parse_cost('points=23.3') == ('points', Cost(23.3))
    assert parse_cost('masks=18.5+79') == ('masks', Cost(18.5, 79))
    for text in ('points', 'points=', 'points=a', 'points=1+2+3'):
        with pytest.raises(ValueError, match='LEVEL=SECONDS'):
            parse_cost(text)
    with pytest.raises(ValueError, match="got 'scribbles'"):
        parse_cost('scribbles=3')
    with pytest.raises(ValueError, match='must not be negative'):
        parse_cost('points=-3')
    path = tmp_path / 'costs.json'
    path.write_text('{"boxes": 7, "masks": {"image": 18.5, "object": 79}}')
    assert read_costs(path) == dict(boxes=Cost(7), masks=Cost(18.5, 79))
    for text, message in (
        ('{"boxes": "7"}', 'boxes: expected seconds'),
        ('{"boxes": {"object": 3, "class": 1}}', 'boxes: expected seconds'),
        ('[]', 'expected an object'),
        ('{', 'valid JSON'),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as caught:
            read_costs(path)
        assert 'costs.json' in str(caught.value)


def test_the_budget_tool(source, capsys):
    out = source.parent / 'drawn'
    command = [source, '--hours', 0.25, '--out-dir', out, '--workers', 1]
    command += ['--levels', 'points', 'masks', '--cost', 'points=23.3']
    run_tool('annotation_budget', *command)
    text = capsys.readouterr().out
    assert '| points | 23.3 | 39 | 78 | 0.25 | points_train.json |' in text
    assert '| masks | 239.7 | 4 |' in text
    with pytest.raises(SystemExit, match='--overwrite'):
        run_tool('annotation_budget', *command)
