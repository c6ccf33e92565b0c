import base64
import io
import json
import random

import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)
from mmwsis.formats.coco_masks import decode_segmentation
from mmwsis.structures.supervision import Supervision


def shape(label, shape_type, points, group_id=None, **more):
    return dict(
        label=label, points=points, group_id=group_id, description='',
        shape_type=shape_type, flags={}, mask=None, **more,
    )  # fmt: skip


def document(image_path, shapes, flags=None, size=(200, 100)):
    return dict(
        version='5.4.1',
        flags=flags or {},
        shapes=shapes,
        imagePath=image_path,
        imageData=base64.b64encode(b'never read').decode(),
        imageHeight=size[1],
        imageWidth=size[0],
    )


def pairs(flat):
    return [list(p) for p in zip(flat[0::2], flat[1::2])]


def shapes_of(name, annotation, number, rng):
    if 'segmentation' in annotation:
        parts = annotation['segmentation']
        group = number if len(parts) > 1 else None
        return [shape(name, 'polygon', pairs(part), group) for part in parts]
    if 'extreme_points' in annotation:
        clicks = list(annotation['extreme_points'])
        rng.shuffle(clicks)  # in the order in which the annotator likes to click
        return [shape(name, 'point', [click], number) for click in clicks]
    if 'bbox' in annotation:
        x, y, w, h = annotation['bbox']
        corners = [[x + w, y], [x, y + h]]  # LabelMe keeps the order of drawing
        return [shape(name, 'rectangle', corners)]
    return [shape(name, 'point', [annotation['point']])]


def write(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.fixture
def labels(tmp_path, image_folder, by_image):
    """labels/*.json beside images/*.png."""
    folder = tmp_path / 'labels'
    rng = random.Random(3)
    for image, tags, annotations in by_image():
        shapes = [
            one
            for number, (name, ann) in enumerate(annotations)
            for one in shapes_of(name, ann, number, rng)
        ]
        flags = {} if annotations else dict.fromkeys(tags, True)
        content = document(
            f'..\\images\\{image["file_name"]}', shapes, {**flags, 'blurry': False}
        )
        write(folder, image['file_name'].replace('png', 'json'), content)
    return folder


def run(folder, out='out.json', image_folder=None, tool='labelme', **settings):
    settings.setdefault('img_dir', image_folder or folder.parent / 'images')
    run = RunOptions(skip_invalid=settings.pop('skip_invalid', False), overwrite=True)
    return import_labels(
        tool, folder, folder.parent / out, ImportSettings(**settings), run=run
    )


def test_round_trip(labels, coco, same):
    result = run(labels)
    assert not result.issues
    assert not result.missing_images
    same(result.coco, coco)
    same(json.loads((labels.parent / 'out.json').read_text()), coco)
    assert result.coco['info']['mmwsis']['images_by_level'] == dict(
        boxes=1, points=1, extreme_points=1, masks=1, image_tags=1
    )


def test_processes_do_not_change_the_bytes(labels):
    outs = []
    for workers in (1, 2):
        out = labels.parent / f'{workers}.json'
        settings = ImportSettings(img_dir=labels.parent / 'images')
        import_labels('labelme', labels, out, settings, run=RunOptions(workers))
        outs.append(out.read_bytes())
    assert outs[0] == outs[1]


def one_file(tmp_path, *shapes, **more):
    write(tmp_path / 'labels', 'a.json', document('a.png', list(shapes), **more))
    return tmp_path / 'labels'


def imported(tmp_path, *shapes, **settings):
    folder = one_file(tmp_path, *shapes)
    return run(folder, img_dir=folder, **settings)


def test_lines_and_circles_are_listed_and_their_class_stays_a_tag(tmp_path):
    result = imported(
        tmp_path,
        shape('bolt', 'rectangle', [[1, 2], [30, 40]]),
        shape('nut', 'circle', [[50, 50], [60, 50]]),
        shape('nut', 'line', [[50, 50], [60, 50]]),
        shape('rope', 'linestrip', [[50, 50], [60, 50], [70, 60]]),
        shape('__ignore__', 'polygon', [[0, 0], [9, 0], [9, 9]]),
    )
    assert result.count('left_out') == {
        'shape circle': 1, 'shape line': 1, 'shape linestrip': 1,
        "label '__ignore__'": 1,
    }  # fmt: skip
    assert "a.json: shape 1 'nut': a circle is no point" in str(result.issues[0])
    assert [c['name'] for c in result.coco['categories']] == ['bolt', 'nut', 'rope']
    assert result.coco['images'][0]['tags'] == [1, 2, 3]
    assert len(result.coco['annotations']) == 1
    assert result.coco['info']['mmwsis']['left_out'] == 4


def test_groups_join_labels_of_one_object(tmp_path):
    result = imported(
        tmp_path,
        shape('bolt', 'rectangle', [[1, 2], [31, 42]], group_id=1),
        shape('bolt', 'point', [[10, 20]], group_id=1),
        shape('nut', 'rectangle', [[100, 2], [120, 42]], group_id=1),
    )
    bolt, nut = result.coco['annotations']
    assert (bolt['bbox'], bolt['point']) == ([1, 2, 30, 40], [10, 20])
    assert nut['bbox'] == [100, 2, 20, 40]


@pytest.mark.parametrize(
    ('shapes', 'what'),
    [
        ([shape('nut', 'point', [[k, k]], group_id=5) for k in range(1, 4)], 'clicks'),
        (
            [shape('nut', 'rectangle', [[k, k], [9, 9]], group_id=0) for k in (1, 2)],
            'several boxes',
        ),
    ],
)
def test_groups_that_are_no_object_are_listed(tmp_path, shapes, what):
    result = imported(tmp_path, shape('nut', 'point', [[7, 7]]), *shapes)
    assert len(result.coco['annotations']) == 1
    (issue,) = result.issues
    assert issue.what.startswith(what)
    assert 'of group' in issue.item


def test_two_clicks_on_one_corner_keep_the_box(tmp_path):
    # The second click lies a little to the right of the first and below it: the first
    # is both topmost and leftmost.
    clicks = [[10, 10], [10.5, 10.5], [40, 60], [80, 30]]
    result = imported(tmp_path, *(shape('nut', 'point', [c], 2) for c in clicks))
    annotation = result.coco['annotations'][0]
    assert annotation['bbox'] == [10, 10, 70, 50]
    assert annotation['extreme_points'] == [[10, 10], [10, 10], [40, 60], [80, 30]]
    assert [issue.what for issue in result.issues] == ['clicks not extreme']


def test_a_click_is_its_pixel_and_extreme_ones_reach_the_border(tmp_path):
    width, height = 200, 100
    extreme = [[90, 44], [50, 60], [70, height], [width, 80]]
    clicks = (shape('nut', 'point', [click], 2) for click in extreme)
    (annotation,) = imported(tmp_path / 'a', *clicks).coco['annotations']
    assert annotation['extreme_points'] == extreme
    clicks = (shape('nut', 'point', [p]) for p in ([7.9, 7.1], [width, height]))
    points = imported(tmp_path / 'b', *clicks).coco['annotations']
    assert [a['point'] for a in points] == [[7, 7], [width - 1, height - 1]]


def test_quads_may_be_extreme_points(tmp_path):
    quad = shape('nut', 'polygon', [[90, 44], [50, 10], [20, 40], [60, 80]])
    masks = imported(tmp_path, quad)
    assert masks.coco['images'][0]['supervision'] == 'masks'
    clicks = imported(tmp_path, quad, quads='extreme_points')
    assert clicks.coco['images'][0]['supervision'] == 'extreme_points'
    annotation = clicks.coco['annotations'][0]
    assert annotation['extreme_points'] == [[50, 10], [20, 40], [60, 80], [90, 44]]


def test_bitmaps_are_read_where_they_lie(tmp_path):
    bitmap = np.zeros((12, 20), dtype=bool)
    bitmap[2:, 3:15] = True
    buffer = io.BytesIO()
    Image.fromarray(bitmap).save(buffer, 'png')
    entry = shape('nut', 'mask', [[30, 40], [49, 51]], group_id=1)
    entry['mask'] = base64.b64encode(buffer.getvalue()).decode()
    part = shape('nut', 'polygon', [[100, 10], [120, 10], [120, 20]], group_id=1)
    for shapes, others in (([entry], 0), ([entry, part], 1)):
        annotation = imported(tmp_path, *shapes).coco['annotations'][0]
        crop = decode_segmentation(annotation['segmentation'], 100, 200)
        (x, y), full = crop.offset, np.zeros((100, 200), dtype=bool)
        full[y : y + crop.mask.shape[0], x : x + crop.mask.shape[1]] = crop.mask
        np.testing.assert_array_equal(full[40:52, 30:50], bitmap)
        assert full[10:20, 100:120].any() == others
        assert annotation['area'] == full.sum()
    bad = {**entry, 'points': [[30, 40], [48, 51]]}
    with pytest.raises(LabelImportError, match='20x12 pixels, its corners are 19x12'):
        imported(tmp_path, bad)


def test_flags_and_descriptions_of_objects_are_kept(tmp_path):
    entry = shape('nut', 'rectangle', [[1, 2], [30, 40]])
    entry.update(flags=dict(occluded=True, bent=False), description='rusty')
    result = imported(tmp_path, entry)
    annotation = result.coco['annotations'][0]
    assert annotation['attributes'] == dict(occluded=True, description='rusty')


def test_old_files_have_neither_shape_type_nor_size(tmp_path, image_folder):
    content = document('../images/masks.png', [])
    content['shapes'] = [dict(label='nut', points=[[1, 1], [30, 2], [30, 30]])]
    del content['imageHeight'], content['imageWidth'], content['flags']
    write(tmp_path / 'labels', 'a.json', content)
    result = run(tmp_path / 'labels')
    assert result.coco['images'][0]['width'] == 200
    assert result.coco['images'][0]['supervision'] == 'masks'
    (image_folder / 'masks.png').unlink()
    with pytest.raises(LabelImportError, match='size of the image is not known'):
        run(tmp_path / 'labels')


BAD = {
    'points must be a list': shape('nut', 'point', [['a', 1]]),
    'a rectangle has 2 points, got 1': shape('nut', 'rectangle', [[1, 1]]),
    '3 corners or more': shape('nut', 'polygon', [[1, 1], [2, 2]]),
    'must have a label': dict(points=[[1, 1]], shape_type='point'),
    'finite': shape('nut', 'point', [[float('nan'), 1]]),
    r'point \(300, 1\) is outside the image of 200x100': shape(
        'nut', 'point', [[300, 1]]
    ),
    'no area in the image': shape('nut', 'rectangle', [[5, 5], [5, 50]]),
    'covers no pixel': shape('nut', 'polygon', [[5, 5], [5.1, 5], [5.1, 5.1]]),
    'mask must be a PNG': shape('nut', 'mask', [[1, 1], [2, 2]]),
}


@pytest.mark.parametrize('message', list(BAD))
def test_broken_shapes_are_named_and_nothing_is_written(tmp_path, message):
    good = shape('bolt', 'rectangle', [[1, 2], [30, 40]])
    with pytest.raises(LabelImportError, match=message) as caught:
        imported(tmp_path, good, BAD[message])
    assert 'a.json: shape 1' in str(caught.value)
    assert not (tmp_path / 'out.json').exists()
    result = imported(tmp_path, good, BAD[message], skip_invalid=True)
    assert len(result.coco['annotations']) == 1
    assert result.coco['info']['mmwsis']['invalid'] == 1


def test_broken_files_are_named(tmp_path):
    folder = one_file(tmp_path, shape('bolt', 'rectangle', [[1, 2], [30, 40]]))
    (folder / 'cut.json').write_text('{"shapes": [')
    write(folder, 'nopath.json', dict(shapes=[]))
    write(folder, 'noshapes.json', dict(shapes={}, imagePath='b.png'))
    write(folder, 'again.json', document('a.png', []))
    write(folder / 'deeper', 'categories.json', ['bolt'])
    with pytest.raises(LabelImportError, match=r'4 label\(s\) are broken') as caught:
        run(folder, img_dir=folder)
    for text in ('cut.json: no valid JSON', 'nopath.json: imagePath', 'noshapes.json'):
        assert text in str(caught.value)
    assert 'a.png has labels in a.json already' in str(caught.value) or (
        'a.png has labels in again.json already' in str(caught.value)
    )
    result = run(folder, img_dir=folder, skip_invalid=True)
    assert len(result.coco['images']) == 1
    assert result.count('left_out') == {'other JSON': 1}


def test_another_size_of_the_image_is_refused(tmp_path, image_folder):
    content = document('../images/masks.png', [], size=(100, 200))
    write(tmp_path / 'labels', 'a.json', content)
    with pytest.raises(
        LabelImportError, match='100x200 pixels, .*masks.png has 200x100'
    ):
        run(tmp_path / 'labels', classes=['nut'])


def test_the_output_may_lie_among_the_labels(tmp_path):
    folder = one_file(tmp_path, shape('bolt', 'rectangle', [[1, 2], [30, 40]]))
    for _ in range(2):
        result = run(folder, out='labels/weak.json', img_dir=folder)
        assert not result.issues
    (folder / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='no folder with any'):
        run(folder / 'empty', img_dir=folder)
    with pytest.raises(FileNotFoundError, match='none does not exist'):
        run(folder / 'none', img_dir=folder)


def test_turned_photographs_have_the_size_that_tools_show(tmp_path):
    folder = one_file(tmp_path, shape('nut', 'point', [[90, 190]]), size=(100, 200))
    image_file = Image.new('RGB', (200, 100))
    exif = image_file.getexif()
    exif[274] = 6
    image_file.save(folder / 'a.jpg', exif=exif)
    content = json.loads((folder / 'a.json').read_text())
    write(folder, 'a.json', {**content, 'imagePath': 'a.jpg'})
    image = run(folder, img_dir=folder).coco['images'][0]
    assert (image['width'], image['height']) == (100, 200)


def test_level_is_a_ceiling(labels):
    result = run(labels, level=Supervision.POINTS)
    levels = {im['file_name']: im['supervision'] for im in result.coco['images']}
    assert levels == {
        'boxes.png': 'image_tags', 'clicks.png': 'points', 'extreme.png': 'image_tags',
        'masks.png': 'points', 'tags.png': 'image_tags',
    }  # fmt: skip
    assert all('bbox' not in a for a in result.coco['annotations'])
    assert result.count('left_out').total() == 4
    result = run(labels, level=Supervision.POINTS, points_from_boxes=True)
    assert not result.issues
    points = [a['point'] for a in result.coco['annotations']]
    assert points[:4] == [[25, 40], [150, 52], [12, 30], [199, 0]]
