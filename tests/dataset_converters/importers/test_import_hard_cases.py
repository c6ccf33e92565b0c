"""What annotators and their tools do that no manual shows."""

import json

import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)

WIDTH, HEIGHT = 100, 80


def shape(label, kind, points, group=None):
    return dict(label=label, points=points, group_id=group, shape_type=kind)


def clicks(count, label='bolt', group=1):
    return [
        shape(label, 'point', [[5 + 9 * k, 70 - 7 * k]], group) for k in range(count)
    ]


@pytest.fixture
def labelme(tmp_path, monkeypatch):
    """Write LabelMe files by image and import them; paths are relative."""
    monkeypatch.chdir(tmp_path)

    def run(files, image_path=None, **settings):
        for name, shapes in files.items():
            for folder in ('images', 'labels'):
                (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            image_file = f'images/{name}.jpg'
            if image_path is None:
                Image.new('RGB', (WIDTH, HEIGHT)).save(image_file)
            up = '../' * name.count('/')
            document = dict(
                version='5.4.1',
                flags={},
                shapes=shapes,
                imagePath=image_path or f'{up}../{image_file}',
                imageHeight=HEIGHT,
                imageWidth=WIDTH,
            )
            (tmp_path / f'labels/{name}.json').write_text(json.dumps(document))
        (tmp_path / 'images').mkdir(exist_ok=True)
        skip_invalid = settings.pop('skip_invalid', False)
        settings = ImportSettings(img_dir=tmp_path / 'images', **settings)
        options = RunOptions(skip_invalid=skip_invalid, overwrite=True)
        return import_labels('labelme', 'labels', 'out.json', settings, run=options)

    return run


@pytest.mark.parametrize('count', (2, 3, 5))
def test_a_group_that_is_no_object_leaves_its_class_as_a_tag(labelme, count):
    nut = shape('nut', 'rectangle', [[1, 1], [9, 9]])
    result = labelme({'a': clicks(count), 'b': [nut]})
    assert [c['name'] for c in result.coco['categories']] == ['bolt', 'nut']
    # Not an image in which nothing is.
    assert result.coco['images'][0]['tags'] == [1]
    assert result.coco['images'][0]['supervision'] == 'image_tags'
    assert result.empty_images == 0
    assert result.count('left_out') == {'clicks that are neither 1 nor 4': 1}


def test_two_boxes_of_a_group_leave_their_class_as_a_tag(labelme):
    boxes = [shape('bolt', 'rectangle', [[1, 1], [9, 9 + k]], 1) for k in range(2)]
    result = labelme({'a': boxes})
    assert result.coco['images'][0]['tags'] == [1]
    assert result.count('left_out') == {'several boxes': 1}


def test_broken_shapes_that_are_skipped_leave_their_class_as_a_tag(labelme):
    broken = shape('bolt', 'polygon', [[1, 1], [9, 9]])
    result = labelme({'a': [broken]}, skip_invalid=True)
    assert result.coco['images'][0]['tags'] == [1]
    assert result.count('invalid') == {'polygon': 1}


def test_an_import_without_any_label_says_what_was_there(labelme):
    with pytest.raises(LabelImportError, match='no label in any of 1 images') as error:
        labelme({'a': [shape('__ignore__', 'point', [[1, 1]])]})
    assert "a.json: shape 0 '__ignore__': its label is one to ignore" in str(
        error.value
    )


def test_label_files_in_folders_find_their_images_from_a_relative_path(labelme):
    result = labelme({'left/a': clicks(1), 'right/a': clicks(1)})
    names = [image['file_name'] for image in result.coco['images']]
    assert names == ['left/a.jpg', 'right/a.jpg']
    assert not result.missing_images


@pytest.mark.parametrize(
    'path', ('C:\\Users\\me\\ä b.jpg', 'C:/Users/me/ä b.jpg', '/nowhere/ä b.jpg')
)
def test_places_on_the_machine_of_the_annotator_do_not_name_images(labelme, path):
    result = labelme({'a': clicks(1)}, image_path=path)
    assert result.missing_images == ['ä b.jpg']


def test_polygons_beyond_the_border_are_listed(labelme):
    corners = [[10, 10], [140, 10], [140, 70]]
    result = labelme({'a': [shape('bolt', 'polygon', corners)]})
    assert result.coco['annotations'][0]['bbox'] == [10, 10, 90, 60]
    (issue,) = result.issues
    assert issue.what == 'polygon beyond the border'
    assert 'reached 40 px out of the image' in issue.reason


@pytest.mark.parametrize('far', (1e3, 1e18, -1e300, float('inf'), float('nan')))
def test_corners_far_outside_are_refused_before_anything_is_drawn(labelme, far):
    # Its outline alone would fill the memory of any machine.
    corners = [[10, 10], [far, 10], [40, 70]]
    with pytest.raises(LabelImportError, match='polygon') as error:
        labelme({'a': [shape('bolt', 'polygon', corners)]})
    assert "a.json: shape 0 'bolt'" in str(error.value)


def test_labels_are_trimmed_and_never_empty(labelme):
    named = [shape('bolt ', 'point', [[5, 5]]), shape('bolt', 'point', [[9, 9]])]
    result = labelme({'a': named})
    assert [c['name'] for c in result.coco['categories']] == ['bolt']
    with pytest.raises(LabelImportError, match='shape 0: a shape must have a label'):
        labelme({'a': [shape(' ', 'point', [[5, 5]])]})


@pytest.mark.parametrize('group', ([], {}, 1.5))
def test_a_group_that_is_no_number_is_an_error(labelme, group):
    with pytest.raises(LabelImportError, match='group_id must be a number'):
        labelme({'a': [shape('bolt', 'point', [[5, 5]], group)]})


def test_flags_that_are_no_object_are_an_error(labelme, tmp_path):
    labelme({'a': clicks(1)})
    path = tmp_path / 'labels/a.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | dict(flags=['x'])))
    with pytest.raises(LabelImportError, match='flags must be an object'):
        import_labels('labelme', 'labels', 'out.json', run=RunOptions(overwrite=True))


def test_a_rotation_that_is_upright_is_a_box(labelme):
    corners = [[50, 5], [80, 5], [80, 65], [50, 65]]
    result = labelme({'a': [shape('bolt', 'rotation', corners)]})
    assert result.coco['annotations'][0]['bbox'] == [50, 5, 30, 60]
    assert not result.issues


def test_parts_of_skeletons_are_no_classes(tmp_path):
    file = tmp_path / 'annotations.xml'
    file.write_text(
        '<annotations><version>1.1</version><meta><task><labels>'
        '<label><name>hand</name><type>skeleton</type></label>'
        '<label><name>thumb</name><type>points</type><parent>hand</parent></label>'
        '</labels></task></meta>'
        f'<image id="0" name="a.jpg" width="{WIDTH}" height="{HEIGHT}">'
        '<skeleton label="hand"><points label="thumb" points="3,3"/></skeleton>'
        '<ellipse label="hand" cx="5" cy="5" rx="2" ry="3"/></image></annotations>'
    )
    result = import_labels('cvat', file, tmp_path / 'out.json')
    assert [c['name'] for c in result.coco['categories']] == ['hand']
    assert 'an ellipse is no point' in result.issues[1].reason


@pytest.fixture
def labelstudio(tmp_path):
    """Import one task with the given result, annotations or predictions."""

    def run(results, start=b'', **more):
        task = dict(
            id=1,
            data=dict(image='/data/upload/1/0a1b2c3d-a.jpg'),
            annotations=[dict(id=5, completed_by=1, result=results)],
        )
        content = json.dumps([task, {**task, 'id': 2, **more}] if more else [task])
        path = tmp_path / 'project.json'
        path.write_bytes(start + content.encode())
        run = RunOptions(overwrite=True)
        return import_labels('labelstudio', path, tmp_path / 'out.json', run=run)

    return run


def polygon(**more):
    value = dict(points=[[1, 1], [50, 1], [50, 50]], polygonlabels=['bolt'], **more)
    size = dict(original_width=WIDTH, original_height=HEIGHT)
    return dict(id='r', type='polygonlabels', value=value, **size)


def test_polygons_that_were_left_open_are_listed(labelstudio):
    assert not labelstudio([polygon(closed=True)]).issues
    result = labelstudio([polygon(closed=False)])
    assert result.count('changed') == {'open polygon': 1}


def test_predictions_are_named_where_they_are_all_there_is(labelstudio):
    result = labelstudio([polygon()], annotations=[], predictions=[dict(id=1)])
    (issue,) = result.issues
    assert 'it has predictions of a model, which are no labels' in issue.reason


def test_a_byte_order_mark_is_no_error(labelstudio):
    assert labelstudio([polygon()], start=b'\xef\xbb\xbf').coco['annotations']


@pytest.mark.parametrize('name', ([], {'a': 1}, None))
def test_results_may_lack_a_usable_id(labelstudio, name):
    assert labelstudio([dict(polygon(), id=name)]).coco['annotations']
