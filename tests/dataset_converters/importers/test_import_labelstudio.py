import json

import pytest

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)
from mmwsis.dataset_converters.importers.labelstudio_urls import image_paths

SIZE = (200, 100)


def region(kind, value, label, number=0, **more):
    labels = {kind: [label] if isinstance(label, str) else label}
    return dict(
        original_width=SIZE[0], original_height=SIZE[1], image_rotation=0,
        value={**value, **labels}, id=f'r{number}', from_name='label', to_name='image',
        type=kind, origin='manual', **more,
    )  # fmt: skip


def percent(x, y):
    return 100 * x / SIZE[0], 100 * y / SIZE[1]


def rectangle(label, x, y, w, h, number=0, rotation=0):
    px, py = percent(x, y)
    pw, ph = percent(w, h)
    value = dict(x=px, y=py, width=pw, height=ph, rotation=rotation)
    return region('rectanglelabels', value, label, number)


def keypoint(label, x, y, number=0):
    px, py = percent(x, y)
    return region('keypointlabels', dict(x=px, y=py, width=0.5), label, number)


def polygon(label, corners, number=0):
    value = dict(points=[list(percent(x, y)) for x, y in corners], closed=True)
    return region('polygonlabels', value, label, number)


def choices(*names, number=99):
    return dict(
        value=dict(choices=list(names)), id=f'c{number}', from_name='scene',
        to_name='image', type='choices', origin='manual',
    )  # fmt: skip


def annotation(results, key=1, by=4, when='2024-05-01T10:00:00Z', **more):
    return dict(
        id=key, completed_by=by, result=results, was_cancelled=False,
        ground_truth=False, created_at=when, updated_at=when, lead_time=12.5, **more,
    )  # fmt: skip


def task(key, url, *annotations):
    return dict(
        id=key, annotations=list(annotations), drafts=[], predictions=[],
        data=dict(image=url), meta={}, project=1, file_upload='x.png',
    )  # fmt: skip


def results_of(name, ann, number):
    if 'segmentation' in ann:
        (part,) = ann['segmentation']
        return [polygon(name, list(zip(part[0::2], part[1::2])), number)]
    if 'extreme_points' in ann:
        top, left, bottom, right = ann['extreme_points']
        return [polygon(name, [left, bottom, right, top], number)]
    if 'bbox' in ann:
        return [rectangle(name, *ann['bbox'], number)]
    return [keypoint(name, *ann['point'], number)]


@pytest.fixture
def exported(tmp_path, coco, image_folder, by_image):
    """project.json; Label Studio has no objects of several parts."""
    coco['annotations'] = [
        a for a in coco['annotations'] if len(a.get('segmentation', [1])) == 1
    ]
    coco['images'][3]['tags'] = [1]
    tasks = []
    for image, tags, annotations in by_image():
        results = [
            one
            for number, (name, ann) in enumerate(annotations)
            for one in results_of(name, ann, number)
        ]
        if not annotations:
            results.append(choices(*tags))
        url = f'/data/upload/3/1a2b3c4d-{image["file_name"]}'
        tasks.append(task(image['id'], url, annotation(results)))
    path = tmp_path / 'project.json'
    path.write_text(json.dumps(tasks))
    return path


def run(path, out='out.json', img_dir=None, classes=None, **options):
    strict = options.pop('strict', False)
    skip_invalid = options.pop('skip_invalid', False)
    settings = ImportSettings(
        img_dir=img_dir or path.parent,
        classes=classes,
        **options,
        strict=strict,
    )
    return import_labels(
        'labelstudio',
        path,
        path.parent / out,
        settings,
        run=RunOptions(1, skip_invalid, overwrite=True),
    )


def test_round_trip(exported, image_folder, coco, same):
    result = run(exported, img_dir=image_folder, quads='extreme_points')
    assert not result.issues
    assert not result.missing_images
    same(result.coco, coco)
    same(json.loads((exported.parent / 'out.json').read_text()), coco)


def imported(tmp_path, *results, **options):
    path = tmp_path / 'project.json'
    path.write_text(
        json.dumps([task(1, '/data/upload/1/a.png', annotation(list(results)))])
    )
    return run(path, **options)


def test_rectangles_turn_about_their_upper_left_corner(tmp_path):
    turned = rectangle('nut', 100, 20, 40, 10, rotation=90)
    result = imported(tmp_path, turned)
    assert result.coco['annotations'][0]['bbox'] == [90, 20, 10, 40]
    assert not result.issues  # a quarter turn leaves the box upright and tight
    turned = rectangle('nut', 100, 20, 40, 10, rotation=45)
    assert imported(tmp_path, turned).count('changed') == {'rotated box': 1}
    good = rectangle('nut', 1, 2, 3, 4)
    result = imported(tmp_path, turned, good, rotated='skip')
    assert [a['bbox'] for a in result.coco['annotations']] == [[1, 2, 3, 4]]


def test_what_no_label_file_can_say_is_listed(tmp_path):
    ellipse = dict(x=5, y=5, radiusX=3, radiusY=2, rotation=0)
    bare = region('rectangle', dict(x=1, y=2, width=3, height=4), [], 8)
    bare['value'].pop('rectangle')
    relation = dict(type='relation', from_id='r1', to_id='r2', direction='right')
    result = imported(
        tmp_path,
        rectangle('bolt', 10, 10, 30, 30),
        region('brushlabels', dict(format='rle', rle=[1, 2]), 'nut', 1),
        region('ellipselabels', ellipse, 'nut', 2),
        rectangle(['bolt', 'rope'], 10, 10, 30, 30, 3),
        {**rectangle('bolt', 10, 10, 30, 30, 4), 'image_rotation': 90},
        bare,
        relation,
        dict(type='textarea', id='t', from_name='t', value=dict(text=['hello'])),
    )
    kinds = ('brushlabels', 'ellipselabels', 'rectangle', 'relation', 'textarea')
    assert result.count('left_out') == {
        **{f'result {kind}': 1 for kind in kinds},
        'region without one class': 1,
        'region of a turned image': 1,
    }
    names = {c['id']: c['name'] for c in result.coco['categories']}
    tags = result.coco['images'][0]['tags']
    assert [names[tag] for tag in tags] == ['bolt', 'nut', 'rope']
    assert len(result.coco['annotations']) == 1
    assert 'draw polygons instead' in ' '.join(map(str, result.issues))


def test_labels_beside_bare_shapes_are_one_region(tmp_path):
    value = dict(x=5, y=10, width=15, height=30, rotation=0)
    bare = region('rectangle', value, [], 1)
    bare['value'].pop('rectangle')
    click = region('labels', dict(x=50, y=50, width=0.5), 'nut', 2)
    corners = region('labels', dict(points=[[1, 1], [9, 1], [9, 9]]), 'nut', 3)
    result = imported(tmp_path, bare, region('labels', value, 'bolt', 1))
    assert not result.issues
    assert result.coco['annotations'][0]['bbox'] == [10, 10, 30, 30]
    result = imported(tmp_path, click)
    assert result.coco['annotations'][0]['point'] == [100, 50]
    result = imported(tmp_path, corners)
    assert 'segmentation' in result.coco['annotations'][0]


def test_choices_of_a_region_are_its_attributes(tmp_path):
    own = region('choices', dict(x=1, y=2, width=3, height=4), 'rusty', 0)
    own['from_name'] = 'state'
    result = imported(tmp_path, own, rectangle('bolt', 10, 10, 30, 30), choices('sky'))
    assert not result.issues
    assert result.coco['annotations'][0]['attributes'] == dict(state=['rusty'])
    assert [c['name'] for c in result.coco['categories']] == ['bolt', 'sky']
    assert result.coco['images'][0]['tags'] == [1, 2]


@pytest.fixture
def several(tmp_path):
    """Three annotators, one skipped task, one that nobody has seen."""
    anna = dict(id=4, email='anna@example.org', first_name='Anna')
    one = annotation([rectangle('bolt', 1, 1, 10, 10)], 11, anna)
    two = annotation(
        [rectangle('bolt', 2, 2, 10, 10)], 12, 5, when='2024-06-01T00:00:00Z'
    )
    no = annotation([], 13, 6, when='2024-07-01T00:00:00Z')
    no['was_cancelled'] = True
    tasks = [
        task(1, 'a.png', one, two, no),
        task(2, 'b.png', no),
        task(3, 'c.png'),
    ]
    path = tmp_path / 'project.json'
    path.write_text(json.dumps(tasks))
    return path, tasks


def corner(result):
    return result.coco['annotations'][0]['bbox'][0]


def test_one_annotator_is_taken_and_the_others_are_listed(several):
    path, tasks = several
    result = run(path)
    assert corner(result) == 2
    assert len(result.coco['images']) == 1
    assert result.count('left_out') == {
        'annotation of a task': 3, 'skipped task': 1, 'task without annotation': 1
    }  # fmt: skip
    assert "annotation 11 by 'anna@example.org'" in ' '.join(map(str, result.issues))
    assert corner(run(path, annotator='first')) == 1
    assert corner(run(path, annotator='anna@example.org')) == 1
    assert corner(run(path, annotator='5')) == 2
    with pytest.raises(LabelImportError, match='no image is left'):
        run(path, annotator='9')
    tasks[0]['annotations'][0]['ground_truth'] = True
    path.write_text(json.dumps(tasks))
    assert corner(run(path)) == 1


@pytest.mark.parametrize(
    ('url', 'expected'),
    [
        ('/data/upload/3/1a2b3c4d-a%20b.png', ['1a2b3c4d-a b.png', 'a b.png']),
        ('/data/local-files/?d=x/day1/a.png', ['x/day1/a.png', 'day1/a.png', 'a.png']),
        ('https://example.org/x/a.png?sig=1', ['x/a.png', 'a.png']),
        ('s3://bucket/day1/a.png', ['day1/a.png', 'a.png']),
        ('a.png', ['a.png']),
        ('day1\\a.png', ['day1/a.png', 'a.png']),
    ],
)  # fmt: skip
def test_names_of_images(url, expected):
    assert image_paths(url) == expected


def test_the_key_of_the_image(tmp_path):
    path = tmp_path / 'project.json'
    one = task(1, '', annotation([rectangle('bolt', 1, 1, 10, 10)]))
    one['data'] = dict(photo='a.jpg', title='no image', other='b.JPG')
    path.write_text(json.dumps([one]))
    with pytest.raises(LabelImportError, match='task 1: which key .*--image-key'):
        run(path)
    assert run(path, image_key='photo').coco['images'][0]['file_name'] == 'a.jpg'
    del one['data']['other']
    path.write_text(json.dumps([one]))
    assert run(path).coco['images'][0]['file_name'] == 'a.jpg'


BAD = [
    ('must have rectanglelabels', dict(value=dict(x=1))),
    ('y, width, height in percent', dict(value=dict(x=1, rectanglelabels=['b']))),
    ('original_width and original_height', dict(original_width='200')),
    ('is 100x100 here and 200x100', dict(original_width=100)),
    ('must have a type', dict(type=None)),
    (
        "rotation must be degrees: 'left'",
        dict(
            value=dict(
                x=1, y=1, width=9, height=9, rotation='left', rectanglelabels=['b']
            )
        ),
    ),
]


@pytest.mark.parametrize(('message', 'changes'), BAD)
def test_broken_regions_are_named(tmp_path, message, changes):
    good = rectangle('bolt', 10, 10, 30, 30)
    bad = {**rectangle('bolt', 50, 10, 30, 30, 7), **changes}
    with pytest.raises(LabelImportError, match=message) as caught:
        imported(tmp_path, good, bad)
    assert 'project.json, task 1: result 1' in str(caught.value)
    assert not (tmp_path / 'out.json').exists()
    result = imported(tmp_path, good, bad, skip_invalid=True)
    assert len(result.coco['annotations']) == 1


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[{"id": 1, "image": "a.png", "label": []}]', 'not as JSON-MIN'),
        ('3', 'expected a list of tasks'),
        ('[', 'no valid JSON'),
        ('[]', 'holds no image'),
        ('[{"id": 1, "data": {"image": "a.png"}}]', 'annotations must be a list'),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / 'project.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        run(path)
    assert 'project.json' in str(caught.value)


def test_tags_alone_need_the_image_for_its_size(exported, image_folder):
    (image_folder / 'tags.png').unlink()
    with pytest.raises(LabelImportError, match='tags.png is not in .*--img-dir'):
        run(exported, img_dir=image_folder)
