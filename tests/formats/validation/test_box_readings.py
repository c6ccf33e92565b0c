"""Boxes in another convention than their masks: found, and the convention named."""

import numpy as np
import pytest

from mmwsis.formats.validation import validate_document
from mmwsis.formats.validation.box_readings import box_overlap, likely_reading

WIDTH, HEIGHT = 200, 100
BOX = (30, 60, 50, 20)


def written(x, y, w, h):
    """The same box as others write it."""
    return {
        'corners instead of width': (x, y, x + w, y + h),
        'y counted from below instead': (x, HEIGHT - y - h, w, h),
        'y counted from below, of the upper edge': (x, HEIGHT - y, w, h),
        'y of the lower edge': (x, y + h, w, h),
        'x, y of the middle': (x + w / 2, y + h / 2, w, h),
        'x and y exchanged': (y, x, h, w),
        'corners with y first': (y, x, y + h, x + w),
        'x counted from the right': (WIDTH - x - w, y, w, h),
        'shares of the image, 0 to 1': (
            *(x / WIDTH, y / HEIGHT),
            *(w / WIDTH, h / HEIGHT),
        ),
        'YOLO': (
            *((x + w / 2) / WIDTH, (y + h / 2) / HEIGHT),
            *(w / WIDTH, h / HEIGHT),
        ),
        'an image of another size': (x / 2, y / 2, w / 2, h / 2),
    }


def document(box):
    x, y, w, h = BOX
    mask = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    entry = dict(id=7, image_id=1, category_id=1, iscrowd=0, area=w * h)
    return dict(
        images=[dict(id=1, file_name='a.png', width=WIDTH, height=HEIGHT)],
        annotations=[dict(entry, bbox=list(box), segmentation=mask)],
        categories=[dict(id=1, name='bolt')],
    )


@pytest.mark.parametrize('convention, box', written(*BOX).items())
def test_conventions_are_named(convention, box):
    log = validate_document(document(box), 'file').log
    (text,) = (
        str(issue)
        for rule in ('box-contradicts-mask', 'mask-off-box')
        for issue in log.examples.get(rule, ())
    )
    assert convention in text
    assert 'annotation id 7 of image id 1' in text


def test_the_right_box_is_silent():
    assert not validate_document(document(BOX), 'file').log.counts


@pytest.mark.parametrize('box', [(29, 59, 52, 22), (31, 60, 49, 20), (30, 60, 51, 21)])
def test_rounded_boxes_are_silent(box):
    assert not validate_document(document(box), 'file').log.counts


def test_a_box_that_is_only_inexact_is_a_warning():
    log = validate_document(document((30, 60, 65, 20)), 'file').log
    assert set(log.counts) == {'mask-off-box'}
    assert 'It would be' not in str(log.examples['mask-off-box'][0])


def test_overlap():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 0, 0]], dtype=float)
    others = np.array([[5, 0, 10, 10], [20, 0, 5, 5], [0, 0, 1, 1]], dtype=float)
    assert box_overlap(boxes, others).tolist() == [50 / 150, 0, 1]


def test_huge_numbers_are_no_convention():
    given = np.array([[1e308, -1e308, 1e308, 1e308]])
    assert likely_reading(given, np.array([[1.0, 2, 3, 4]]), np.ones((1, 2))) == ['']
