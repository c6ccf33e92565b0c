"""GrabCut in a box, beside OpenCV's own."""

import cv2
import numpy as np
import pytest

from mmwsis.ops import grab_cut


def picture(height=40, width=50):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
    y, x = np.ogrid[:height, :width]
    image[(y - 20) ** 2 + (x - 25) ** 2 < 80] += np.array([150, 60, 20], np.uint8)
    return image


def plain_grab_cut(image, box, num_iters):
    x0, y0, x1, y1 = box
    mask = np.zeros(image.shape[:2], np.uint8)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(image[..., ::-1]),
        mask,
        (x0, y0, x1 - x0, y1 - y0),
        background,
        foreground,
        num_iters,
        cv2.GC_INIT_WITH_RECT,
    )
    return mask % 2 == 1


def test_as_opencv_with_its_seed():
    image, box = picture(), (10, 8, 42, 36)
    expected = plain_grab_cut(image, box, 3)
    assert 200 < expected.sum() < 400
    cv2.setRNGSeed(7)  # what another image left
    np.testing.assert_array_equal(grab_cut(image, np.array(box), 3), expected)


def test_context_looks_at_the_surroundings_alone():
    image, box = picture(), (20, 15, 40, 25)
    found = grab_cut(image, np.array(box), 2, context=0.49)
    # Grown by 10 columns and 5 rows, rounded up, and cut off at the image.
    cut = plain_grab_cut(image[10:30, 10:50], (10, 5, 30, 15), 2)
    np.testing.assert_array_equal(found[10:30, 10:50], cut)
    assert found.sum() == cut.sum()
    wide = grab_cut(image, np.array(box), 2, context=100)
    np.testing.assert_array_equal(wide, grab_cut(image, np.array(box), 2))


def test_degenerate_boxes():
    image = picture()
    assert grab_cut(image, np.array([0, 0, 50, 40])).all()
    for box in ([49, 39, 50, 40], [3, 3, 5, 5], [0, 0, 50, 39], [0, 0, 1, 40]):
        x0, y0, x1, y1 = box
        found = grab_cut(image, np.array(box), 1, context=0.01)
        found[y0:y1, x0:x1] = False
        assert not found.any()
    flat = grab_cut(np.full((9, 9, 3), 7, np.uint8), np.array([2, 2, 7, 7]))
    assert not flat.any()


@pytest.mark.parametrize(
    'box, message',
    [
        ([3, 3, 3, 9], r'image of 50 x 40 pixels, got \(3, 3, 3, 9\)'),
        ([0, 0, 51, 9], 'expected x0 < x1'),
        ([-1, 0, 5, 9], 'expected x0 < x1'),
        ([0, 0, 5], r'expected shape \(4,\)'),
    ],
)
def test_boxes_that_grab_cut_would_stop_at_are_refused(box, message):
    with pytest.raises(ValueError, match=message):
        grab_cut(picture(), np.array(box))
