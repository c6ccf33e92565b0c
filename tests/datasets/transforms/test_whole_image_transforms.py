"""Resizing, cropping and padding of whole images with their label maps."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmwsis.datasets.transforms import (
    ImageScales,
    LoadCachedImage,
    PackWeakInputs,
    RandomCropOrPad,
    RandomLongSide,
    RandomRescale,
    rescale_image,
)
from mmwsis.models import WholeImagePreprocessor
from mmwsis.registry import TRANSFORMS

GOLDEN = Path(__file__).parents[2] / 'golden' / 'irnet'
MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def random_image(height=20, width=31, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def sample(height=20, width=31):
    """An image whose label map says where every pixel came from."""
    labels = np.arange(height * width, dtype=np.int64).reshape(height, width)
    image = np.repeat((labels % 251).astype(np.uint8)[..., None], 3, axis=2)
    image.flags.writeable = False  # as LoadCachedImage gives it
    return dict(img=image, gt_seg_map=labels, img_id=7)


@pytest.mark.parametrize('case', ['rescale_a', 'rescale_b'])
def test_golden_rescale_and_normalisation(case):
    golden = np.load(GOLDEN / f'{case}.npz')
    resized = rescale_image(golden['img'], float(golden['scale']))
    assert np.array_equal(resized, golden['bicubic'])
    preprocessor = WholeImagePreprocessor(mean=MEAN, std=STD)
    image = torch.from_numpy(golden['img'].transpose(2, 0, 1).copy())
    for inputs in ([image], [[image]]):
        batch = preprocessor(dict(inputs=inputs))['inputs']
        got = batch[0][0] if isinstance(batch, list) else batch[0]
        expected = golden['normalised'].transpose(2, 0, 1)
        assert np.allclose(got.numpy(), expected, rtol=0, atol=1e-6)


def test_rescale_rounds_halves_to_even_and_keeps_a_pixel():
    image = random_image(5, 3)
    assert rescale_image(image, 0.5).shape == (2, 2, 3)  # 2.5 and 1.5
    assert rescale_image(image, 0.01).shape == (1, 1, 3)
    assert rescale_image(image, 1.05) is image


def test_long_side_is_uniform_and_both_ends_occur():
    np.random.seed(0)
    drawn = Counter()
    for shape in ((40, 60), (60, 40)):
        for _ in range(300):
            results = RandomLongSide((28, 32))(
                dict(img=np.zeros((*shape, 3), np.uint8))
            )
            height, width = results['img_shape']
            assert results['img'].shape == (height, width, 3)
            drawn[max(height, width)] += 1
            assert min(height, width) == round(40 * max(height, width) / 60)
    assert set(drawn) == {28, 29, 30, 31, 32}
    assert min(drawn.values()) > 80


def test_label_map_follows_the_image():
    np.random.seed(1)
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 10:20] = 7
    image = np.repeat(labels[..., None], 3, axis=2) * 30
    for _ in range(10):
        results = RandomRescale((0.5, 1.5))(dict(img=image, gt_seg_map=labels))
        small, shape = results['gt_seg_map'], results['img_shape']
        assert small.shape == shape == results['img'].shape[:2]
        assert set(np.unique(small)) <= {0, 7}
        size = shape[1], shape[0]
        nearest = Image.fromarray(labels).resize(size, Image.Resampling.NEAREST)
        assert np.array_equal(small, np.array(nearest))
        assert 0.5 <= results['scale_factor'][0] <= 1.5


@pytest.mark.parametrize('shape', [(20, 31), (9, 31), (20, 8), (9, 8), (12, 12)])
def test_crop_or_pad_places_image_and_labels_alike(shape):
    np.random.seed(2)
    for _ in range(40):
        results = RandomCropOrPad(12, seg_pad_value=-1)(sample(*shape))
        image, labels = results['img'], results['gt_seg_map']
        assert image.shape == (12, 12, 3) and labels.shape == (12, 12)
        inside = labels >= 0
        assert inside.sum() == min(shape[0], 12) * min(shape[1], 12)
        assert np.array_equal(image[inside][:, 0], labels[inside] % 251)
        # One rectangle of the image, in order.
        rows, columns = np.nonzero(inside)
        source = labels[inside]
        assert len(set((source // shape[1] - rows).tolist())) == 1
        assert len(set((source % shape[1] - columns).tolist())) == 1
        assert np.allclose(image[~inside], np.float32(MEAN))


def test_label_map_is_padded_with_ignore():
    labels = RandomCropOrPad(40)(sample(20, 31))['gt_seg_map']
    assert (labels == 255).sum() == 40 * 40 - 20 * 31 + (
        sample()['gt_seg_map'] == 255
    ).sum()


def test_crop_or_pad_draws_every_place():
    np.random.seed(3)
    for length, window in ((9, 12), (15, 12), (12, 12)):
        first = Counter()
        for _ in range(400):
            labels = RandomCropOrPad(window, seg_pad_value=-1)(sample(length, window))
            labels = labels['gt_seg_map'][:, 0]
            first[int(np.argmax(labels >= 0)), int(labels.max() // window)] += 1
        assert len(first) == abs(length - window) + 1
        assert min(first.values()) > 60


def test_padding_is_zero_after_normalisation():
    np.random.seed(4)
    results = RandomCropOrPad(16)(dict(img=random_image(9, 30)))
    full = RandomCropOrPad(8)(dict(img=random_image(9, 30)))['img']
    assert full.dtype == np.uint8  # nothing was filled
    image = torch.from_numpy(results['img'].transpose(2, 0, 1).copy())
    batch = WholeImagePreprocessor(mean=MEAN, std=STD)(dict(inputs=[image]))['inputs']
    assert (batch[0] == 0).all(0).sum() == 7 * 16
    whole = RandomCropOrPad(16, pad_value=(0, 0, 0))(dict(img=random_image(9, 30)))[
        'img'
    ]
    assert whole.dtype == np.uint8


def test_mirror_of_mmdetection_takes_the_label_map_along():
    flip = TRANSFORMS.build(dict(type='mmdet.RandomFlip', prob=1.0))
    before = sample()
    image, labels = before['img'].copy(), before['gt_seg_map'].copy()
    after = flip(before)
    assert np.array_equal(after['img'], image[:, ::-1])
    assert np.array_equal(after['gt_seg_map'], labels[:, ::-1])


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'CMYK', 'I;16'])
def test_any_colour_mode_becomes_rgb(tmp_path, mode):
    file = tmp_path / ('image.tif' if mode == 'CMYK' else 'image.png')
    if mode == 'I;16':
        Image.fromarray(np.full((9, 7), 40000, np.uint16)).save(file)
    else:
        Image.fromarray(random_image(9, 7)).convert(mode).save(file)
    results = LoadCachedImage()(dict(img_path=str(file), tags=[1], num_classes=3))
    results = ImageScales((1.0, 2.0))(results)
    packed = PackWeakInputs()(results)
    assert [tuple(one.shape) for one in packed['inputs']] == [(3, 9, 7), (3, 18, 14)]
    assert all(one.dtype is torch.uint8 for one in packed['inputs'])
    assert packed['data_samples'].ori_shape == (9, 7)
    assert packed['data_samples'].gt_tags.tolist() == [0, 1, 0]


def test_scales_come_from_the_full_image():
    image = random_image(21, 30)
    scaled = ImageScales((1.0, 0.5, 1.5, 2.0))(dict(img=image))['scaled_imgs']
    assert scaled[0] is image
    sides = [one.shape[:2] for one in scaled]
    assert sides == [(21, 30), (10, 15), (32, 45), (42, 60)]


@pytest.mark.parametrize(
    'make',
    [
        lambda: RandomLongSide((0, 5)),
        lambda: RandomLongSide((9, 5)),
        lambda: RandomRescale((0, 1)),
        lambda: RandomCropOrPad(0),
        lambda: RandomCropOrPad((3, 4, 5)),
        lambda: ImageScales(()),
        lambda: ImageScales((1, -1)),
    ],
)
def test_impossible_settings_are_refused(make):
    with pytest.raises(ValueError, match='must be'):
        make()


def test_label_map_of_another_image_is_refused():
    wrong = dict(sample(), gt_seg_map=np.zeros((4, 4), np.uint8))
    with pytest.raises(ValueError, match=r'\(4, 4\), the image \(20, 31\).* id 7'):
        RandomCropOrPad(8)(wrong)
