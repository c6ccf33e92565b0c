"""Final models refuse images that do not fit their labels."""

import json
import pickle

import mmcv
import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsis.engine.image_loaders import check_loaded_images
from mmwsis.engine.run_config import load_run_config
from mmwsis.registry import TRANSFORMS

OURS = 'mmwsis.LoadCheckedImage'


def first_steps(loader):
    dataset = loader.dataset
    while 'dataset' in dataset:
        dataset = dataset.dataset
    return [step.type for step in dataset.pipeline][:2]


@pytest.mark.parametrize(
    'name',
    [
        'mask-rcnn_r50_voc.py',
        'mask2former_swin-s.py',
        'mask-rcnn_x101-32x4d_lvis.py',  # in a ClassBalancedDataset
        'solov2_r18_synthetic.py',
    ],
)
def test_shipped_final_models_load_checked_images(name):
    cfg = load_run_config(f'mmwsis::final_models/{name}')
    before = cfg.to_dict()
    check_loaded_images(cfg, ('train', 'val'))
    for split in ('train', 'val'):
        assert OURS in first_steps(cfg[f'{split}_dataloader'])
        text = json.dumps(before[f'{split}_dataloader'], default=str)
        loader = json.dumps(cfg[f'{split}_dataloader'].to_dict(), default=str)
        assert loader.replace(OURS, 'LoadImageFromFile') == text
    # MMDetection's DetInferencer looks for its own loader there.
    assert cfg.test_dataloader.to_dict() == before['test_dataloader']
    check_loaded_images(cfg, ('test',))
    assert OURS in first_steps(cfg.test_dataloader)


def test_loaders_that_are_not_there_or_have_no_pipeline():
    cfg = Config(
        dict(val_dataloader=None, test_dataloader=dict(dataset=dict(type='N')))
    )
    check_loaded_images(cfg, ('train', 'val', 'test'))
    assert cfg.test_dataloader.dataset == dict(type='N')


@pytest.fixture
def photograph(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / 'a.jpg', exif=exif)
    return tmp_path / 'a.jpg'


def load(path, size=(20, 30), **options):
    transform = TRANSFORMS.build(dict(type=OURS, **options))
    data = dict(img_path=str(path), img_id=3, width=size[0], height=size[1])
    return pickle.loads(pickle.dumps(transform))(data)


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(to_float32=True),
        dict(color_type='grayscale'),
        dict(imdecode_backend='pillow'),
        dict(backend_args=dict(backend='local')),
    ],
)
def test_loads_what_mmcv_loads(photograph, options):
    plain = mmcv.transforms.LoadImageFromFile(**options)
    expected = plain(dict(img_path=str(photograph)))
    found = load(photograph, **options)
    np.testing.assert_array_equal(found['img'], expected['img'])
    assert found['img'].dtype == expected['img'].dtype
    for key in ('img_shape', 'ori_shape'):
        assert found[key] == expected[key]


@pytest.mark.parametrize('options', [{}, dict(imdecode_backend='pillow')])
def test_another_size_is_refused(photograph, options):
    with pytest.raises(ValueError, match=r'a.jpg .image id 3.: .* 31 x 30 pixels, the'):
        load(photograph, (31, 30), **options)


def test_broken_files_are_named_or_left_out(photograph):
    photograph.write_bytes(photograph.read_bytes()[:500])
    with pytest.raises(OSError, match=r'a.jpg .image id 3. cannot be decoded'):
        load(photograph)
    assert load(photograph, ignore_empty=True) is None
    with pytest.raises(FileNotFoundError, match=r'b.jpg .image id 3. does not exist'):
        load(photograph.with_name('b.jpg'))
