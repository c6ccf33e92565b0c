import os
import pickle
import re

import numpy as np
import pytest
from PIL import Image

from mmwsis.registry import TRANSFORMS


def loader(**kwargs):
    return TRANSFORMS.build(dict(type='mmwsis.LoadCachedImage', **kwargs))


@pytest.fixture
def save(tmp_path):
    def save_picture(array, name='a.png', mode=None, **kwargs):
        path = tmp_path / name
        random_image = Image.fromarray(array)
        (random_image.convert(mode) if mode else random_image).save(path, **kwargs)
        return str(path)

    return save_picture


def ramp(*shape):
    count = int(np.prod(shape))
    return (np.arange(count) * 7 % 256).astype(np.uint8).reshape(shape)


def test_rgb_and_sizes(save):
    pixels = ramp(5, 7, 3)
    results = loader()(dict(img_path=save(pixels)))
    np.testing.assert_array_equal(results['img'], pixels)
    assert results['img_shape'] == results['ori_shape'] == (5, 7)
    assert (results['height'], results['width']) == (5, 7)


@pytest.mark.parametrize('mode', ['L', '1', 'P', 'LA', 'RGBA', 'CMYK'])
def test_other_modes_become_rgb(save, mode):
    name = 'a.tif' if mode == 'CMYK' else 'a.png'
    path = save(ramp(5, 7, 3), name, mode)
    expected = np.asarray(Image.open(path).convert('RGB'))
    image = loader()(dict(img_path=path))['img']
    assert image.shape == (5, 7, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image, expected)


def test_sixteen_bits_keep_the_upper_eight(save):
    pixels = (np.arange(35, dtype=np.uint16) * 1800).reshape(5, 7)
    image = loader()(dict(img_path=save(pixels)))['img']
    np.testing.assert_array_equal(image[..., 1], pixels >> 8)


def test_size_must_be_the_annotation_files(save):
    path = save(ramp(5, 7, 3))
    results = dict(img_path=path, img_id=42, height=7, width=5)
    message = r'image id 42.*says 5 x 7 .*has 7 x 5 .the other way round.\. Its'
    with pytest.raises(ValueError, match=message):
        loader()(results)


def test_orientation_tag_is_applied_and_named_in_the_error(save):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(ramp(5, 7, 3), 'a.jpg', exif=exif)
    results = dict(img_path=path, height=7, width=5)
    assert loader()(results)['img'].shape == (7, 5, 3)
    with pytest.raises(ValueError, match='EXIF orientation 6 turns it.* size before'):
        loader()(dict(img_path=path, height=5, width=7))


def test_missing_image(tmp_path):
    path = str(tmp_path / 'none.jpg')
    with pytest.raises(FileNotFoundError, match=f'{path} .image id 3. does not exist'):
        loader()(dict(img_path=path, img_id=3))


@pytest.mark.parametrize('keep', [0, 10, 700])
@pytest.mark.parametrize('name', ['a.jpg', 'a.png'])
def test_truncated_image(save, name, keep):
    rng = np.random.default_rng(0)
    path = save(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8), name)
    os.truncate(path, keep)
    with pytest.raises(OSError) as caught:
        loader()(dict(img_path=path, img_id=3))
    place = re.escape(f'Image {path} (image id 3)')
    assert re.fullmatch(
        rf'{place} cannot be decoded \({keep} bytes\): '
        r'(it is no image, or its beginning is lost|it is damaged or too large \(.*\)'
        r'|this \w+ file is truncated, damaged or .* fetch it again.*)\.',
        str(caught.value),
    )


def test_cache_returns_the_same_pixels_and_guards_them(save):
    path = save(ramp(5, 7, 3))
    transform = loader()
    first = transform(dict(img_path=path))['img']
    assert transform(dict(img_path=path))['img'] is first
    with pytest.raises(ValueError, match='read-only'):
        first[0] = 0


def test_cache_forgets_the_least_recently_used(save):
    paths = [save(ramp(5, 7, 3), f'{i}.png') for i in range(3)]
    transform = loader(max_images=2)
    first, second = (transform(dict(img_path=path))['img'] for path in paths[:2])
    assert transform(dict(img_path=paths[0]))['img'] is first
    transform(dict(img_path=paths[2]))
    assert transform(dict(img_path=paths[0]))['img'] is first
    assert transform(dict(img_path=paths[1]))['img'] is not second


def test_cache_is_bounded_in_bytes(save):
    paths = [save(ramp(64, 64, 3), f'{i}.png') for i in range(4)]
    one = 64 * 64 * 3 / 2**20
    transform = loader(max_images=100, max_megabytes=2.5 * one)
    for path in paths:
        transform(dict(img_path=path))
    assert len(transform._cache) == 2
    assert transform._cached_bytes == 2 * 64 * 64 * 3
    small = loader(max_megabytes=0.5 * one)
    small(dict(img_path=paths[0]))
    assert not small._cache
    none = loader(max_images=0)
    none(dict(img_path=paths[0]))
    assert not none._cache


def test_pixels_are_not_pickled(save):
    rng = np.random.default_rng(0)
    path = save(rng.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    transform = loader()
    transform(dict(img_path=path))
    assert len(pickle.dumps(transform)) < 2000
    assert pickle.loads(pickle.dumps(transform))(dict(img_path=path))['height'] == 200
