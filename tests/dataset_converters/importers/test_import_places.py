"""Where images are found, and what happens where they are not."""

import json

import pytest
from PIL import Image

from mmwsis.dataset_converters.conversion import RunOptions
from mmwsis.dataset_converters.importers.image_search import ImageFolder
from mmwsis.dataset_converters.importers.import_labels import (
    ImportSettings,
    LabelImportError,
    import_labels,
)
from mmwsis.dataset_converters.importers.labelstudio_urls import (
    image_paths,
    unlikely_paths,
)

SIZE = (40, 30)


def save(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', SIZE).save(folder / name)


def run(tool, path, img_dir, **settings):
    options = RunOptions(overwrite=True, skip_invalid=settings.pop('skip', False))
    settings = ImportSettings(img_dir=img_dir, **settings)
    return import_labels(tool, path, path.parent / 'out.weak', settings, run=options)


def names(result):
    return [image['file_name'] for image in result.coco['images']]


def labelme(path, image_path, **more):
    path.parent.mkdir(parents=True, exist_ok=True)
    click = dict(label='bolt', shape_type='point', points=[[5, 5]])
    document = dict(shapes=[click], imagePath=image_path, imageWidth=40, imageHeight=30)
    path.write_text(json.dumps(document | more))


def cvat(path, *images):
    inner = ''.join(
        f'<image id="0" width="40" height="30" {image}>'
        '<points label="bolt" points="3,3"/></image>'
        for image in images
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<annotations><version>1.1</version>{inner}</annotations>')
    return path


def labelstudio(path, *urls):
    click = dict(
        id='r',
        type='keypointlabels',
        value=dict(x=10, y=10, width=1, keypointlabels=['bolt']),
        original_width=40,
        original_height=30,
    )
    tasks = [
        dict(id=k, data=dict(image=url), annotations=[dict(id=k, result=[click])])
        for k, url in enumerate(urls)
    ]
    path.write_text(json.dumps(tasks))
    return path


FOUND = [
    # files, paths, what is found, whether it is said
    (['a.jpg'], ['a.jpg'], 'a.jpg', False),
    (['x/a.jpg'], ['a.jpg'], 'x/a.jpg', True),
    (['x/a.jpg', 'a.jpg'], ['x/a.jpg', 'a.jpg'], 'x/a.jpg', False),
    (['x/day1/a.jpg', 'x/day2/a.jpg'], ['day1/a.jpg'], 'x/day1/a.jpg', True),
    (['day2/a.jpg'], ['day1/a.jpg'], None, None),
    (['frame_000001.PNG'], ['frame_000001'], 'frame_000001.PNG', False),
    (['x/frame_000001.png'], ['frame_000001'], 'x/frame_000001.png', True),
    (['A.JPG'], ['a.jpg'], 'A.JPG', True),
    (['a.png'], ['a.jpg'], 'a.png', True),
    (['a.png', 'x/a.jpg'], ['a.jpg'], 'x/a.jpg', True),
    (['Ba\u0308r.jpg'], ['B\u00e4r.jpg'], 'Ba\u0308r.jpg', False),
    (['1.5.jpg'], ['1.5'], '1.5.jpg', False),
    (['b.jpg'], ['a.jpg'], None, None),
]


@pytest.mark.parametrize(('files', 'paths', 'expected', 'is_said'), FOUND)
def test_find(tmp_path, files, paths, expected, is_said):
    save(tmp_path, *files)
    found = ImageFolder(tmp_path).find(paths)
    assert (found.file_name if found.path else None) == expected
    if expected is None:
        assert f'{paths[0]} is not in {tmp_path}; looked at' in found.error
    else:
        assert found.path.is_file()
        assert bool(found.note) == is_said


@pytest.mark.parametrize(
    ('files', 'path'),
    [
        (['x/a.jpg', 'y/a.jpg'], 'a.jpg'),
        (['frame_1.png', 'frame_1.jpg'], 'frame_1'),
        (['x/day1/a.jpg', 'y/day1/a.jpg'], 'day1/a.jpg'),
        (['a.png', 'a.bmp'], 'a.jpg'),
    ],
)
def test_several_that_fit_are_named(tmp_path, files, path):
    save(tmp_path, *files)
    found = ImageFolder(tmp_path).find([path])
    assert found.path is None
    for file in files:
        assert file in found.error


def test_missing_images_stop_the_import(tmp_path):
    save(tmp_path / 'images', 'a.jpg')
    labelme(tmp_path / 'labels/a.json', '../images/a.jpg')
    labelme(tmp_path / 'labels/b.json', '../images/b.jpg')
    settings = dict(path=tmp_path / 'labels', img_dir=tmp_path / 'images')
    with pytest.raises(LabelImportError) as caught:
        run('labelme', **settings)
    assert f'b.json: b.jpg is not in {tmp_path}/images' in str(caught.value)
    assert f'looked at {tmp_path}/images/b.jpg' in str(caught.value)
    assert not (tmp_path / 'out.weak').exists()
    result = run('labelme', **settings, missing_images='skip')
    assert names(result) == ['a.jpg']
    assert result.count('left_out') == {'image not found': 1}
    result = run('labelme', **settings, missing_images='keep')
    assert names(result) == ['a.jpg', 'b.jpg']
    assert result.missing_images == ['b.jpg']


def test_without_any_image_labels_go_over_as_they_are(tmp_path):
    labelme(tmp_path / 'labels/b.json', '../images/b.jpg')
    (tmp_path / 'images').mkdir()
    result = run('labelme', tmp_path / 'labels', tmp_path / 'images')
    assert names(result) == result.missing_images == ['b.jpg']


def test_labelme_two_trees(tmp_path):
    for day in 'ab':
        labelme(tmp_path / f'labels/{day}/001.json', '001.jpg')
        save(tmp_path / f'images/{day}', '001.jpg')
    result = run('labelme', tmp_path / 'labels', tmp_path / 'images')
    assert names(result) == ['a/001.jpg', 'b/001.jpg']
    assert not result.issues


def test_labelme_renamed_together(tmp_path):
    labelme(tmp_path / 'new.json', 'old.jpg')
    save(tmp_path, 'new.png')
    result = run('labelme', tmp_path / 'new.json', tmp_path)
    assert names(result) == ['new.png']
    assert 'imagePath is out of date: old.jpg is not there' in result.issues[0].reason
    # The old name may be that of another image by now.
    save(tmp_path, 'old.jpg')
    with pytest.raises(LabelImportError, match=r'imagePath says old.jpg, but new.png'):
        run('labelme', tmp_path / 'new.json', tmp_path)


def test_labelme_embedded_pictures(tmp_path):
    labelme(tmp_path / 'a.json', 'a.jpg', imageData='iVBOR')
    save(tmp_path, 'other.jpg')
    with pytest.raises(
        LabelImportError, match='a.json: a.jpg .*imageData.*is not read'
    ):
        run('labelme', tmp_path / 'a.json', tmp_path)


def test_cvat_subsets(tmp_path):
    images = ['name="a.jpg" subset="train"', 'name="a.jpg" subset="test"']
    path = cvat(tmp_path / 'annotations.xml', *images)
    save(tmp_path / 'images', 'train/a.jpg', 'test/a.jpg', 'a.jpg')
    result = run('cvat', path, tmp_path / 'images')
    assert names(result) == ['test/a.jpg', 'train/a.jpg']
    result = run('cvat', path, tmp_path)
    assert names(result) == ['images/test/a.jpg', 'images/train/a.jpg']


def test_cvat_several_exports(tmp_path):
    for task in 'xy':
        cvat(tmp_path / f'all/{task}/annotations.xml', 'name="a.jpg"')
        save(tmp_path / f'all/{task}/images', 'a.jpg')
    result = run('cvat', tmp_path / 'all', tmp_path / 'all')
    assert names(result) == ['x/images/a.jpg', 'y/images/a.jpg']
    assert result.issues == []
    (tmp_path / 'all/y/images/a.jpg').unlink()
    with pytest.raises(LabelImportError, match="y/annotations.xml, image 'a.jpg'"):
        run('cvat', tmp_path / 'all', tmp_path / 'all')


@pytest.mark.parametrize(
    ('url', 'file'),
    [
        ('/data/upload/1/1a2b3c4d-a%3Ab.jpg', 'a%3Ab.jpg'),
        ('/data/upload/1/1a2b3c4d-a%3Ab.jpg', 'a:b.jpg'),
        ('/data/upload/1/1a2b3c4d-a+b.jpg', 'a+b.jpg'),
        ('/data/upload/1/a%20b.jpg', 'a b.jpg'),
        ('/data/upload/1/100%.jpg', '100%.jpg'),
        ('/data/upload/1/a#1.jpg', 'a#1.jpg'),
        ('/data/upload/1/a?.jpg', 'a?.jpg'),
        ('/data/local-files/?d=x/a+b.jpg', 'a+b.jpg'),
        ('/data/local-files/?d=x/a+b.jpg', 'a b.jpg'),
        ('/data/local-files/?d=x%2Fa%2Bb.jpg', 'x/a+b.jpg'),
        ('/data/local-files/?d=x/a&b.jpg', 'a&b.jpg'),
        ('/data/local-files/?d=C%3A%5Cx%5Ca.jpg', 'x/a.jpg'),
        ('s3://bucket/x/a%3Ab.jpg', 'x/a%3Ab.jpg'),
        ('gs://bucket/x/a.jpg', 'a.jpg'),
        ('https://ex.org/a.jpg?X-Amz-Signature=1/b.jpg', 'a.jpg'),
        ('/tasks/1/resolve/?fileuri=czM6Ly9idWNrZXQveC9hLmpwZw==', 'x/a.jpg'),
        ('http://[a.jpg', '[a.jpg'),
        ('/data/upload/1/1a2b3c4d-a_b1.jpg', 'x/a b(1).jpg'),
    ],
)
def test_labelstudio_addresses(tmp_path, url, file):
    save(tmp_path, file, 'b.jpg')
    path = labelstudio(tmp_path / 'p.json', url)
    assert names(run('labelstudio', path, tmp_path)) == [file]


def test_unlikely_paths_are_others():
    url = '/data/upload/1/1a2b3c4d-a%3Ab.jpg'
    assert not {*image_paths(url)} & {*unlikely_paths(url)}


def test_labelstudio_pages(tmp_path):
    save(tmp_path, 'a.jpg', 'b.jpg')
    path = labelstudio(tmp_path / 'p.json', '')
    (task,) = json.loads(path.read_text())
    task['data'] = dict(pages=['/data/upload/1/a.jpg', '/data/upload/1/b.jpg'])
    (click,) = task['annotations'][0]['result']
    task['annotations'][0]['result'] = [
        click | dict(item_index=1),
        click | dict(item_index=1, id='s'),
    ]
    path.write_text(json.dumps([task]))
    result = run('labelstudio', path, tmp_path)
    assert names(result) == ['a.jpg', 'b.jpg']
    assert [a['image_id'] for a in result.coco['annotations']] == [2, 2]


def test_labelstudio_several_images_in_a_task(tmp_path):
    save(tmp_path, 'a.jpg', 'b.jpg')
    path = labelstudio(tmp_path / 'p.json', '')
    (task,) = json.loads(path.read_text())
    task['data'] = dict(left='a.jpg', right='b.jpg')
    (click,) = task['annotations'][0]['result']
    task['annotations'][0]['result'] = [
        click | dict(to_name='img-1'),
        click | dict(to_name=['img-2'], id='s'),
        click | dict(to_name='img-2', id='t'),
    ]
    path.write_text(json.dumps([task]))
    with pytest.raises(LabelImportError, match=r'img-1, img-2, data has .*--to-name'):
        run('labelstudio', path, tmp_path, image_key='right')
    result = run('labelstudio', path, tmp_path, image_key='right', to_name='img-2')
    assert names(result) == ['b.jpg']
    assert len(result.coco['annotations']) == 2
    assert result.count('left_out') == {'regions of other images': 1}
    with pytest.raises(LabelImportError, match="--to-name says 'img'; .*img-1"):
        run('labelstudio', path, tmp_path, image_key='right', to_name='img')


def test_labelstudio_regions_of_another_key(tmp_path):
    save(tmp_path, 'a.jpg', 'b.jpg')
    path = labelstudio(tmp_path / 'p.json', 'a.jpg')
    (task,) = json.loads(path.read_text())
    task['data']['image2'] = 'b.jpg'
    task['annotations'][0]['result'][0]['to_name'] = 'image2'
    path.write_text(json.dumps([task]))
    with pytest.raises(LabelImportError, match='which belong to data.image'):
        run('labelstudio', path, tmp_path)
    assert names(run('labelstudio', path, tmp_path, image_key='image2')) == ['b.jpg']
    result = run('labelstudio', path, tmp_path, to_name='image2')
    assert names(result) == ['a.jpg']


@pytest.mark.parametrize('url', ['data:image/png;base64,iVBOR', ' ', 7, None, [], ['']])
def test_labelstudio_addresses_that_are_none(tmp_path, url):
    path = labelstudio(tmp_path / 'p.json', url)
    with pytest.raises(LabelImportError, match='p.json, task 0: '):
        run('labelstudio', path, tmp_path)


def test_labelstudio_sizes_come_from_the_image(tmp_path):
    path = labelstudio(tmp_path / 'p.json', 'a.jpg')
    (task,) = json.loads(path.read_text())
    for key in ('original_width', 'original_height'):
        del task['annotations'][0]['result'][0][key]
    path.write_text(json.dumps([task]))
    with pytest.raises(LabelImportError, match='no original_width .*a.jpg is not in'):
        run('labelstudio', path, tmp_path)
    save(tmp_path, 'a.jpg')
    result = run('labelstudio', path, tmp_path)
    assert result.coco['annotations'][0]['point'] == [4, 3]
