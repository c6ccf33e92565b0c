"""Levels, classes, reports and the command line, whatever the tool."""

import json

import pytest

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)
from mmwsis.datasets.coco_weak import CocoWeakDataset
from mmwsis.formats.coco_file import load_coco

BOX = dict(label='bolt', shape_type='rectangle', points=[[10, 10], [50, 40]])
CLICK = dict(label='nut', shape_type='point', points=[[100, 50]])
OUTLINE = dict(label='nut', shape_type='polygon', points=[[60, 60], [90, 60], [75, 90]])
CIRCLE = dict(label='rope', shape_type='circle', points=[[100, 50], [110, 50]])


@pytest.fixture
def labels(tmp_path):
    folder = tmp_path / 'labels'
    folder.mkdir()

    def write(**files):
        for name, (shapes, flags) in files.items():
            content = dict(
                version='5.4.1', flags=dict.fromkeys(flags, True), shapes=shapes,
                imagePath=f'{name}.png', imageData=None, imageHeight=100,
                imageWidth=200,
            )  # fmt: skip
            (folder / f'{name}.json').write_text(json.dumps(content))
        return folder

    return write


def run(folder, **settings):
    out = folder.parent / 'out.json'
    run = RunOptions(skip_invalid=settings.pop('skip_invalid', False), overwrite=True)
    return import_labels('labelme', folder, out, ImportSettings(**settings), run=run)


def levels(result):
    return {im['file_name'][0]: im['supervision'] for im in result.coco['images']}


def test_an_image_has_the_strongest_level_that_all_its_objects_have(labels):
    folder = labels(
        a=([OUTLINE], []), b=([OUTLINE, BOX], []), c=([OUTLINE, CLICK], []),
        d=([BOX, CLICK], []), e=([], ['nut']), f=([], []),
    )  # fmt: skip
    result = run(folder)
    assert levels(result) == dict(
        a='masks', b='boxes', c='points', d='image_tags', e='image_tags', f='masks'
    )
    assert result.count('changed') == {
        'masks kept as boxes': 1, 'masks kept as points': 1
    }  # fmt: skip
    assert result.count('left_out') == {
        'objects of an image without a common level': 2
    }  # fmt: skip
    assert "because shape 1 'bolt' of this image has no more" in str(result.issues[0])
    written = load_coco(str(folder.parent / 'out.json'), 'masks')
    assert written['annotations'] == result.coco['annotations']
    assert result.coco['images'][3]['tags'] == [1, 2]
    result = run(folder, points_from_boxes=True)
    assert levels(result)['d'] == 'points'
    own = [a['point'] for a in result.coco['annotations'] if a['image_id'] == 4]
    assert own == [[30, 25], [100, 50]]


def test_a_data_set_reads_every_level(labels):
    folder = labels(a=([OUTLINE], []), b=([BOX], []), c=([CLICK], []))
    run(folder)
    for level, numbers in (('masks', [1, 1, 1]), ('boxes', [1, 1, 1])):
        dataset = CocoWeakDataset(
            ann_file=str(folder.parent / 'out.json'),
            metainfo=dict(classes=('bolt', 'nut')),
            data_prefix=dict(img=''),
            supervision=level,
            pipeline=[],
            filter_cfg=None,
        )
        infos = [dataset.get_data_info(index) for index in range(3)]
        assert [len(info['instances']) for info in infos] == numbers
        assert ('mask' in infos[0]['instances'][0]) == (level == 'masks')


def test_images_without_a_label_are_kept_or_dropped(labels):
    folder = labels(a=([BOX], []), b=([], []))
    result = run(folder)
    assert (len(result.coco['images']), result.empty_images) == (2, 1)
    result = run(folder, drop_empty=True)
    assert (len(result.coco['images']), result.empty_images) == (1, 0)
    assert result.count('left_out') == {'empty image': 1}
    folder = labels(a=([], []), b=([], []))
    with pytest.raises(ValueError, match='no label in any of 2 images'):
        run(folder)
    result = run(folder, classes=['bolt'])
    assert levels(result) == dict(a='image_tags', b='image_tags')
    assert 'supervision' not in result.coco['info']['mmwsis']  # there is nothing to be


def test_classes_are_numbered_by_the_list(labels):
    folder = labels(a=([BOX, OUTLINE], ['blurry']))
    result = run(folder, classes=['nut', 'screw', 'bolt'], ignored=['blurry'])
    ids = {c['name']: c['id'] for c in result.coco['categories']}
    assert ids == dict(nut=1, screw=2, bolt=3)
    assert [a['category_id'] for a in result.coco['annotations']] == [3, 1]
    with pytest.raises(ValueError, match=r'2 label\(s\)') as caught:
        run(folder, classes=['nuts', 'bolt'])
    caught.match("'nut', first at a.json: shape 1 'nut'; did they mean 'nuts'")
    caught.match("'blurry', first at a.json: a tag")
    caught.match('--ignore-labels')
    with pytest.raises(ValueError, match='names a class twice'):
        run(folder, classes=['nut', 'bolt', 'nut'])


def test_ignored_labels_are_counted(labels):
    folder = labels(a=([BOX, OUTLINE], ['bolt']))
    result = run(folder, ignored=['bolt'])
    assert result.count('left_out') == {"label 'bolt'": 1}
    assert [c['name'] for c in result.coco['categories']] == ['nut']
    assert result.coco['images'][0]['tags'] == [1]


def test_stuff_is_a_tag(labels):
    grass = {**OUTLINE, 'label': 'grass'}
    folder = labels(a=([BOX, grass], ['sky']))
    result = run(folder, stuff=['sky', 'grass'])
    assert [c['isthing'] for c in result.coco['categories']] == [1, 0, 0]
    assert result.coco['images'][0]['tags'] == [1, 2, 3]
    assert levels(result) == dict(a='boxes')
    assert result.count('changed') == {"object of stuff class 'grass'": 1}
    with pytest.raises(ValueError, match=r"--stuff names \['road'\]"):
        run(folder, stuff=['road'])


def test_strict_stops_at_anything_that_does_not_go_over(labels):
    folder = labels(a=([BOX, CIRCLE], []))
    with pytest.raises(LabelImportError, match='a circle is no point') as caught:
        run(folder, strict=True)
    caught.match('--strict')
    assert not (folder.parent / 'out.json').exists()
    run(labels(a=([BOX], [])), strict=True)


def test_the_tool_says_what_it_left_out(labels, run_tool, capsys):
    folder = labels(a=([BOX, CIRCLE], []), b=([BOX], ['sky']))
    out, report = folder.parent / 'weak.json', folder.parent / 'report.json'
    command = [folder, '--from', 'labelme', '--out', out, '--workers', 1]
    run_tool(*command)
    shown = capsys.readouterr()
    assert 'weak.json: 2 images (boxes 2), 2 objects, 3 classes' in shown.out
    assert 'left out: 1 x shape circle' in shown.err
    assert "a.json: shape 1 'rope': a circle is no point" in shown.err
    assert '2 images are not in the image folder, the first is a.png' in shown.err
    with pytest.raises(SystemExit, match='--overwrite'):
        run_tool(*command)
    with pytest.raises(SystemExit, match='drop --strict'):
        run_tool(*command, '--overwrite', '--strict', '--report', report)
    listed = json.loads(report.read_text())  # written though the import was refused
    assert listed['counts']['left_out'] == {'shape circle': 1}
    assert listed['left_out'][0]['source'] == 'a.json'
    assert listed['missing_images'] == ['a.png', 'b.png']
    info = json.loads(out.read_text())['info']['mmwsis']
    assert (info['supervision'], info['left_out']) == ('boxes', 1)


def test_the_tool_reads_class_lists_from_files(labels, run_tool, tmp_path, capsys):
    folder = labels(a=([BOX], []))
    names = tmp_path / 'names.txt'
    names.write_text('nut\nbolt\n\n')
    out = tmp_path / 'weak.json'
    command = [folder, '--from', 'labelme', '--out', out, '--workers', 1]
    run_tool(*command, '--classes', names)
    assert [c['name'] for c in json.loads(out.read_text())['categories']] == [
        'nut', 'bolt'
    ]  # fmt: skip
    with pytest.raises(SystemExit, match='not in --classes'):
        run_tool(*command, '--overwrite', '--classes', 'nut', 'screw')
    with pytest.raises(SystemExit, match='image folder none does not exist'):
        run_tool(*command, '--overwrite', '--img-dir', 'none')
