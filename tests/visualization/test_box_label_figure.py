"""Boxes, GrabCut, proposals and where they agree, in a row."""

import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmwsis.visualization.box_label_figure import box_label_tiles, draw_box_labels
from mmwsis.visualization.palette import distinct_color

sys.path.insert(0, str(Path(__file__).parents[1] / 'models/labelers'))
from box_scenes import config, write_scenes


def test_an_object_has_one_colour():
    image = np.zeros((256, 300, 3), np.uint8)
    boxes = np.array([[10, 10, 100, 110], [150, 30, 290, 200]])
    masks = [np.zeros((256, 300), bool) for _ in boxes]
    for mask, (x0, y0, x1, y1) in zip(masks, boxes):
        mask[y0 + 10 : y1 - 10, x0 + 10 : x1 - 10] = True
    pairs = [(masks[0], masks[0]), (masks[1], None)]
    tiles = box_label_tiles(image, boxes, np.array([0, 1]), pairs, ('x', 'y'), '7: ')
    assert [tile.caption for tile in tiles] == [
        '7: boxes',
        'GrabCut',
        'proposals, 1 of the boxes have none',
        'where they agree; 4% unknown (white)',
    ]
    hues = [np.array(distinct_color(number)) for number in (1, 2)]
    _, cut, proposals, found = (tile.image.astype(float) for tile in tiles)
    for shown, alpha in ((cut, 0.45), (found, 0.7)):
        for (y, x), hue in zip([(60, 50), (100, 220)], hues):
            np.testing.assert_allclose(shown[y, x], alpha * hue, atol=1)
    assert (proposals[100, 220] == 0).all() and proposals[60, 50].any()


def test_images_with_boxes_are_drawn(tmp_path):
    write_scenes(tmp_path)
    out = draw_box_labels(config(tmp_path), tmp_path / 'boxes.png', num=5)
    with Image.open(out) as sheet:
        assert sheet.width > 4 * 256 and 2 * 256 < sheet.height < 3 * 256


def test_another_model_is_refused(tmp_path):
    cfg = Config(dict(model=dict(type='mmwsis.ProposalGenerator')))
    with pytest.raises(TypeError, match='ProposalGenerator does not label boxes'):
        draw_box_labels(cfg, tmp_path / 'boxes.png')
