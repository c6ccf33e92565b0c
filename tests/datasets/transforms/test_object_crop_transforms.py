import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmwsis.datasets.object_crop_geometry import (
    box_mask_lines,
    crop_box,
    resize_crop,
    training_margins,
    wrap_crop,
)
from mmwsis.datasets.transforms.views import color_jitter, shift_hue
from mmwsis.registry import TRANSFORMS


def build(kind, **kwargs):
    return TRANSFORMS.build(dict(type=f'mmwsis.{kind}', **kwargs))


def random_image(height=40, width=50, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def box_mask(bbox, image_size, box, wrap):
    return np.outer(*box_mask_lines(bbox, image_size, box, wrap))


def sample(bbox=(10.5, 8, 30, 20.25), **kwargs):
    return dict(img=random_image(), bbox=np.float32(bbox), **kwargs)


def test_training_crop_draws_margins_then_gates():
    np.random.seed(5)
    results = build('ObjectCrop', crop_size=24)(sample())
    np.random.seed(5)
    margins = training_margins(np.random.rand(4), np.random.rand(2))
    box = crop_box(sample()['bbox'], margins)
    assert results['crop_box'] == box
    np.testing.assert_array_equal(
        results['img'], resize_crop(wrap_crop(random_image(), box), 24)
    )
    mask = box_mask(sample()['bbox'], (40, 50), box, wrap=True)
    np.testing.assert_array_equal(results['box_mask'], resize_crop(mask, 24))
    assert results['flip'] is False and results['crop_size'] == 24


def test_test_crop_is_fixed_and_empty_outside_the_image():
    bbox = (40, 0, 50, 12)
    results = build('ObjectCrop', crop_size=24, train=False)(sample(bbox))
    again = build('ObjectCrop', crop_size=24, train=False)(sample(bbox))
    assert results['crop_box'] == again['crop_box'] == (38, -2, 52, 14)
    mask = box_mask(bbox, (40, 50), (38, -2, 52, 14), wrap=False)
    assert not mask[:, 12:].any() and not mask[:2].any()
    np.testing.assert_array_equal(results['box_mask'], resize_crop(mask, 24))


def test_the_image_of_the_data_set_is_not_changed():
    results = sample()
    image = results['img']
    image.flags.writeable = False
    for transform in (
        build('ObjectCrop', crop_size=24),
        build('ObjectCropFlip', prob=1),
        build('TeacherStudentViews'),
        build('PackObjectCrop'),
    ):
        results = transform(results)
    np.testing.assert_array_equal(image, random_image())


@pytest.mark.parametrize(
    'kwargs', [dict(crop_size=0), dict(max_margin=-1), dict(test_margin=-0.1)]
)
def test_senseless_crops_are_refused(kwargs):
    with pytest.raises(ValueError, match='ObjectCrop needs crop_size >= 1'):
        build('ObjectCrop', **kwargs)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 9))
@settings(deadline=None)
def test_flipping_twice_changes_nothing(height, width, seed):
    image = random_image(height, width, seed)
    mask = (image[..., 0] > 99).astype(np.uint8)
    flip = build('ObjectCropFlip', prob=1.0)
    once = flip(dict(img=image, box_mask=mask, flip=False))
    assert once['flip'] is True
    np.testing.assert_array_equal(once['img'][:, 0], image[:, -1])
    np.testing.assert_array_equal(once['box_mask'], mask[:, ::-1])
    twice = flip(once)
    assert twice['flip'] is False
    np.testing.assert_array_equal(twice['img'], image)
    np.testing.assert_array_equal(twice['box_mask'], mask)


def test_flip_probability():
    np.random.seed(0)
    flip = build('ObjectCropFlip', prob=0.3)
    flips = [flip(dict(img=random_image(2, 2)))['flip'] for _ in range(2000)]
    assert abs(np.mean(flips) - 0.3) < 0.05
    assert not build('ObjectCropFlip', prob=0)(dict(img=random_image()))['flip']
    with pytest.raises(ValueError, match='0 <= prob <= 1; got 2'):
        build('ObjectCropFlip', prob=2)


def test_teacher_sees_the_crop_as_it_is():
    np.random.seed(0)
    views = build('TeacherStudentViews')
    changed = 0
    for seed in range(20):
        crop = random_image(16, 16, seed)
        results = views(dict(img=crop))
        np.testing.assert_array_equal(results['teacher'], crop)
        assert results['student'].shape == crop.shape
        assert results['student'].dtype == np.uint8
        changed += not np.array_equal(results['student'], crop)
    assert 8 <= changed <= 20


def test_probabilities_of_the_student_view(monkeypatch):
    """Share of each step over many draws: 0.5, 0.2, 0.5 (MAL)."""
    from mmwsis.datasets.transforms import views as module

    calls = dict(jitter=0, gray=0, blur=0)

    def counted(name, result=lambda image, *args: image):
        def call(image, *args, **kwargs):
            calls[name] += 1
            return result(image)

        return call

    monkeypatch.setattr(module, 'color_jitter', counted('jitter'))
    gray = counted('gray', lambda image: image)
    monkeypatch.setattr(Image.Image, 'convert', lambda im, mode: gray(im))
    monkeypatch.setattr(Image.Image, 'filter', lambda im, kind: counted('blur')(im))
    np.random.seed(0)
    transform, count = build('TeacherStudentViews'), 3000
    for _ in range(count):
        transform(dict(img=np.zeros((2, 2, 3), np.uint8)))
    calls['gray'] /= 2  # To grey, then back to three channels.
    shares = {name: calls[name] / count for name in calls}
    assert shares == pytest.approx(dict(jitter=0.5, gray=0.2, blur=0.5), abs=0.04)


def test_steps_can_be_switched_off():
    views = build('TeacherStudentViews', jitter=None, gray_prob=0, blur=None)
    for seed in range(5):
        results = views(dict(img=random_image(8, 8, seed)))
        np.testing.assert_array_equal(results['student'], results['teacher'])
    with pytest.raises(ValueError, match=r"jitter knows .*got \['gamma'\]"):
        build('TeacherStudentViews', jitter=dict(gamma=1))


def test_gray_has_three_equal_channels():
    views = build('TeacherStudentViews', jitter=None, gray_prob=1, blur=None)
    student = views(dict(img=random_image()))['student']
    np.testing.assert_array_equal(student[..., 0], student[..., 1])
    np.testing.assert_array_equal(student[..., 0], student[..., 2])
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(student[..., 0] - random_image() @ weights).max() <= 1


def test_hue_shift_against_colorsys():
    colors = random_image(12, 12)
    quarter = 64.5 / 255  # 64 of the 256 steps of an 8-bit hue.
    shifted = np.asarray(shift_hue(Image.fromarray(colors), quarter))
    for before, after in zip(colors.reshape(-1, 3), shifted.reshape(-1, 3)):
        h, s, v = colorsys.rgb_to_hsv(*(before / 255))
        expected = np.array(colorsys.hsv_to_rgb((h + 0.25) % 1, s, v)) * 255
        # One step of an 8-bit hue moves a channel by up to 6, and saturation is
        # rounded as well; an error of the turn itself would be far larger.
        assert np.abs(after - expected).max() <= 9
    unchanged = np.asarray(shift_hue(Image.fromarray(colors), 0.0)).astype(int)
    assert np.abs(unchanged - colors).max() <= 6


def test_hue_wraps_in_both_directions():
    red = Image.new('RGB', (1, 1), (200, 40, 40))
    for shift in (0.4, -0.4):
        back = shift_hue(shift_hue(red, shift), -shift)
        assert np.abs(np.asarray(back).astype(int) - np.asarray(red)).max() <= 6


def test_jitter_factors_stay_in_their_range():
    gray = Image.new('RGB', (4, 4), (100, 100, 100))
    np.random.seed(0)
    values = [np.asarray(color_jitter(gray, 0.4, 0, 0, 0))[0, 0, 0] for _ in range(300)]
    assert 60 <= min(values) <= 64 and 136 <= max(values) <= 140
    assert color_jitter(gray, 0, 0, 0, 0) is gray


def test_jitter_order_is_random():
    crop = Image.fromarray(random_image(6, 6))
    order = []

    class Recorder:
        def __init__(self, name):
            self.name = name

        def __call__(self, image):
            order.append(self.name)
            return self

        def enhance(self, factor):
            return crop

    from mmwsis.datasets.transforms import views as module

    with pytest.MonkeyPatch.context() as patch:
        for name in ('Brightness', 'Contrast', 'Color'):
            patch.setattr(module.ImageEnhance, name, Recorder(name))
        patch.setattr(module, 'shift_hue', lambda im, s: order.append('Hue') or im)
        np.random.seed(0)
        orders = set()
        for _ in range(400):
            order.clear()
            color_jitter(crop, 0.4, 0.4, 0.2, 0.1)
            orders.add(tuple(order))
    assert len(orders) == 24


def test_pack_copies_and_keeps_what_is_there():
    crop = random_image(8, 8)
    results = dict(img=crop, img_id=3, img_path='a.png', flip=False)
    packed = build('PackObjectCrop')(results)
    assert set(packed['inputs']) == {'image'}
    torch.testing.assert_close(
        packed['inputs']['image'], torch.from_numpy(crop).permute(2, 0, 1)
    )
    assert packed['inputs']['image'].is_contiguous()
    packed['inputs']['image'].zero_()
    assert crop.any()
    assert packed['data_samples'].metainfo == dict(
        img_id=3, img_path='a.png', flip=False
    )
    assert 'box_mask' not in packed['data_samples']


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from([(0.2, 1.0), (0.05, 0.1), (1.0, 1.0)]),
    st.integers(0, 1000),
)
@settings(deadline=None)
def test_random_view_lies_in_the_image(height, width, scale, seed):
    np.random.seed(seed)
    view = build('RandomResizedCropView', crop_size=8, scale=scale)
    results = view(dict(img=random_image(height, width)))
    x0, y0, x1, y1 = results['crop_box']
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    assert results['img'].shape == (8, 8, 3) and not results['flip']


def test_random_view_covers_its_range_of_areas():
    np.random.seed(0)
    view = build('RandomResizedCropView', crop_size=4, scale=(0.2, 0.5))
    shares = []
    for _ in range(300):
        x0, y0, x1, y1 = view(dict(img=random_image(100, 120)))['crop_box']
        shares.append((x1 - x0) * (y1 - y0) / 12000)
    assert 0.19 < min(shares) < 0.23 and 0.47 < max(shares) < 0.51
    with pytest.raises(ValueError, match='scale'):
        build('RandomResizedCropView', scale=(0.5, 1.5))


@pytest.mark.parametrize(
    'kind',
    [
        'LoadCachedImage',
        'ObjectCrop',
        'ObjectCropFlip',
        'TeacherStudentViews',
        'RandomResizedCropView',
        'PackObjectCrop',
    ],
)
def test_printing_shows_the_arguments(kind):
    assert repr(build(kind)).startswith(f'{kind}(')
