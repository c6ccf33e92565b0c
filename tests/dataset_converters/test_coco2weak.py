import copy
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mmwsis.dataset_converters.annotation_pass import WeakLabelError
from mmwsis.dataset_converters.coco2weak import (
    convert_file,
    derive_weak_coco,
    output_name,
)
from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.weak_labels import WeakProtocol
from mmwsis.formats.coco_masks import encode_mask
from mmwsis.ops.extreme_points import (
    extreme_points_from_mask,
    extreme_points_from_polygons,
)
from mmwsis.structures.extreme_points import points_of_pixels
from mmwsis.structures.supervision import Supervision

LEVELS = [level for level in Supervision if level < Supervision.MASKS]
TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/coco2weak.py'
POLYGON = [10.5, 5.2, 30.7, 5.9, 28.1, 22.4, 12.3, 21.8]


def ring():
    y, x = np.mgrid[:40, :50]
    radius = (y - 20) ** 2 + (x - 30) ** 2
    return (radius <= 15**2) & (radius >= 9**2)


@pytest.fixture
def coco():
    mask = ring()
    crowd = np.zeros((40, 50), dtype=bool)
    crowd[:4] = True
    flat = np.zeros((40, 50), dtype=int)
    flat[30:36, 3:9] = 1
    edges = np.flatnonzero(np.diff(flat.ravel(order='F'), prepend=0)).tolist()
    runs = np.diff([0, *edges, flat.size]).tolist()
    ids = dict(image_id=7)
    return {
        'info': {'description': 'test', 'secret': [1, 2, 3]},
        'images': [
            dict(id=7, file_name='7.png', height=40, width=50, mean_area=99),
            dict(id=8, file_name='8.png', height=40, width=50),
        ],
        'categories': [dict(id=3, name='cat'), dict(id=9, name='ring')],
        'annotations': [
            dict(
                id=11, category_id=3, bbox=[10.5, 5.2, 20.2, 17.2], area=333.25,
                segmentation=[POLYGON], iscrowd=0, attributes={'mask': 1}, **ids,
            ),
            dict(
                id=12, category_id=9, bbox=[15, 5, 31, 31], area=int(mask.sum()),
                segmentation=encode_mask(mask), score=0.5, **ids,
            ),
            dict(
                id=13, category_id=3, bbox=[0, 0, 50, 4], area=200, iscrowd=1,
                segmentation=encode_mask(crowd), **ids,
            ),
            dict(
                id=14, category_id=3, area=36, iscrowd=0,
                segmentation={'size': [40, 50], 'counts': runs}, **ids,
            ),
        ],
    }  # fmt: skip


def test_each_level_holds_its_own_labels_and_nothing_stronger(coco):
    original = copy.deepcopy(coco)
    weak = derive_weak_coco(coco, LEVELS)
    assert coco == original
    ids = {'id', 'image_id', 'category_id', 'iscrowd'}
    labels = {
        Supervision.POINTS: {'point'},
        Supervision.BOXES: {'bbox', 'area'},
        Supervision.EXTREME_POINTS: {'extreme_points', 'bbox', 'area'},
    }
    for level, keys in labels.items():
        things = [a for a in weak[level]['annotations'] if not a['iscrowd']]
        assert [a['id'] for a in things] == [11, 12, 14]
        assert all(set(a) == ids | keys for a in things)
    assert not weak[Supervision.IMAGE_TAGS].get('annotations')
    for document in weak.values():
        text = json.dumps(document)
        for hidden in ('segmentation', 'secret', 'mean_area', 'score', '333.25'):
            assert hidden not in text
        assert document['images'][0]['tags'] == [3, 9]
        assert document['images'][1]['tags'] == []


def test_labels_follow_the_protocols(coco):
    weak = derive_weak_coco(coco, LEVELS)
    points = {a['id']: a.get('point') for a in weak[Supervision.POINTS]['annotations']}
    x, y = points[12]
    assert ring()[y, x]
    assert points[13] is None
    boxes = {a['id']: a for a in weak[Supervision.BOXES]['annotations']}
    assert boxes[11]['bbox'] == [10.5, 5.2, 20.2, 17.2]
    assert boxes[14]['bbox'] == [3, 30, 6, 6]  # it had none: taken from the mask
    extreme = {a['id']: a for a in weak[Supervision.EXTREME_POINTS]['annotations']}
    walk = [[10.5, 5.2], [10.5, 5.2], [12.3, 22.4], [30.7, 5.9]]
    np.testing.assert_allclose(extreme[11]['extreme_points'][0], walk[0])
    (_, top), (left, _), (_, bottom), (right, _) = extreme[11]['extreme_points']
    assert [left, top, right, bottom] == [10.5, 5.2, 30.7, 22.4]
    assert extreme[11]['bbox'] == [left, top, right - left, bottom - top]
    assert extreme[11]['area'] == (right - left) * (bottom - top)
    pixels = extreme_points_from_mask(ring()).tolist()
    assert extreme[12]['extreme_points'] == points_of_pixels(pixels)
    assert extreme[12]['bbox'] == boxes[12]['bbox'] == [15, 5, 31, 31]


def test_pixel_indices_are_an_option(coco):
    level = Supervision.EXTREME_POINTS
    protocol = WeakProtocol(coordinates='pixel-index')
    weak = derive_weak_coco(coco, [level], protocol)[level]
    assert weak['info']['mmwsis']['coordinates'] == 'pixel-index'
    extreme = {a['id']: a for a in weak['annotations']}
    walk = extreme_points_from_polygons([POLYGON]).tolist()
    assert extreme[11]['extreme_points'] == walk
    assert extreme[12]['extreme_points'] == extreme_points_from_mask(ring()).tolist()
    coco['annotations'] = coco['annotations'][:1]
    coco['annotations'][0].update(
        segmentation=[[40, 30, 50, 30, 50, 40, 40, 40]], bbox=[40, 30, 10, 10]
    )
    weak = derive_weak_coco(coco, [level], protocol)[level]['annotations'][0]
    assert weak['extreme_points'][3] == [49, 35]  # 50 is the far edge of column 49


def test_crowd_regions_keep_a_box_and_no_point(coco):
    weak = derive_weak_coco(coco, LEVELS)
    for level in (Supervision.BOXES, Supervision.EXTREME_POINTS):
        crowd = next(a for a in weak[level]['annotations'] if a['id'] == 13)
        assert crowd['bbox'] == [0, 0, 50, 4]
        assert crowd['iscrowd'] == 1
        assert 'extreme_points' not in crowd
    crowd = next(a for a in weak[Supervision.POINTS]['annotations'] if a['id'] == 13)
    assert set(crowd) == {'id', 'image_id', 'category_id', 'iscrowd'}


def test_modes(coco):
    protocol = WeakProtocol('centre', 'rowmajor', 'mask')
    weak = derive_weak_coco(coco, LEVELS, protocol)
    extreme = {a['id']: a for a in weak[Supervision.EXTREME_POINTS]['annotations']}
    expected = extreme_points_from_mask(ring(), 'rowmajor').tolist()
    assert extreme[12]['extreme_points'] == points_of_pixels(expected)
    boxes = {a['id']: a for a in weak[Supervision.BOXES]['annotations']}
    assert all(isinstance(value, int) for value in boxes[11]['bbox'])
    info = weak[Supervision.POINTS]['info']['mmwsis']
    assert info['supervision'] == 'points'
    assert info['protocol'] == {'points_mode': 'centre'}
    coco['annotations'] = coco['annotations'][:1]
    cyclic = derive_weak_coco(
        coco,
        [Supervision.EXTREME_POINTS],
        WeakProtocol(extreme_mode='polygon-cyclic'),
    )
    expected = extreme_points_from_polygons(
        [POLYGON], cyclic=True, truncate=False, floor_middle=False
    ).tolist()
    annotation = cyclic[Supervision.EXTREME_POINTS]['annotations'][0]
    assert annotation['extreme_points'] == expected


def test_uniform_points_depend_on_seed_and_id_alone(coco):
    def points(document, seed):
        weak = derive_weak_coco(
            document, [Supervision.POINTS], WeakProtocol('uniform', seed=seed)
        )[Supervision.POINTS]
        assert weak['info']['mmwsis']['protocol']['seed'] == seed
        return {a['id']: a.get('point') for a in weak['annotations']}

    first = points(coco, 1)
    assert first != points(coco, 2)
    coco['annotations'].reverse()
    assert points(coco, 1) == first


def test_polygons_at_and_beyond_the_border(coco):
    coco['annotations'] = coco['annotations'][:1]
    annotation = coco['annotations'][0]
    level = [Supervision.EXTREME_POINTS]
    del annotation['bbox']  # that of another mask
    annotation['segmentation'] = [[40, 30, 50, 30, 50, 40, 40, 40]]
    weak = derive_weak_coco(coco, level)[level[0]]['annotations'][0]
    assert weak['extreme_points'][3] == [50, 35]  # the far border of the image
    annotation['segmentation'] = [[40, 30, 60, 30, 60, 38, 40, 38]]
    weak = derive_weak_coco(coco, level)[level[0]]['annotations'][0]
    # Cut at the border, as a bitmap: columns 40 to 49, rows 30 to 37.
    assert weak['extreme_points'] == [[44.5, 30], [40, 33.5], [44.5, 38], [50, 33.5]]
    with pytest.raises(WeakLabelError, match='leaves the image'):
        derive_weak_coco(coco, level, WeakProtocol(extreme_mode='polygon'))


def test_workers_and_order_of_levels_do_not_change_the_bytes(coco, tmp_path):
    many = []
    for k in range(700):
        annotation = copy.deepcopy(coco['annotations'][k % 4])
        annotation['id'] = 1000 + k
        many.append(annotation)
    source = tmp_path / 'instances_mini.json'
    source.write_text(json.dumps({**coco, 'annotations': many}))
    protocol = WeakProtocol('uniform', seed=4)
    counted = []
    for workers, order in ((1, LEVELS), (2, LEVELS[::-1])):
        outputs = {
            level: tmp_path / str(workers) / output_name(source, level)
            for level in order
        }
        convert_file(
            source,
            outputs,
            protocol,
            run=RunOptions(workers, open_progress=lambda total: counted.append),
        )
    assert sum(counted) == 2 * 700
    for level in LEVELS:
        name = output_name(source, level)
        assert name == f'{level.label}_mini.json'
        first, second = tmp_path / '1' / name, tmp_path / '2' / name
        assert first.read_bytes() == second.read_bytes()


def test_images_with_a_weaker_level_of_their_own_stay_weaker(coco):
    coco['images'][0]['supervision'] = 'points'
    weak = derive_weak_coco(coco, [Supervision.EXTREME_POINTS])
    document = weak[Supervision.EXTREME_POINTS]
    assert all('extreme_points' not in a for a in document['annotations'])
    assert all('bbox' not in a for a in document['annotations'])


def broken(coco, index=0, **changes):
    coco = copy.deepcopy(coco)
    for key, value in changes.items():
        if value is None:
            coco['annotations'][index].pop(key)
        else:
            coco['annotations'][index][key] = value
    return coco


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(segmentation=[]), 'empty'),
        (dict(segmentation=[[1, 2, 3, 4]]), 'at least 3'),
        (dict(segmentation=[[1, 2, 3, 4, float('nan'), 5]]), 'finite'),
        (dict(segmentation={'size': [40, 50], 'counts': 'zz'}), 'damaged'),
        (dict(segmentation=None), 'segmentation is missing'),
        (dict(bbox=[1, 2, float('nan'), 3]), 'finite coordinates'),
        (dict(bbox=[1, 2, 3]), 'four numbers'),
        (dict(bbox=[1, 2, 0, 3]), 'positive width'),
        (dict(image_id=99), 'of image id 99: no image'),
        (dict(image_id=None), 'image_id must be an id'),
        (dict(category_id=99), 'category_id 99 is not in'),
        (dict(id=12), 'annotation id 12 appears 2 times'),
    ],
)
def test_errors_name_file_and_annotation_and_write_nothing(
    coco, tmp_path, changes, message
):
    source = tmp_path / 'instances_bad.json'
    source.write_text(json.dumps(broken(coco, **changes)))
    outputs = {level: tmp_path / output_name(source, level) for level in LEVELS}
    with pytest.raises(ValueError, match=message) as caught:
        convert_file(source, outputs)
    assert 'instances_bad.json' in str(caught.value)
    assert '11' in str(caught.value) or 'appears 2 times' in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_every_broken_annotation_is_listed_or_left_out(coco):
    bad = broken(broken(coco, 0, segmentation=[]), 1, segmentation=[])
    with pytest.raises(WeakLabelError) as caught:
        derive_weak_coco(bad, [Supervision.POINTS], source='f.json')
    assert [ann['id'] for ann, _ in caught.value.problems] == [11, 12]
    weak = derive_weak_coco(bad, [Supervision.POINTS], skip_invalid=True)
    document = weak[Supervision.POINTS]
    assert [a['id'] for a in document['annotations']] == [13, 14]
    assert document['info']['mmwsis']['skipped_annotations'] == 2


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"images": [', 'JSON'),
        ('[]', 'expected a COCO JSON'),
        ('{"images": [], "categories": []}', "with the list 'annotations'"),
        (
            '{"images": [{"id": 1, "width": 0, "height": 4}], "annotations": [], '
            '"categories": []}',
            'width must be a positive integer',
        ),
    ],
)
def test_broken_files(tmp_path, text, message):
    source = tmp_path / 'bad.json'
    source.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        convert_file(source, {Supervision.BOXES: tmp_path / 'out.json'})
    assert 'bad.json' in str(caught.value)
    assert not (tmp_path / 'out.json').exists()


def run_tool(*arguments):
    spec = importlib.util.spec_from_file_location('coco2weak_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    tool.main([str(argument) for argument in arguments])


def test_the_tool_converts_lvis_and_does_not_replace_files(coco, tmp_path, capsys):
    for annotation in coco['annotations']:
        annotation.pop('iscrowd', None)
    for image in coco['images']:
        image['coco_url'] = f'http://x/{image.pop("file_name")}'
        image['neg_category_ids'] = [3]
    source = tmp_path / 'lvis_v1_train.json'
    source.write_text(json.dumps(coco))
    command = [source, '--level', 'boxes', 'extreme_points']
    command += ['--out-dir', tmp_path / 'weak', '--workers', 1]
    run_tool(*command)
    assert 'extreme_points, 2 images, 4 annotations' in capsys.readouterr().out
    out = json.loads((tmp_path / 'weak/extreme_points_lvis_v1_train.json').read_text())
    assert len(out['annotations']) == 4
    assert all(len(a['extreme_points']) == 4 for a in out['annotations'])
    assert out['images'][0]['coco_url'] == 'http://x/7.png'
    with pytest.raises(SystemExit, match='--overwrite'):
        run_tool(*command)
    run_tool(*command, '--overwrite')


def test_clicks_of_people_are_kept_when_asked_for(coco, tmp_path, capsys):
    source, clicks = tmp_path / 'instances.json', tmp_path / 'clicks.json'
    source.write_text(json.dumps(coco))
    clicks.write_text('{"images": []}')
    run = ('--level', 'boxes', '--out', str(clicks), '--overwrite', '--keep-handmade')
    run_tool(str(source), *run)
    assert clicks.read_text() == '{"images": []}'
    assert f'{clicks}: kept, coco2weak has not made it' in capsys.readouterr().out
    clicks.unlink()
    run_tool(str(source), *run)
    first = clicks.read_bytes()
    clicks.write_bytes(first + b' ')  # its own are made anew
    run_tool(str(source), *run)
    assert clicks.read_bytes() == first


def test_the_tool_refuses_one_file_for_two_levels(capsys):
    with pytest.raises(SystemExit):
        run_tool('a.json', '--level', 'boxes', 'points', '--out', 'b.json')
    assert '--out-dir' in capsys.readouterr().err


def test_protocol_and_levels_are_checked(coco, tmp_path):
    with pytest.raises(ValueError, match="points_mode must be one of .* given 'mean'"):
        WeakProtocol('mean')
    with pytest.raises(ValueError, match='levels must be'):
        derive_weak_coco(coco, [Supervision.MASKS])
    source = tmp_path / 'a.json'
    source.write_text(json.dumps(coco))
    with pytest.raises(ValueError, match='workers must be at least 1'):
        convert_file(source, {}, run=RunOptions(workers=0))
    with pytest.raises(ValueError, match='overwrite the input'):
        convert_file(
            source, {Supervision.BOXES: source}, run=RunOptions(overwrite=True)
        )


def points_file(*annotations):
    return dict(
        images=[dict(id=7, file_name='7.png', height=40, width=50, tags=[3, 9])],
        categories=[dict(id=3, name='cat'), dict(id=9, name='ring')],
        annotations=[
            dict(id=number, image_id=7, category_id=3, iscrowd=0, **own)
            for number, own in enumerate(annotations, start=1)
        ],
    )


def test_points_and_their_scores_stay(tmp_path):
    found = points_file(dict(point=[4.5, 6], score=0.25), dict(point=[50, 40]))
    found['annotations'].append(dict(id=5, image_id=7, category_id=9, iscrowd=1))
    (tmp_path / 'cues.json').write_text(json.dumps(found))
    levels = (Supervision.POINTS, Supervision.IMAGE_TAGS)
    outputs = {level: tmp_path / f'{level.label}.json' for level in levels}
    weak = convert_file(tmp_path / 'cues.json', outputs)
    points = weak[Supervision.POINTS]
    assert points['annotations'] == found['annotations']
    assert points['images'] == found['images']
    assert points['info']['mmwsis']['protocol'] == {'points_mode': 'file'}
    assert weak[Supervision.IMAGE_TAGS]['annotations'] == []
    with pytest.raises(WeakLabelError, match='id 1 of image id 7: segmentation is mis'):
        convert_file(tmp_path / 'cues.json', {Supervision.BOXES: tmp_path / 'b.json'})


def test_the_score_of_a_mask_or_box_is_not_that_of_its_point(coco):
    coco['annotations'][1]['point'] = [30, 20]
    points = derive_weak_coco(coco, [Supervision.POINTS])[Supervision.POINTS]
    assert 'score' not in points['annotations'][1]
    assert points['info']['mmwsis']['protocol'] == {'points_mode': 'distance'}
    boxed = points_file(dict(point=[4, 6], bbox=[1, 2, 9, 9], score=0.25))
    with pytest.raises(WeakLabelError, match='segmentation is missing'):
        derive_weak_coco(boxed, [Supervision.POINTS])


@pytest.mark.parametrize(
    'own, message',
    [
        (dict(point=[50.5, 6]), r'in its image of 50 x 40 pixels, given \[50.5, 6\]'),
        (dict(point=[4, float('nan')]), 'point must be'),
        (dict(point=[4]), 'point must be'),
        (
            dict(point=[4, 6], score=1.5),
            'score must be a number from 0 to 1, given 1.5',
        ),
        (dict(point=[4, 6], score='0.5'), 'score must be'),
    ],
)
def test_broken_points_are_named(own, message):
    with pytest.raises(WeakLabelError, match=f'id 1 of image id 7: .*{message}'):
        derive_weak_coco(points_file(own), [Supervision.POINTS])
