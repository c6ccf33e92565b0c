import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pycocotools import mask as mask_api

from mmwsis.dataset_converters.label_maps import (
    bitmap_region,
    check_size,
    image_shape,
    label_regions,
    read_labels,
)
from mmwsis.formats.coco_masks import encode_mask


@given(
    arrays(np.uint16, array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 4))
)
def test_regions_are_those_of_the_bitmaps(labels):
    regions = label_regions(labels)
    assert list(regions) == np.unique(labels).tolist()
    for label, region in regions.items():
        mask = labels == label
        assert region.rle == encode_mask(mask)
        assert region.area == mask.sum()
        assert region.bbox == mask_api.toBbox(region.rle).tolist()
        (rows, columns) = np.nonzero(mask)
        assert region.bbox[:2] == [columns.min(), rows.min()]
        assert region.bbox[2] == np.ptp(columns) + 1


def test_empty_bitmap_has_no_region():
    assert bitmap_region(np.zeros((3, 4), bool)) is None
    assert bitmap_region(np.ones((3, 4), bool)).area == 12


def test_numbers_come_back_as_they_were_stored(tmp_path):
    deep = np.array([[0, 26001], [255, 33999]], np.uint16)
    Image.fromarray(deep).save(tmp_path / 'deep.png')
    flat = np.array([[0, 255], [15, 3]], np.uint8)
    palette = Image.fromarray(flat)
    palette.putpalette([k % 256 for k in range(768)])
    palette.save(tmp_path / 'palette.png')
    Image.fromarray(flat).save(tmp_path / 'grey.png')
    assert (read_labels(tmp_path / 'deep.png', 'map') == deep).all()
    assert (read_labels(tmp_path / 'palette.png', 'map') == flat).all()
    assert (read_labels(tmp_path / 'grey.png', 'map') == flat).all()
    assert image_shape(tmp_path / 'deep.png') == (2, 2)


def test_files_that_are_no_label_map_are_named(tmp_path):
    colours = tmp_path / 'colours.png'
    Image.new('RGB', (4, 3)).save(colours)
    with pytest.raises(ValueError, match=r'colours.png: expected a VOC map.*RGB'):
        read_labels(colours, 'VOC map')
    cut = tmp_path / 'cut.png'
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:900])
    with pytest.raises(ValueError, match=r'cut.png: cannot be decoded'):
        read_labels(cut, 'VOC map')
    Image.fromarray(noise).save(cut)  # labelIds for instanceIds: only groups
    with pytest.raises(ValueError, match=r'cut.png: .*16 bit.*found 8 bits per pixel'):
        read_labels(cut, 'instance map (16 bit PNG)')
    with pytest.raises(FileNotFoundError, match='expected a VOC map'):
        read_labels(tmp_path / 'none.png', 'VOC map')
    with pytest.raises(ValueError, match=r'a.png: is 4 x 3 pixels .* b.jpg is 5 x 3'):
        check_size(np.zeros((3, 4)), (3, 5), 'a.png', 'b.jpg')
