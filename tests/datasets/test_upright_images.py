"""A phone's photograph, from the labelling tool to the crop that is trained on."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from mmwsis.datasets.object_crop_geometry import resize_crop, wrap_crop
from mmwsis.formats.coco_masks import annotation_mask
from mmwsis.registry import DATASETS

TOOLS = Path(__file__).parents[2] / 'tools'
WIDTH, HEIGHT = 80, 64
OBJECT = (slice(8, 24), slice(48, 72))  # rows and columns, in no symmetric place
BOX = [48, 8, 72, 24]
# What a camera does to an upright image, by the orientation that it notes.
LAY = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[:, ::-1],
}


@pytest.fixture(autouse=True)
def _mmdet_scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def tool(name):
    spec = importlib.util.spec_from_file_location(Path(name).stem, TOOLS / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture
def photograph(tmp_path):
    """A red box on grey, labelled upright in LabelMe and stored lying."""

    def make(orientation, suffix='.jpg'):
        upright = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        upright[OBJECT] = 255, 0, 0
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {
            '.jpg': dict(quality=95, subsampling=0),
            '.webp': dict(lossless=True),
        }.get(suffix, {})
        Image.fromarray(np.ascontiguousarray(LAY[orientation](upright))).save(
            tmp_path / f'a{suffix}', exif=exif, **options
        )
        corners = [[48, 8], [72, 8], [72, 24], [48, 24]]
        shape = dict(label='bolt', points=corners, shape_type='polygon', flags={})
        content = dict(
            version='5.4.1',
            flags={},
            shapes=[shape],
            imagePath=f'a{suffix}',
            imageData=None,
            imageHeight=HEIGHT,
            imageWidth=WIDTH,
        )
        (tmp_path / 'a.json').write_text(json.dumps(content))
        return tmp_path

    return make


def imported(folder):
    out = folder / 'out' / 'labels.json'
    options = ['--img-dir', str(folder), '--out', str(out)]
    tool('dataset_converters/import_labels.py')(
        ['--from', 'labelme', str(folder / 'a.json'), *options]
    )
    return out


def checked(path, folder, *options):
    main = tool('analysis_tools/check_dataset.py')
    return main([str(path), '--images', str(folder), '--workers', '1', *options])


def sample(kind, path, folder, *pipeline):
    dataset = DATASETS.build(
        dict(
            type=kind,
            ann_file=str(path),
            data_prefix=dict(img=f'{folder}/'),
            pipeline=list(pipeline),
            metainfo=dict(classes=('bolt',)),
            filter_cfg=None,
            **({} if kind.startswith('mmdet') else dict(supervision='masks')),
        )
    )
    return dataset[0]


def assert_red_is_the_object(rgb, mask):
    red = rgb[..., 0].astype(int) - rgb[..., 1]
    assert mask.any() and red[mask].min() > 180 and red[~mask].max() < 60


@pytest.mark.parametrize('suffix', ['.jpg', '.png', '.webp', '.tif'])
@pytest.mark.parametrize('orientation', LAY)
def test_labels_lie_on_the_object(photograph, orientation, suffix, capsys):
    folder = photograph(orientation, suffix)
    path = imported(folder)
    (image,) = json.loads(path.read_text())['images']
    assert (image['width'], image['height']) == (WIDTH, HEIGHT)
    capsys.readouterr()
    assert checked(path, folder) == 0
    warned = 'image-orientation' in capsys.readouterr().out
    assert warned is (orientation != 1)
    assert checked(path, folder, '--no-decode') == 0

    loader, read = dict(type='mmwsis.LoadCachedImage'), {}
    crop = dict(type='mmwsis.ObjectCrop', crop_size=32, train=False)
    for name, step in (
        ('ours', loader),
        ('mmdet', dict(type='LoadImageFromFile')),
        ('checked', dict(type='mmwsis.LoadCheckedImage')),
    ):
        annotations = dict(type='mmdet.LoadAnnotations', with_mask=True)
        results = sample('mmdet.CocoDataset', path, folder, step, annotations)
        read[name] = results['img'] if name == 'ours' else results['img'][..., ::-1]
        mask = results['gt_masks'].to_ndarray()[0].astype(bool)
        assert results['ori_shape'] == (HEIGHT, WIDTH)
        assert_red_is_the_object(read[name], mask)
    np.testing.assert_array_equal(read['ours'], read['mmdet'])
    np.testing.assert_array_equal(read['ours'], read['checked'])

    results = sample('mmwsis.ObjectCropDataset', path, folder, loader, crop)
    np.testing.assert_array_equal(results['bbox'], BOX)
    mask = annotation_mask(results['gt_mask'], (HEIGHT, WIDTH), 'the file')
    window = results['crop_box']
    inside = wrap_crop(np.repeat(mask[..., None] * np.uint8(255), 3, 2), window)
    sure = resize_crop(inside, 32)[..., 0]
    red = results['img'][..., 0].astype(int) - results['img'][..., 1]
    assert red[sure == 255].min() > 180 and red[sure == 0].max() < 60
    assert (sure == 255).sum() > 200


@pytest.mark.parametrize('orientation', [5, 6, 7, 8])
def test_a_file_of_the_lying_size_is_an_error_everywhere(
    photograph, orientation, capsys
):
    folder = photograph(orientation)
    path = imported(folder)
    coco = json.loads(path.read_text())
    coco['images'][0].update(width=HEIGHT, height=WIDTH)
    path.write_text(json.dumps(coco))
    for options in ((), ('--no-decode',)):
        assert checked(path, folder, *options) == 1
        said = capsys.readouterr().out
        assert 'image-size-differs' in said and 'EXIF orientation' in said
    for step in ('mmwsis.LoadCachedImage', 'mmwsis.LoadCheckedImage'):
        with pytest.raises(ValueError, match=r'a.jpg .image id 1.*size before that'):
            sample('mmdet.CocoDataset', path, folder, dict(type=step))
    # The polygon reaches x = 72, which the lying image of width 64 does not have.
    fixed = folder / 'out' / 'fixed.json'
    assert checked(path, folder, '--fix', str(fixed)) == 0
    (image,) = json.loads(fixed.read_text())['images']
    assert (image['width'], image['height']) == (WIDTH, HEIGHT)
