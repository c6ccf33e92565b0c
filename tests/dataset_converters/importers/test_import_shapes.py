"""What becomes of shapes: holes, masks, many clicks in one, boxes of groups, names."""

import base64
import json
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)
from mmwsis.dataset_converters.importers.labelstudio_brush import decode_brush
from mmwsis.formats.coco_masks import decode_segmentation

WIDTH, HEIGHT = 40, 30


def shape(label, kind, points, group=None, **more):
    return dict(label=label, shape_type=kind, points=points, group_id=group, **more)


def mask_shape(corner, pixels, label='a', far=None, group=None):
    x, y = corner
    rows, columns = pixels.shape
    png = cv2.imencode('.png', pixels.astype(np.uint8))[1].tobytes()
    points = [[x, y], far or [x + columns - 1, y + rows - 1]]
    code = base64.b64encode(png).decode()
    return shape(label, 'mask', points, group, mask=code)


def square(x0, y0, x1, y1, label='a', group=None):
    return shape(label, 'polygon', [[x0, y0], [x1, y0], [x1, y1], [x0, y1]], group)


@pytest.fixture
def labelme(tmp_path):
    def run(*shapes, skip_invalid=False, **settings):
        document = dict(
            shapes=shapes, imagePath='a.png', imageWidth=WIDTH, imageHeight=HEIGHT
        )
        path = tmp_path / 'a.json'
        path.write_text(json.dumps(document))
        options = RunOptions(overwrite=True, skip_invalid=skip_invalid)
        settings = ImportSettings(**settings)
        return import_labels('labelme', path, tmp_path / 'o.x', settings, run=options)

    return run


@pytest.fixture
def cvat(tmp_path):
    def run(*shapes, skip_invalid=False, **settings):
        path = tmp_path / 'annotations.xml'
        path.write_text(
            '<annotations><version>1.1</version>'
            f'<image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">'
            f'{"".join(shapes)}</image></annotations>'
        )
        options = RunOptions(overwrite=True, skip_invalid=skip_invalid)
        settings = ImportSettings(**settings)
        return import_labels('cvat', path, tmp_path / 'o.x', settings, run=options)

    return run


def pixels_of(annotation):
    crop = decode_segmentation(annotation['segmentation'], HEIGHT, WIDTH)
    (x, y), full = crop.offset, np.zeros((HEIGHT, WIDTH), dtype=bool)
    full[y : y + crop.mask.shape[0], x : x + crop.mask.shape[1]] = crop.mask
    return full


BACKGROUND = square(12, 12, 16, 18, '_background_')


def test_background_is_cut_out_of_what_lies_below(labelme):
    result = labelme(square(10, 10, 20, 20), BACKGROUND, square(10, 10, 20, 20, 'b'))
    below, above = result.coco['annotations']
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    expected[10:20, 10:20] = True
    np.testing.assert_array_equal(pixels_of(above), expected)
    expected[12:18, 12:16] = False
    np.testing.assert_array_equal(pixels_of(below), expected)
    assert (below['area'], below['bbox']) == (76, [10, 10, 10, 10])
    assert above['segmentation'] == [[10, 10, 20, 10, 20, 20, 10, 20]]
    (issue,) = result.issues
    assert "24 px are cut out of it, where shape 1 '_background_'" in issue.reason
    assert [c['name'] for c in result.coco['categories']] == ['a', 'b']


def test_holes_may_be_filled_or_have_other_names(labelme):
    result = labelme(square(10, 10, 20, 20), BACKGROUND, holes=())
    assert result.coco['annotations'][0]['area'] == 100
    assert result.count('left_out') == {"label '_background_'": 1}
    hole = shape('hole', 'rectangle', [[16, 18], [12, 12]])
    result = labelme(square(10, 10, 20, 20), hole, holes=['hole'])
    assert result.coco['annotations'][0]['area'] == 76
    assert [c['name'] for c in result.coco['categories']] == ['a']


def test_holes_beside_objects_change_nothing(labelme):
    beside = square(30, 20, 35, 25, '_background_')
    result = labelme(square(10, 10, 20, 20), beside)
    assert isinstance(result.coco['annotations'][0]['segmentation'], list)
    assert result.count('left_out') == {"label '_background_'": 1}
    box = shape('a', 'rectangle', [[10, 10], [20, 20]])
    assert labelme(box, BACKGROUND).coco['annotations'][0]['bbox'] == [10, 10, 10, 10]


def test_broken_holes_are_named_once(labelme):
    far = square(12, 12, 900, 18, '_background_')
    objects = [square(10, 10, 20, 20), square(11, 11, 20, 20)]
    with pytest.raises(
        LabelImportError, match=r'1 label\(s\) .*\n.* shape 2 .*far out'
    ):
        labelme(*objects, far)
    with pytest.raises(LabelImportError, match='shape 0 .* nothing is left of it'):
        labelme(objects[0], square(5, 5, 25, 25, '_background_'))


MASK = np.arange(20).reshape(4, 5) % 3 == 0


@pytest.mark.parametrize(
    ('corner', 'far', 'place'),
    [
        ((17, 12), None, (17, 12)),
        ((17.5, 12.0), None, (18, 12)),  # as LabelMe rounds: half to even
        ((18.5, 12.5), None, (18, 12)),
        ((17.4, 12.6), None, (17, 13)),
        ((17.4, 12.6), [21.3, 15.8], (17, 13)),
    ],
)
def test_moved_masks_keep_their_pixels(labelme, corner, far, place):
    result = labelme(mask_shape(corner, MASK, far=far))
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    x, y = place
    expected[y : y + 4, x : x + 5] = MASK
    np.testing.assert_array_equal(pixels_of(result.coco['annotations'][0]), expected)
    assert not result.issues


@pytest.mark.parametrize('corner', [(-2, 3), (37, 10), (5, -1), (39, 29), (-2, -1.5)])
def test_masks_across_the_border_are_cut(labelme, corner):
    ones = np.ones((4, 5), dtype=bool)
    result = labelme(mask_shape(corner, ones))
    x, y = (round(value) for value in corner)
    expected = np.zeros((HEIGHT, WIDTH), dtype=bool)
    expected[max(y, 0) : y + 4, max(x, 0) : x + 5] = True
    np.testing.assert_array_equal(pixels_of(result.coco['annotations'][0]), expected)
    assert result.count('changed') == {'mask beyond the border': 1}
    assert f'{20 - expected.sum()} px of the mask' in result.issues[0].reason


@pytest.mark.parametrize('corner', [(40, 3), (500, 3), (-9, -9), (1e15, 0)])
def test_masks_that_lie_outside_are_broken(labelme, corner):
    with pytest.raises(LabelImportError, match='leaves the image of 40x30'):
        labelme(mask_shape(corner, np.ones((4, 5), dtype=bool)))


@pytest.mark.parametrize('kind', ['oriented_rectangle', 'rotation', 'rectangle'])
def test_rotated_boxes(labelme, kind):
    turned = shape('a', kind, [[10, 5], [20, 10], [17, 16], [7, 11]])
    result = labelme(turned)
    assert result.coco['annotations'][0]['bbox'] == [7, 5, 13, 11]
    assert result.count('changed') == {'rotated box': 1}
    upright = shape('a', kind, [[20, 15], [10, 15], [10, 5], [20, 5]])
    result = labelme(upright)
    assert result.coco['annotations'][0]['bbox'] == [10, 5, 10, 10]
    assert not result.issues
    assert labelme(turned, upright, rotated='skip').count('left_out').total() == 1


def test_swapped_corners_are_a_box(labelme):
    result = labelme(shape('a', 'rectangle', [[20, 3], [4, 15]]))
    assert result.coco['annotations'][0]['bbox'] == [4, 3, 16, 12]


FOUR = '3,3;30,4;31,20;2,22'


@pytest.mark.parametrize('text', [FOUR, FOUR + ';15,15', '3,3;5,5'])
def test_clicks_of_one_shape_may_be_objects(cvat, text):
    clicks = f'<points label="a" points="{text}" group_id="3"/>'
    result = cvat(clicks, split_points=True)
    points = [[int(v) for v in pair.split(',')] for pair in text.split(';')]
    assert [a['point'] for a in result.coco['annotations']] == points
    assert not result.issues
    assert result.clicks_in_one == 0


def test_four_clicks_are_said_to_be_one_object(cvat):
    four = '<points label="a" points="15,3;30,14;14,22;2,12"/>'
    result = cvat(four)
    assert result.clicks_in_one == 1
    assert not result.issues
    three = '<points label="a" points="3,3;5,5;7,7"/>'
    result = cvat(four, three)
    assert result.count('left_out') == {'clicks that are neither 1 nor 4': 1}
    assert 'say --split-points' in result.issues[0].reason
    assert result.count('warning') == {'four clicks read as one object': 1}


def test_labelme_shapes_of_many_points(labelme):
    points = shape('a', 'points', [[3, 3], [9, 9], [5, 7]])
    assert len(labelme(points, split_points=True).coco['annotations']) == 3


def test_a_box_that_contradicts_the_mask_of_its_group_is_listed(labelme):
    box = shape('a', 'rectangle', [[10, 10], [20, 20]], group=1)
    assert not labelme(box, square(10, 11, 20, 20, group=1)).issues
    result = labelme(box, square(25, 11, 35, 20, group=1))
    assert result.count('changed') == {'box that contradicts its mask': 1}


def test_names_are_tidied_and_said(labelme):
    result = labelme(
        square(1, 1, 9, 9, ' cat\u200b'), square(1, 1, 9, 9, 'cat'),
        square(1, 1, 9, 9, 'big\u00a0 cat'), square(1, 1, 9, 9, 'Cat'),
        square(1, 1, 9, 9, 'big_cat'), square(1, 1, 9, 9, 'dog'),
    )  # fmt: skip
    names = [c['name'] for c in result.coco['categories']]
    assert names == ['Cat', 'big cat', 'big_cat', 'cat', 'dog']
    assert result.count('changed') == {'label with blanks': 2}
    assert result.count('warning') == {'classes spelled alike': 2}
    reasons = ' '.join(issue.reason for issue in result.issues)
    assert "the classes 'Cat' and 'cat' differ" in reasons
    assert "' cat\\u200b' is read as 'cat'" in reasons


def test_groups_are_joined_over_spellings(labelme):
    parts = [square(1, 1, 9, 9, 'cat', 1), square(11, 11, 19, 19, 'cat ', 1)]
    assert len(labelme(*parts).coco['annotations']) == 1


@pytest.mark.parametrize(
    'attribute', [float('nan'), {'x': float('inf')}, [[float('-inf')]]]
)
def test_attributes_that_no_json_holds_are_left_out(labelme, attribute):
    odd = {**square(1, 1, 9, 9), 'attributes': dict(odd=attribute, good=1)}
    result = labelme(odd)
    assert result.coco['annotations'][0]['attributes'] == dict(good=1)
    assert result.count('left_out') == {'attribute': 1}


def test_cvat_shapes_outside_are_left_out(cvat):
    box = '<box label="a" xtl="1" ytl="2" xbr="9" ybr="8"{}/>'
    result = cvat(box.format(''), box.format(' outside="1"'))
    assert len(result.coco['annotations']) == 1
    assert result.count('left_out') == {'shape outside': 1}


@pytest.mark.parametrize('encoding', ['klingon', 'utf-7', 'idna', 'base64', 'utf-32'])
def test_unknown_encodings(tmp_path, encoding):
    path = tmp_path / 'a.xml'
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?><annotations/>')
    with pytest.raises(ValueError, match='a.xml'):
        import_labels('cvat', path, tmp_path / 'o.x')


@pytest.mark.parametrize('encoding', ['utf-16', 'windows-1251', 'iso-8859-1', 'gbk'])
def test_known_encodings(tmp_path, encoding):
    path = tmp_path / 'a.xml'
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><annotations>'
        '<image name="a.png" width="40" height="30"><points label="a" points="1,1"/>'
        '</image></annotations>'
    )
    path.write_bytes(text.encode(encoding))
    try:
        result = import_labels('cvat', path, tmp_path / 'o.x')
    except ValueError as error:  # Multi-byte encodings are more than expat knows.
        assert 'a.xml' in str(error)
    else:
        assert len(result.coco['annotations']) == 1


def test_entity_bombs_and_outer_files(tmp_path):
    path = tmp_path / 'a.xml'
    rows = ''.join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 12))
    path.write_text(
        f'<!DOCTYPE x [<!ENTITY l0 "{"x" * 100}">{rows}]>'
        '<annotations><version>&l11;</version></annotations>'
    )
    with pytest.raises(ValueError, match='a.xml'):
        import_labels('cvat', path, tmp_path / 'o.x')
    (tmp_path / 'secret').write_text('7')
    path.write_text(
        f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
        '<annotations><version>&e;</version></annotations>'
    )
    with pytest.raises(ValueError, match='a.xml'):
        import_labels('cvat', path, tmp_path / 'o.x')


@pytest.mark.parametrize('cut', [3, 40, 90, 200])
def test_broken_archives(tmp_path, cut):
    path = tmp_path / 'a.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('task/annotations.xml', '<annotations>' + 'x' * 999)
    data = bytearray(path.read_bytes())
    data[cut % len(data)] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match='a.zip'):
        import_labels('cvat', path, tmp_path / 'o.x')


def test_links_to_nowhere_are_named(labelme, tmp_path):
    labelme(square(1, 1, 9, 9))
    (tmp_path / 'b.json').symlink_to('nowhere')
    with pytest.raises(LabelImportError, match='b.json: it cannot be read'):
        import_labels('labelme', tmp_path, tmp_path / 'out.x')


def test_options_that_name_nothing(labelme, tmp_path):
    for option in ('classes', 'stuff', 'holes', 'ignored'):
        with pytest.raises(ValueError, match=r'--.* has a name without letters'):
            labelme(square(1, 1, 9, 9), **{option: ['a', ' ']})
    with pytest.raises(ValueError, match='need two names'):
        import_labels('labelme', tmp_path, tmp_path / 'x', report=tmp_path / 'y/../x')


def test_classes_of_labelme_start_with_none(labelme):
    classes = ['__ignore__', '_background_', 'a']
    result = labelme(square(1, 1, 9, 9), classes=classes)
    assert [c['name'] for c in result.coco['categories']] == ['a']


def bits_of(values, sizes=(3, 4, 8, 16)):
    """A stream with runs of equal values, and single values as lists of one."""
    bits = f'{len(values):032b}{7:05b}' + ''.join(f'{size - 1:04b}' for size in sizes)
    start = 0
    while start < len(values):
        stop = start
        while stop < len(values) and values[stop] == values[start]:
            stop += 1
        count = min(stop - start, 2 ** sizes[-1])
        which = next(k for k, size in enumerate(sizes) if count <= 2**size)
        is_run = count > 1
        bits += f'{int(is_run)}{which:02b}{count - 1:0{sizes[which]}b}'
        bits += f'{int(values[start]):08b}'
        start += count
    bits += '0' * (-len(bits) % 8)
    return [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]


def test_brush_masks(tmp_path):
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 2, (HEIGHT, WIDTH)) * rng.integers(1, 256, (HEIGHT, WIDTH))
    mask[10:] = 0
    rgba = np.stack([np.full_like(mask, 7)] * 3 + [mask], axis=-1)
    rle = bits_of(rgba.ravel().tolist())
    decoded = decode_brush(rle, WIDTH, HEIGHT)
    np.testing.assert_array_equal(decoded, mask > 0)
    with pytest.raises(ValueError, match='ends too early'):
        decode_brush(rle[:-20], WIDTH, HEIGHT)
    result = dict(
        id='r', type='brushlabels', original_width=WIDTH, original_height=HEIGHT,
        value=dict(format='rle', rle=rle, brushlabels=['a']),
    )  # fmt: skip
    note = dict(id='r', type='textarea', from_name=['t'], value=dict(text=['big']))
    task = dict(
        id=1, data=dict(image='a.png'), annotations=[dict(result=[result, note])]
    )
    path = tmp_path / 'p.json'
    path.write_text(json.dumps([task]))
    Image.new('RGB', (WIDTH, HEIGHT)).save(tmp_path / 'a.png')
    coco = import_labels('labelstudio', path, tmp_path / 'o.x').coco
    (annotation,) = coco['annotations']
    np.testing.assert_array_equal(pixels_of(annotation), mask > 0)
    assert annotation['attributes'] == dict(t=['big'])


@pytest.mark.parametrize('rle', [None, [], [1, 2], [-1], ['x'], [256], [0] * 99, 'abc'])
def test_broken_brush_masks(rle):
    with pytest.raises(ValueError, match=r'stream|bytes'):
        decode_brush(rle, WIDTH, HEIGHT)
