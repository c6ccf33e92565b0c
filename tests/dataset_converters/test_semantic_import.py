"""Folders of other projects' semantic PNGs become folders of semantic maps."""

import json
import runpy
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mmseg.datasets import PascalVOCDataset
from PIL import Image

from mmwsis.datasets.transforms import LoadSemanticMap
from mmwsis.evaluation.label_map_report import report_of_maps
from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.segment_maps import encode_segment_map
from mmwsis.formats.semantic_maps import read_semantic_map

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/import_semantic_maps.py'
SIZE = (4, 6)
NAMES = ('background', 'cat', 'dog', 'owl')
COLOURS = ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
LABELMAP = '# label:color_rgb:parts:actions\n' + '\n'.join(
    f'{name}:{",".join(map(str, colour))}::' for name, colour in zip(NAMES, COLOURS)
)


@pytest.fixture
def place(tmp_path):
    """Two images of three classes, ``a.jpg`` and ``town/b.jpg``, and their maps."""
    write_labels(tmp_path, ('cat', 'dog', 'owl'))
    write_map(tmp_path, 'a', np.arange(24).reshape(SIZE) % 4)
    write_map(tmp_path, 'town/b', np.full(SIZE, 255))
    return tmp_path


def write_labels(folder, names, files=('a.jpg', 'town/b.jpg'), start=1):
    images = [
        dict(id=70 + k, file_name=name, height=SIZE[0], width=SIZE[1])
        for k, name in enumerate(files)
    ]
    categories = [dict(id=k, name=name) for k, name in enumerate(names, start)]
    content = dict(images=images, annotations=[], categories=categories)
    (folder / 'labels.json').write_text(json.dumps(content))


def write_map(folder, name, values, palette=None):
    path = folder / 'png' / f'{name}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.asarray(values, dtype=np.uint8)
    image = Image.fromarray(values)
    if palette is not None:
        image = Image.fromarray(values, 'P')
        image.putpalette(np.asarray(palette, dtype=np.uint8).tobytes())
    image.save(path)


@pytest.fixture
def run(place, capsys, monkeypatch):
    """Run the tool; returns what it says, and the error if it ends with one."""

    def start(*options, classes=NAMES):
        table = ['--classes', *classes] if classes else []
        argv = [place / 'png', place / 'labels.json', '--out', place / 'out']
        argv = map(str, [TOOL, *argv, '--workers', 1, *table, *options])
        monkeypatch.setattr(sys, 'argv', [*argv])
        capsys.readouterr()
        error = ''
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as end:
            error = str(end.code)
            assert error.startswith('error: ') and not (place / 'new').exists()
        said = capsys.readouterr()
        return said.out + said.err, error

    return start


def read(place, image_id=70):
    index = MapIndex(place / 'out', 'semantic_maps')
    return read_semantic_map(index.path(image_id))


def load(place, classes, image_id=70):
    sample = dict(img_id=image_id, height=SIZE[0], width=SIZE[1], classes=classes)
    return LoadSemanticMap(str(place / 'out')).transform(sample)['gt_seg_map']


def content(folder):
    files = sorted(path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_values_stay_as_they_are(place, run):
    said, error = run()
    assert not error and 'semantic maps of 2 images' in said
    index = json.loads((place / 'out' / 'index.json').read_text())
    assert index['type'] == 'semantic_maps' and index['classes'] == [*NAMES]
    origin = index['info']['mmwsis']
    assert origin['tool'] == 'import_semantic_maps' and origin['source'] == 'png'
    assert len(origin['source_sha256']) == len(origin['labels_sha256']) == 64
    assert [im['file'] for im in index['images']] == ['a.png', 'town/b.png']
    np.testing.assert_array_equal(read(place), np.arange(24).reshape(SIZE) % 4)
    assert (read(place, 71) == 255).all()
    found = load(place, ('owl', 'cat', 'dog'))
    np.testing.assert_array_equal(found, np.array([0, 2, 3, 1])[read(place)])
    report = report_of_maps(place / 'out', place / 'out', place / 'q')
    assert report['mIoU'] == 1 and len(report['per_class']) == 4


@settings(max_examples=25, deadline=None)
@given(values=hnp.arrays(np.uint8, SIZE, elements=st.sampled_from([0, 1, 2, 3, 255])))
def test_all_spellings_of_a_map_are_one(tmp_path_factory, values):
    from mmwsis.dataset_converters.semantic_import import import_semantic_maps
    from mmwsis.dataset_converters.semantic_tables import file_table

    folder = tmp_path_factory.mktemp('maps')
    write_labels(folder, NAMES[1:], ('a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'))
    palette = np.zeros((256, 3), np.uint8)
    palette[:4], palette[255] = COLOURS, (224, 224, 192)
    write_map(folder, 'a', values)
    write_map(folder, 'b', values, palette)
    write_map(folder, 'c', palette[values])
    write_map(folder, 'd', np.dstack([palette[values], values]))  # with alpha
    (folder / 'labelmap.txt').write_text(f'{LABELMAP}\n')
    table = file_table(folder / 'labelmap.txt')
    object.__setattr__(table, 'ignored', table.ignored | {(224, 224, 192)})
    import_semantic_maps(folder / 'png', folder / 'labels.json', folder / 'out', table)
    for image_id in range(70, 74):
        np.testing.assert_array_equal(read(folder, image_id), values)


def test_mmsegmentation_reads_it(place, run):
    write_labels(place, PascalVOCDataset.METAINFO['classes'][1:], ['a.jpg'])
    write_map(place, 'a', np.arange(24).reshape(SIZE) % 21)
    said, error = run('--mmseg', 'PascalVOCDataset', classes=())
    assert not error and '1 maps of no image:\n  town/b.png' in said
    (place / 'images').mkdir()
    cv2.imwrite(str(place / 'images/a.jpg'), np.zeros((*SIZE, 3), np.uint8))
    (place / 'set.txt').write_text('a')
    dataset = PascalVOCDataset(
        ann_file=str(place / 'set.txt'),
        data_prefix=dict(img_path=str(place / 'images'), seg_map_path=place / 'out'),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmseg.LoadAnnotations'),
        ],
    )
    np.testing.assert_array_equal(dataset[0]['gt_seg_map'], read(place))


def test_zero_is_no_label(place, run):
    write_labels(place, ('cat', 'dog', 'owl'))
    _, error = run('--reduce-zero-label', classes=NAMES[1:])
    assert not error
    raw = np.arange(24).reshape(SIZE) % 4
    expected = np.where(raw == 0, 255, raw - 1)
    np.testing.assert_array_equal(read(place), expected)
    # Without a background class k is k.
    np.testing.assert_array_equal(
        load(place, ('dog', 'cat', 'owl')),
        np.select([raw == 1, raw == 2, raw == 3], [1, 0, 2], 255),
    )


def test_background_is_a_class_of_panoptic_labels(place, run):
    write_labels(place, ('background', 'cat', 'dog', 'owl'))
    run()
    classes = ('cat', 'dog', 'owl', 'background')
    found = load(place, classes)
    np.testing.assert_array_equal(found, np.array([3, 0, 1, 2])[read(place)])


def test_values_of_the_label_file(place, run):
    _, error = run('--values', 'category-order', '--background', classes=())
    assert not error and MapIndex(place / 'out').classes == NAMES
    write_labels(place, ('owl', 'cat', 'dog', 'nut'), start=0)
    said, error = run('--values', 'category-ids', '--overwrite', classes=())
    assert not error
    assert MapIndex(place / 'out').classes == ('owl', 'cat', 'dog', 'nut')
    _, error = run('--values', 'category-ids', '--background', classes=())
    assert "value 0 is 'owl' already" in error


@pytest.mark.parametrize(
    ('name', 'text', 'names'),
    [
        ('a.txt', '__ignore__\n_background_\ncat\n dog \n\nowl\n', NAMES),
        ('a.txt', LABELMAP, NAMES),
        ('names', 'background\ncat\ndog\nowl', NAMES),
        ('a.json', '["background", "cat", "dog", "owl"]', NAMES),
        ('a.json', '{"0": "background", "1": "cat", "2": "dog", "3": "owl"}', NAMES),
        ('a.txt', '\ufeffcat\ndog\nowl', NAMES[1:]),
    ],
)
def test_files_of_names(place, run, name, text, names):
    (place / name).write_text(text, encoding='utf-8')
    _, error = (
        run('--background', classes=[str(place / name)])
        if (names != NAMES)
        else run(classes=[str(place / name)])
    )
    assert not error and MapIndex(place / 'out').classes == NAMES


def test_classes_without_a_tag_are_listed(place, run):
    """As a table is seen that is off by one, though every value is in it."""
    labels = json.loads((place / 'labels.json').read_text())
    labels['images'][0]['tags'] = [1, 2]
    (place / 'labels.json').write_text(json.dumps(labels))
    said, error = run()
    assert not error
    assert read(place)[0, 3] == 3  # written all the same
    assert 'lack their tag' in said and "'owl' in 1 of 2" in said
    assert "'cat'" not in said and "'background'" not in said


def test_gaps_are_closed(place, run):
    table = {7: 'cat', 11: 'dog', 3: 'ego vehicle', 4: 'owl'}
    (place / 'ids.json').write_text(json.dumps(table))
    write_map(place, 'a', np.array([[7, 11, 3, 4, 0, 255]] * 4))
    said, error = run(
        *('--ignore-classes', 'ego vehicle', '--ignore-values', '0'),
        classes=[str(place / 'ids.json')],
    )
    assert not error and 'renumbered' in said
    assert MapIndex(place / 'out').classes == ('owl', 'cat', 'dog')
    assert read(place)[0].tolist() == [1, 2, 255, 0, 255, 255]


def test_suffixes_and_folders(place, run):
    write_labels(place, ('cat',), ['b/x_leftImg8bit.png', 'y_leftImg8bit.png'])
    for name in ('b/x', 'deep/er/y'):
        write_map(place, f'{name}_gtFine_labelTrainIds', np.zeros(SIZE))
        write_map(place, f'{name}_gtFine_color', np.full(SIZE, 77))
    options = ('--img-suffix', '_leftImg8bit.png', '--seg-suffix')
    said, error = run(*options, '_gtFine_labelTrainIds.png', classes=['cat'])
    assert not error and 'of no image' not in said
    assert MapIndex(place / 'out').path(70) == place / 'out/b/x_leftImg8bit.png'
    write_labels(place, ('cat',), ['y.jpg'])
    _, error = run('--overwrite', classes=['cat'])
    assert "y_gtFine_color.png: say --seg-suffix '_gtFine_color.png'" in error
    write_map(place, 'other/y_gtFine_labelTrainIds', np.zeros(SIZE))
    _, error = run(
        '--overwrite', '--seg-suffix', '_gtFine_labelTrainIds.png', classes=['cat']
    )
    assert 'y.jpg) has several maps' in error


def test_a_palette_that_contradicts(place, run):
    (place / 'labelmap.txt').write_text(LABELMAP)
    table = [str(place / 'labelmap.txt')]
    palette = np.zeros((4, 3), np.uint8)
    palette[:4] = (COLOURS[0], COLOURS[3], COLOURS[2], COLOURS[1])
    values = np.arange(24).reshape(SIZE) % 4
    write_map(place, 'a', values, palette)
    _, error = run(classes=table)
    assert "palette index 1 ('cat') in the colour of 'owl'; say --pixels" in error
    run('--pixels', 'values', classes=table)
    np.testing.assert_array_equal(read(place), values)
    write_map(place, 'town/b', values, palette)
    run('--pixels', 'colours', '--overwrite', classes=table)
    np.testing.assert_array_equal(read(place), np.array([0, 3, 2, 1])[values])
    write_map(place, 'a', values)
    _, error = run('--pixels', 'colours', '--overwrite', classes=table)
    assert 'a.png: stores grey values, not colours' in error


@pytest.mark.parametrize(
    ('names', 'options', 'message'),
    [
        (('background', 'Cat', 'dog', 'owl'), (), "'Cat' and 'cat' differ in upper"),
        (('background', 'cats', 'dog', 'owl'), (), "'cats'; is it 'cat'?.*'cats=cat'"),
        (('background', 'zebra'), (), "'zebra'\n.*--rename NAME=CATEGORY"),
        (('cat', 'cat'), (), r"names \['cat'\] more than once"),
        (NAMES, ('--rename', 'cow=cat'), r"--rename names \['cow'\]; the table has"),
        (NAMES, ('--rename', 'cow'), "'cow': write OLD=NEW"),
        (NAMES, ('--ignore-classes', 'cow'), r"--ignore-classes names \['cow'\]"),
        (NAMES, ('--ignore-values', '2'), "--ignore-values 2 is the class 'dog'"),
        (NAMES, ('--background',), 'has a background already'),
        (NAMES, ('--background', '--reduce-zero-label'), 'give one of them'),
        (('no.json',), (), 'there is no file no.json'),
        ((), ('--mmseg', 'VOC'), "--mmseg 'VOC' is none of .*'PascalVOCDataset'"),
    ],
)
def test_class_tables_that_do_not_fit(place, run, names, options, message):
    import re

    _, error = run(*options, classes=names)
    assert re.search(message, error, re.DOTALL), error
    assert not (place / 'out').exists()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda p: write_map(p, 'a', np.full(SIZE, 9)), r'a.png: has the values [9], '),
        (
            lambda p: write_map(p, 'a', np.zeros((5, 6))),
            'a.png: is 6 x 5 pixels (width x height), image id 70 is 6 x 4',
        ),
        (
            lambda p: write_map(p, 'a', np.zeros((*SIZE, 3))),
            'a.png: stores colours, not numbers of classes; give a class table',
        ),
        (lambda p: (p / 'png/a.png').write_bytes(b'PNG'), 'a.png: '),
        (
            lambda p: Image.fromarray(np.zeros(SIZE, np.uint8)).save(
                p / 'png/a.png', 'JPEG'
            ),
            'a.png: is a JPEG, which smears labels',
        ),
        (
            lambda p: cv2.imwrite(
                str(p / 'png/a.png'), np.full(SIZE, 300, dtype=np.uint16)
            ),
            'has the values [300]',
        ),
    ],
)
def test_broken_maps_are_named(place, run, change, message):
    change(place)
    before = content(place)
    _, error = run()
    assert message in error and '1 images cannot be imported' in error
    assert content(place) == before
    said, error = run('--skip-invalid')
    assert not error and message in said
    assert MapIndex(place / 'out').image_ids == [71]


def test_unknown_colours_are_named(place, run):
    (place / 'labelmap.txt').write_text(LABELMAP)
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[2, 3] = (126, 1, 0)
    write_map(place, 'a', pixels)
    _, error = run(classes=[str(place / 'labelmap.txt')])
    assert 'colour (126, 1, 0) at pixel (x, y) = (3, 2)' in error
    assert "'cat' is (128, 0, 0) (the maps may have been scaled" in error
    _, error = run('--ignore-colours', '126,1,0', classes=[str(place / 'labelmap.txt')])
    assert not error and read(place)[2, 3] == 255


def test_missing_maps(place, run):
    write_labels(place, NAMES[1:], ['a.jpg', 'town/b.jpg', 'c.jpg'])
    _, error = run()
    assert 'of 1 of the 3 images' in error and 'c.jpg' in error
    said, error = run('--missing', 'skip')
    assert not error and '1 images without a map:\n  c.jpg' in said
    assert MapIndex(place / 'out').image_ids == [70, 71]


def test_places(place, run, monkeypatch, capsys):
    run()
    before = content(place / 'out')
    _, error = run()
    assert 'holds semantic maps; give another --out, or --overwrite' in error
    assert content(place / 'out') == before
    write_labels(place, NAMES[1:], ['a.jpg'])
    _, error = run('--overwrite')
    # What the old import alone had is gone.
    assert not error and content(place / 'out').keys() == {'a.png', 'index.json'}
    (place / 'out' / 'index.json').unlink()
    _, error = run('--overwrite')
    assert 'is not empty and no folder of semantic maps' in error
    argv = [str(TOOL), str(place / 'png'), str(place / 'labels.json')]
    argv += ['--out', str(place / 'png' / 'new'), '--classes', *NAMES]
    monkeypatch.setattr(sys, 'argv', argv)
    with pytest.raises(SystemExit, match='lie in each other'):
        runpy.run_path(str(TOOL), run_name='__main__')


def test_label_files_without_images(place, run):
    write_labels(place, NAMES[1:], ())
    for options in ((), ('--values', 'category-order')):
        _, error = run(*options, classes=() if options else NAMES)
        assert 'labels.json lists no image' in error
    (place / 'labels.json').write_text('[]')
    _, error = run()
    assert 'labels.json' in error


def test_two_processes_make_the_same(place, run):
    run()
    first = content(place / 'out')
    run('--overwrite', '--workers', '2')
    assert content(place / 'out') == first


@pytest.fixture
def panoptic(place):
    """Ground truth of the first image: the upper half a cat, the lower one void."""
    (place / 'gt').mkdir()
    ids = np.zeros(SIZE, int)
    ids[:2] = 300
    (place / 'gt' / 'x.png').write_bytes(encode_segment_map(ids))
    content = dict(
        images=[dict(id=70, file_name='a.jpg', height=SIZE[0], width=SIZE[1])],
        annotations=[
            dict(
                image_id=70,
                file_name='x.png',
                segments_info=[dict(id=300, category_id=9)],
            )
        ],
        categories=[dict(id=9, name='cat', isthing=1)],
    )
    (place / 'gt.json').write_text(json.dumps(content))
    return place / 'gt.json'


def test_quality_against_panoptic_ground_truth(place, run, panoptic):
    run(classes=NAMES)  # a quarter of the pixels is a cat
    report = report_of_maps(place / 'out', panoptic, place / 'q')
    assert report['images'] == 1 and report['aAcc'] == 0.25
    assert {one['name']: one['IoU'] for one in report['per_class']}['cat'] == 0.25
    content = panoptic.read_text().replace('"cat"', '"Cat"')
    panoptic.write_text(content)
    with pytest.raises(ValueError, match="categories 'Cat', which .*'Cat' and 'cat'"):
        report_of_maps(place / 'out', panoptic, place / 'q')


def test_quality_of_folders_with_an_index(place, run):
    run()
    (place / 'out').rename(place / 'truth')
    write_map(place, 'a', np.zeros(SIZE))
    run()
    report = report_of_maps(place / 'out', place / 'truth', place / 'q')
    assert report['images'] == 2 and report['aAcc'] == 0.25
    write_labels(place, ('cat', 'owl', 'dog'))
    run('--overwrite', classes=('background', 'cat', 'owl', 'dog'))
    with pytest.raises(ValueError, match=r"'owl', 'dog'\), .*import one of them"):
        report_of_maps(place / 'out', place / 'truth', place / 'q')
