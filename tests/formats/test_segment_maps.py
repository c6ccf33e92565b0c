"""PNGs of segment ids, in colours and in 16 bits of grey."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mmwsis.formats.segment_maps import (
    ENCODINGS,
    decode_segment_map,
    distinct,
    encode_segment_map,
    is_grey,
    renumber,
    segments_of_map,
)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_what_is_written_is_read(encoding, data):
    lowest = -1 if encoding == 'grey16' else 0
    numbers = st.one_of(
        st.integers(lowest, ENCODINGS[encoding]),
        st.sampled_from([lowest, 0, 255, 256, 65534, ENCODINGS[encoding]]),
    )
    ids = data.draw(hnp.arrays(np.int32, SHAPES, elements=numbers))
    content = encode_segment_map(ids, encoding)
    found = decode_segment_map(content)
    assert found.dtype == np.int32 and is_grey(content) == (encoding == 'grey16')
    np.testing.assert_array_equal(found, ids)


def test_the_colours_are_coco_s():
    content = encode_segment_map(np.array([[1 + 256 * 2 + 65536 * 3]]))
    blue_first = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert blue_first.tolist() == [[[3, 2, 1]]]


def test_65535_segments():
    ids = np.arange(1, 65537).reshape(256, 256)
    ids[-1, -1] = 0
    rgb = encode_segment_map(ids)
    np.testing.assert_array_equal(decode_segment_map(rgb), ids)
    with pytest.raises(ValueError, match=r'a.png: the segment id 65535 .*-1 to 65534;'):
        encode_segment_map(ids, 'grey16', 'a.png')
    ids[ids == 65535] = -1
    grey = encode_segment_map(ids, 'grey16')
    np.testing.assert_array_equal(decode_segment_map(grey), ids)
    stored = cv2.imdecode(np.frombuffer(grey, np.uint8), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16 and (stored == 65535).sum() == 1


@pytest.mark.parametrize(
    'ids, encoding, message',
    [
        (np.array([[-1]]), 'rgb', 'segment id -1 does not fit .* holds 0 to 16777215'),
        (np.array([[1 << 24]]), 'rgb', 'segment id 16777216'),
        (np.array([[-2]]), 'grey16', 'segment id -2 .* holds -1 to 65534'),
        (np.array([[0.5]]), 'rgb', r'integers, got \(1, 1\) of float64'),
        (np.array([1]), 'rgb', r'\(H, W\) integers, got \(1,\)'),
        (np.zeros((0, 3), int), 'rgb', r'got \(0, 3\)'),
        (np.array([[1]]), 'gray', "one of .*'grey16'.*, got 'gray'"),
    ],
)
def test_what_cannot_be_written(ids, encoding, message):
    with pytest.raises(ValueError, match=message):
        encode_segment_map(ids, encoding)


@pytest.mark.parametrize(
    'pixels, suffix, message',
    [
        (np.zeros((4, 4, 3), np.uint8), '.jpg', 'is a JPEG'),
        (np.zeros((4, 4), np.uint8), '.png', '1 channels of 8 bits'),
        (np.zeros((4, 4, 3), np.uint16), '.png', '3 channels of 16 bits'),
    ],
)
def test_other_images(pixels, suffix, message):
    content = cv2.imencode(suffix, pixels)[1].tobytes()
    with pytest.raises(ValueError, match=f'^b.png .*{message}'):
        decode_segment_map(content, 'b.png')
    for broken in (b'', b'no image', content[:20]):
        with pytest.raises(ValueError, match=r'^b.png is (no readable|a JPEG)'):
            decode_segment_map(broken, 'b.png')


@settings(max_examples=60, deadline=None)
@given(
    ids=hnp.arrays(np.int64, SHAPES, elements=st.integers(0, 5)),
    numbers=st.dictionaries(st.integers(0, 7), st.integers(0, 300)),
)
def test_segments_one_by_one(ids, numbers):
    found = segments_of_map(ids, [dict(category_id=10 * n) for n in range(1, 6)])
    assert [one['id'] for one in found] == sorted(set(ids.ravel().tolist()) - {0})
    for one in found:
        rows, columns = np.nonzero(ids == one['id'])
        x, y = columns.min(), rows.min()
        box = [x, y, columns.max() + 1 - x, rows.max() + 1 - y]
        assert one['bbox'] == box and one['area'] == len(rows)
        assert one['category_id'] == 10 * one['id'] and one['iscrowd'] == 0
    present, places = distinct(ids)
    np.testing.assert_array_equal(present, np.unique(ids))
    np.testing.assert_array_equal(present[places], ids)
    expected = [[numbers.get(value, 255) for value in row] for row in ids.tolist()]
    np.testing.assert_array_equal(renumber(ids, numbers, 255), expected)
