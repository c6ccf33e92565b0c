from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmwsis.datasets.object_crop_geometry import (
    box_mask_lines,
    crop_box,
    resize_box_mask,
    resize_crop,
    training_margins,
    wrap_crop,
)

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def load(name):
    return np.load(GOLDEN / f'{name}.npz')


def box_mask(bbox, image_size, box, wrap, rule='continuous'):
    return np.outer(*box_mask_lines(bbox, image_size, box, wrap, rule))


def assert_close_pixels(actual, expected):
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize('name', ['crop_train_31', 'crop_test_32'])
def test_golden_crop(name):
    golden = load(name)
    image, size = golden['image'], int(golden['out_size'])
    for i, bbox in enumerate(golden['bbox_xyxy']):
        box = crop_box(bbox, golden['margins_ltrb'][i], 'released')
        assert box == tuple(golden['ext_box'][i])
        crop = wrap_crop(image, box)
        np.testing.assert_array_equal(crop, golden[f'raw_crop_{i}'])
        mask = box_mask(bbox, image.shape[:2], box, wrap=True, rule='released')
        np.testing.assert_array_equal(mask, golden[f'raw_mask_{i}'])
        assert_close_pixels(resize_crop(crop, size), golden['resized_image'][i])
        lines = box_mask_lines(bbox, image.shape[:2], box, True, 'released')
        resized = resize_box_mask(*lines, size)
        np.testing.assert_array_equal(resized, golden['resized_mask'][i])


def test_golden_training_margins():
    golden = load('crop_train_31')
    for i in range(len(golden['bbox_xyxy'])):
        margins = training_margins(golden['uniform4'][i], golden['gate2'][i])
        np.testing.assert_allclose(
            margins, golden['margins_ltrb'][i], rtol=0, atol=1e-12
        )


def test_golden_test_box_mask():
    golden = load('crop_test_32')
    image_size, size = golden['image'].shape[:2], int(golden['out_size'])
    for i, bbox in enumerate(golden['bbox_xyxy']):
        box = tuple(golden['ext_box'][i])
        lines = box_mask_lines(bbox, image_size, box, False, 'released')
        resized = resize_box_mask(*lines, size)
        np.testing.assert_array_equal(resized, golden['resized_boxmask'][i])


@pytest.mark.parametrize(
    'rule, bbox, expected',
    [
        ('released', [10, 8, 40, 30], (5, 4, 46, 35)),
        ('released', [5, 5, 8.2, 8.2], (4, 4, 10, 10)),
        ('continuous', [10, 8, 40, 30], (5, 4, 45, 34)),
        ('continuous', [5, 5, 8.2, 8.2], (4, 4, 9, 9)),
        ('continuous', [5, 5, 5, 5], (5, 5, 6, 6)),
    ],
)
def test_hand_checked_crop_box(rule, bbox, expected):
    assert crop_box(np.float32(bbox), [0.3] * 4, rule) == expected


# Naive references: loops over pixels and whole-image masks.


def naive_wrap_crop(image, box):
    height, width = image.shape[:2]
    rows = np.arange(box[1], box[3]) % height
    columns = np.arange(box[0], box[2]) % width
    return np.take(np.take(image, rows, axis=0), columns, axis=1)


def naive_box_mask(bbox, height, width, rule):
    mask = np.zeros((height, width), np.uint8)
    for y in range(height):
        for x in range(width):
            mask[y, x] = all(
                low <= at + 0.5 < high
                if rule == 'continuous'
                else int(max(low, 0)) <= at <= int(high)
                for at, low, high in ((x, *bbox[::2]), (y, *bbox[1::2]))
            )
    return mask


def naive_pasted_outside_is_zero(mask, box):
    out = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            y, x = box[1] + r, box[0] + c
            if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1]:
                out[r, c] = mask[y, x]
    return out


sides = st.integers(1, 12)


@st.composite
def boxes_in_images(draw):
    """An image size (height, width) and a box that meets the image."""
    height, width = draw(sides), draw(sides)
    # Multiples of 1/64 are exact in float32 and often lie on pixel borders.
    x0 = draw(st.integers(-256, 64 * width - 1)) / 64
    y0 = draw(st.integers(-256, 64 * height - 1)) / 64
    x1 = max(x0, 0) + draw(st.integers(0, 1280)) / 64
    y1 = max(y0, 0) + draw(st.integers(0, 1280)) / 64
    return (height, width), np.float32([x0, y0, x1, y1])


@st.composite
def integer_boxes(draw):
    x0, y0 = draw(st.integers(-40, 40)), draw(st.integers(-40, 40))
    return x0, y0, x0 + draw(st.integers(1, 45)), y0 + draw(st.integers(1, 45))


@given(sides, sides, integer_boxes(), st.sampled_from([(), (3,)]))
@settings(deadline=None)
def test_wrap_crop_equals_modular_take(height, width, box, channels):
    count = height * width * int(np.prod(channels))
    image = (np.arange(count) % 256).astype(np.uint8)
    image = image.reshape(height, width, *channels)
    expected = naive_wrap_crop(image, box)
    np.testing.assert_array_equal(wrap_crop(image, box), expected)


@pytest.mark.parametrize('box', [(0, 0, 0, 3), (3, 3, 2, 5)])
def test_empty_box_is_refused(box):
    with pytest.raises(ValueError, match='at least one pixel; got an image of 5 x 4'):
        wrap_crop(np.zeros((4, 5, 3), np.uint8), box)


def test_crop_inside_the_image_is_not_copied():
    image = np.zeros((9, 9, 3), np.uint8)
    assert np.shares_memory(wrap_crop(image, (1, 2, 5, 9)), image)


@given(
    boxes_in_images(),
    st.lists(st.floats(0, 1), min_size=6, max_size=6),
    st.floats(0, 3),
)
@settings(deadline=None)
def test_crop_contains_the_box(image_and_box, draws, max_margin):
    _, bbox = image_and_box
    margins = training_margins(draws[:4], draws[4:], max_margin)
    assert (margins >= 0).all() and (margins[:2] + margins[2:] <= 2 * max_margin).all()
    x0, y0, x1, y1 = crop_box(bbox, margins)
    # One ulp of slack: the formula goes through the centre.
    slack = 1e-9
    assert x0 <= bbox[0] + slack and y0 <= bbox[1] + slack
    assert x1 >= bbox[2] - slack and y1 >= bbox[3] - slack


@given(boxes_in_images(), integer_boxes(), st.sampled_from(['continuous', 'released']))
@settings(deadline=None)
def test_crop_of_the_box_mask_equals_the_mask_of_the_image(image_and_box, box, rule):
    image_size, bbox = image_and_box
    mask = naive_box_mask(bbox, *image_size, rule)
    assume(mask.any())  # both rules take one pixel where they find none
    np.testing.assert_array_equal(
        box_mask(bbox, image_size, box, True, rule), naive_wrap_crop(mask, box)
    )
    np.testing.assert_array_equal(
        box_mask(bbox, image_size, box, False, rule),
        naive_pasted_outside_is_zero(mask, box),
    )


@given(boxes_in_images(), st.booleans(), st.integers(1, 70))
@settings(deadline=None)
def test_resized_lines_equal_the_resized_mask(image_and_box, wrap, size):
    image_size, bbox = image_and_box
    box = crop_box(bbox, [0.3, 0.7, 1.1, 0.0])
    mask = box_mask(bbox, image_size, box, wrap)
    expected = np.asarray(Image.fromarray(mask).resize((size, size), Image.BICUBIC))
    lines = box_mask_lines(bbox, image_size, box, wrap)
    np.testing.assert_array_equal(resize_box_mask(*lines, size), expected)
    assert resize_box_mask(*lines, size).max() <= 1


@given(boxes_in_images())
@settings(deadline=None)
def test_the_crop_at_test_time_shows_some_of_the_box(image_and_box):
    image_size, bbox = image_and_box
    box = crop_box(bbox, [0.3] * 4)
    assert box_mask(bbox, image_size, box, wrap=False).any()


def test_mask_of_an_object_over_the_whole_image_wraps():
    box = crop_box([0, 0, 10, 10], [0.6] * 4)
    assert box_mask([0, 0, 10, 10], (10, 10), box, wrap=True).all()
    assert not box_mask([0, 0, 10, 10], (10, 10), box, wrap=False).all()
