"""Samples of whole images in which every pixel is unique, with every field."""

import numpy as np
import torch
from hypothesis import strategies as st
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks

ROWS = ('gt_bboxes_labels', 'gt_ignore_flags', 'gt_point_scores', 'gt_ann_ids')


def whole_image_sample(height, width, rectangles, polygons=False):
    """Objects are rectangles ``(x0, y0, x1, y1)`` of pixels, with a point inside each.

    The semantic map says where every pixel came from; the instance map holds the
    rectangles, the later ones in front; the class maps are the image's coordinates.
    """
    pixels = np.arange(height * width).reshape(height, width)
    image = np.stack([pixels % 251, pixels % 13 * 19, pixels // 251 % 251], axis=-1)
    boxes = np.array(rectangles, np.float32).reshape(-1, 4)
    masks = np.zeros((len(boxes), height, width), np.uint8)
    instances = np.zeros((height, width), np.int32)
    for number, (x0, y0, x1, y1) in enumerate(rectangles):
        masks[number, y0:y1, x0:x1] = 1
        instances[y0:y1, x0:x1] = number + 1
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    rows, columns = np.indices((height, width))
    image = image.astype(np.uint8)
    image.flags.writeable = False  # as LoadCachedImage gives it
    return dict(
        img=image,
        img_id=7,
        img_shape=(height, width),
        ori_shape=(height, width),
        gt_seg_map=pixels.astype(np.int32),
        gt_instance_map=instances,
        class_maps=dict(
            labels=np.array([2, 5]), cam=np.stack([rows, columns]).astype(np.float16)
        ),
        gt_bboxes=HorizontalBoxes(torch.from_numpy(boxes)),
        gt_masks=PolygonMasks([[one] for one in corners], height, width)
        if polygons
        else BitmapMasks(masks, height, width),
        gt_points=np.floor((boxes[:, :2] + boxes[:, 2:] - 1) / 2),
        gt_bboxes_labels=np.arange(len(boxes)) % 3,
        gt_ignore_flags=np.arange(len(boxes)) % 2 == 1,
        gt_point_scores=np.linspace(1, 0.5, len(boxes), dtype=np.float32),
        gt_ann_ids=100 + np.arange(len(boxes)),
    )


@st.composite
def samples(draw, polygons=False):
    """Any such sample, empty ones and single pixels included."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rectangles = []
    for _ in range(draw(st.integers(0, 4))):
        x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
        rectangles.append((x0, y0, x1, y1))
    return whole_image_sample(
        height, width, rectangles, polygons and draw(st.booleans())
    )


def assert_same(left, right, names=None):
    """Every field of two samples is equal, coordinates to a thousandth of a pixel."""
    for name in names or left:
        one, other = (plain(sample[name]) for sample in (left, right))
        if name in ('gt_points', 'gt_bboxes', 'gt_masks', 'scale_factor'):
            assert np.allclose(one, other, atol=1e-3), name
        else:
            assert np.array_equal(one, other), name


def plain(field):
    """A field as an array."""
    if isinstance(field, HorizontalBoxes):
        return field.numpy()
    if isinstance(field, BitmapMasks):
        return field.masks
    if isinstance(field, PolygonMasks):
        return np.array([polygons[0] for polygons in field.masks])
    return field['cam'] if isinstance(field, dict) else np.asarray(field)
