import json
import zipfile
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)
from mmwsis.dataset_converters.importers.shapes import rotated_corners
from mmwsis.formats.coco_masks import decode_segmentation

HEADER = """<version>1.1</version>
<meta>
  <task>
    <id>7</id><name>bolts</name><size>5</size><mode>annotation</mode>
    <labels>
      <label><name>bolt</name><color>#ff355e</color><type>any</type>
        <attributes><attribute><name>rusty</name><input_type>checkbox</input_type>
        </attribute></attributes></label>
      <label><name>nut</name><color>#00ff00</color></label>
      <label><name>sky</name><color>#0000ff</color><type>tag</type></label>
    </labels>
  </task>
  <dumped>2024-05-01 10:00:00.000000+00:00</dumped>
</meta>
"""


def xml(*images, header=HEADER):
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n'
        + header
        + ''.join(images)
        + '</annotations>\n'
    )


def image(name, *shapes, number=0, width=200, height=100):
    inner = ''.join(shapes)
    return (
        f'<image id="{number}" name="{name}" width="{width}" height="{height}">{inner}'
        '</image>\n'
    )


def element(tag, label, inner='', **attributes):
    node = ET.Element(tag, label=label, source='manual', occluded='0', z_order='0')
    for key, value in attributes.items():
        node.set(key, str(value))
    text = ET.tostring(node, encoding='unicode')
    return text.replace(' />', f'>{inner}</{tag}>')


def points(values):
    return ';'.join(f'{x:.2f},{y:.2f}' for x, y in values)


def shapes_of(name, annotation, number):
    if 'segmentation' in annotation:
        parts = annotation['segmentation']
        group = {} if len(parts) == 1 else dict(group_id=number + 1)
        return [
            element(
                'polygon', name, points=points(zip(part[0::2], part[1::2])), **group
            )
            for part in parts
        ]
    if 'extreme_points' in annotation:
        top, left, bottom, right = annotation['extreme_points']
        clicks = [right, top, bottom, left]
        if number % 2:  # one shape of four points, or four grouped ones
            return [element('points', name, points=points(clicks))]
        return [
            element('points', name, points=points([click]), group_id=number + 1)
            for click in clicks
        ]
    if 'bbox' in annotation:
        x, y, w, h = annotation['bbox']
        return [element('box', name, xtl=x, ytl=y, xbr=x + w, ybr=y + h)]
    return [element('points', name, points=points([annotation['point']]))]


@pytest.fixture
def exported(tmp_path, image_folder, by_image):
    """annotations.xml of five images."""
    images = []
    for number, (entry, tags, annotations) in enumerate(by_image()):
        shapes = [
            one
            for index, (name, ann) in enumerate(annotations)
            for one in shapes_of(name, ann, index)
        ]
        if not annotations:
            shapes += [f'<tag label="{tag}" source="manual"></tag>' for tag in tags]
        images.append(image(entry['file_name'], *shapes, number=number))
    path = tmp_path / 'annotations.xml'
    path.write_text(xml(*images))
    return path


def run(path, out='out.json', **settings):
    settings.setdefault('img_dir', path.parent)
    run = RunOptions(skip_invalid=settings.pop('skip_invalid', False), overwrite=True)
    settings = ImportSettings(**settings)
    return import_labels('cvat', path, path.parent / out, settings, run=run)


def test_round_trip(exported, image_folder, coco, same):
    result = run(exported, img_dir=image_folder)
    assert not result.issues
    assert not result.missing_images
    same(result.coco, coco)
    same(json.loads((exported.parent / 'out.json').read_text()), coco)


def test_the_zip_and_its_folder_are_read_too(exported, image_folder, coco, same):
    archive = exported.parent / 'task_7.zip'
    with zipfile.ZipFile(archive, 'w') as file:
        file.write(exported, 'annotations.xml')
    same(run(archive, img_dir=image_folder).coco, coco)
    # Unpacked beside a folder images/, as CVAT packs them.
    result = run(exported.parent, img_dir=exported.parent)
    assert not result.missing_images
    assert result.coco['images'][0]['file_name'] == 'images/boxes.png'
    with zipfile.ZipFile(archive, 'w') as file:
        file.writestr('data.yaml', '')
    with pytest.raises(ValueError, match='has no annotations.xml'):
        run(archive)


def imported(tmp_path, *shapes, **settings):
    path = tmp_path / 'annotations.xml'
    path.write_text(xml(image('a.png', *shapes)))
    return run(path, **settings)


BOX = element('box', 'bolt', xtl='10', ytl='20', xbr='50', ybr='40')


def test_rotated_boxes_are_enclosed_or_left_out(tmp_path):
    turned = BOX.replace('box ', 'box rotation="90.0" ')
    result = imported(tmp_path, turned)
    # Turned about its middle (30, 30), 40 x 20 becomes 20 x 40.
    assert result.coco['annotations'][0]['bbox'] == [20, 10, 20, 40]
    assert not result.issues  # a quarter turn leaves the box upright and tight
    turned = BOX.replace('box ', 'box rotation="30.0" ')
    assert imported(tmp_path, turned).count('changed') == {'rotated box': 1}
    result = imported(tmp_path, BOX, turned, rotated='skip')
    assert len(result.coco['annotations']) == 1
    assert result.count('left_out') == {'rotated box': 1}
    corners = rotated_corners((0, 0, 2, 1), 90, (0, 0))  # clockwise: x goes to y
    np.testing.assert_allclose(corners, [(0, 0), (0, 2), (-1, 2), (-1, 0)], atol=1e-9)


def test_what_no_label_file_can_say_is_listed(tmp_path):
    result = imported(
        tmp_path,
        BOX,
        element('polyline', 'nut', points='1,1;2,2'),
        element('ellipse', 'nut', cx=20, cy=20, rx=5, ry=3),
        element('cuboid', 'nut', xtl1=1, ytl1=2),
        '<skeleton label="nut"><points label="1" points="1,1"/></skeleton>',
        element('points', 'bolt', points='1,1;2,2;3,3'),
        '<tag label="sky" source="manual"><attribute name="a">b</attribute></tag>',
    )
    shapes = ('polyline', 'ellipse', 'cuboid', 'skeleton')
    assert result.count('left_out') == {
        **{f'shape {shape}': 1 for shape in shapes},
        'clicks that are neither 1 nor 4': 1,
        'attributes of a tag': 1,
    }
    assert result.coco['images'][0]['tags'] == [1, 2, 3]
    assert len(result.coco['annotations']) == 1
    text = str(result.issues[0])
    assert text.startswith("annotations.xml, image 'a.png': polyline 1 'nut'")


def test_attributes_are_kept(tmp_path):
    inner = '<attribute name="rusty">true</attribute>'
    shape = element(
        'box', 'bolt', inner, xtl=1, ytl=2, xbr=3, ybr=4, occluded='1', z_order='2'
    )
    attributes = imported(tmp_path, shape).coco['annotations'][0]['attributes']
    assert attributes == dict(occluded=True, z_order='2', rusty='true')


def test_masks_are_runs_within_their_rectangle(tmp_path):
    mask = np.zeros((3, 5), dtype=int)
    mask[0, 1:4] = mask[1] = mask[2, 2] = 1
    shape = element(
        'mask', 'nut', rle='1, 3, 1, 5, 2, 1, 2', left=30, top=40, width=5, height=3
    )
    annotation = imported(tmp_path, shape).coco['annotations'][0]
    crop = decode_segmentation(annotation['segmentation'], 100, 200)
    assert crop.offset == (30, 40)
    np.testing.assert_array_equal(crop.mask, mask)
    assert (annotation['bbox'], annotation['area']) == ([30, 40, 5, 3], 9)


def test_a_stray_point_and_its_polygon_make_one_object(tmp_path):
    polygon = element('polygon', 'nut', points='10,10;30,10;30,30', group_id='4')
    click = element('points', 'nut', points='25,15', group_id='4')
    annotation = imported(tmp_path, polygon, click).coco['annotations'][0]
    assert annotation['point'] == [25, 15]
    assert annotation['segmentation'] == [[10, 10, 30, 10, 30, 30]]


def test_tracks_are_refused(tmp_path):
    track = (
        '<track id="3" label="bolt" source="manual"><box frame="0" keyframe="1" '
        'outside="0" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4"></box></track>'
    )
    path = tmp_path / 'annotations.xml'
    path.write_text(xml(track))
    with pytest.raises(ValueError, match=r'track 3 \(bolt\).*CVAT for images 1.1'):
        run(path)
    assert not (tmp_path / 'out.json').exists()


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('<annotation></annotation>', 'expected <annotations> of CVAT, found'),
        ('<annotations><version>1.0</version></annotations>', "version '1.0'"),
        ('<annotations><version>1.1', 'no valid XML'),
        (xml(), 'holds no image'),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / 'annotations.xml'
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        run(path)
    assert str(path) in str(caught.value)


BAD = {
    'xtl, ytl, xbr and ybr must be numbers': element('box', 'nut', xtl='1', ytl='2'),
    'points must be "x,y;x,y': element('points', 'nut', points='1,2;3'),
    '3 corners or more': element('polygon', 'nut', points='1,2;3,4'),
    'must have a label': '<box xtl="1" ytl="2" xbr="3" ybr="4"/>',
    'add up to 14 pixels': element(
        'mask', 'nut', rle='1,13', left=0, top=0, width=5, height=3
    ),
    'no negative run, got 5x3 pixels and runs from -3 on': element(
        'mask', 'nut', rle='8,-3,10', left=0, top=0, width=5, height=3
    ),
    'four clicks .* have a box without an area': element(
        'points', 'nut', points='5,5;5,5;5,5;5,5'
    ),
    'must have rle': element('mask', 'nut', rle='1,x', left=0, top=0),
    r'the mask of 5x3 pixels at \(198, 0\) leaves': element(
        'mask', 'nut', rle='1,14', left=198, top=0, width=5, height=3
    ),
    'no area': element('box', 'nut', xtl=300, ytl=2, xbr=310, ybr=4),
}


@pytest.mark.parametrize('message', list(BAD))
def test_broken_shapes_are_named(tmp_path, message):
    with pytest.raises(LabelImportError, match=message) as caught:
        imported(tmp_path, BOX, BAD[message])
    assert "annotations.xml, image 'a.png': " in str(caught.value)
    assert not (tmp_path / 'out.json').exists()
    result = imported(tmp_path, BOX, BAD[message], skip_invalid=True)
    assert len(result.coco['annotations']) == 1


def test_broken_images_are_named(tmp_path):
    path = tmp_path / 'annotations.xml'
    path.write_text(xml(image('a.png', BOX), image('b.png', width=0)))
    with pytest.raises(LabelImportError, match="image 'b.png': an image must have"):
        run(path)


def test_damaged_and_ambiguous_zips_are_said_to_be(tmp_path):
    path = tmp_path / 'export.zip'
    path.write_bytes(b'PK\x03\x04')
    with pytest.raises(ValueError, match='export.zip is no zip, or cut off'):
        run(path)
    with zipfile.ZipFile(path, 'w') as archive:
        for task in ('one', 'two'):
            archive.writestr(f'{task}/annotations.xml', xml())
    with pytest.raises(ValueError, match='has 2 annotations.xml, .* give the folder'):
        run(path)


def test_boxes_beyond_the_border_are_cut_and_said(tmp_path):
    wide = element('box', 'nut', xtl=-5, ytl=2, xbr=200.5, ybr=4)
    result = imported(tmp_path, wide)
    assert result.coco['annotations'][0]['bbox'] == [0, 2, 200, 2]
    assert result.count('changed') == {'box beyond the border': 1}


def test_declared_classes_have_ids_even_if_unused(tmp_path):
    result = imported(tmp_path, BOX)
    assert [c['name'] for c in result.coco['categories']] == ['bolt', 'nut', 'sky']
