import json

import numpy as np
import pytest
from mmengine.config import ConfigDict

from mmwsis.formats.map_index import MapIndex
from mmwsis.formats.semantic_maps import encode_semantic_map
from mmwsis.visualization import class_map_tiles, draw_heat, draw_numbers
from mmwsis.visualization.browse import _loads_bgr
from mmwsis.visualization.maps import map_tiles

GREY = np.full((20, 30, 3), 120, np.uint8)


def test_heat_covers_what_is_high_and_spares_what_is_low():
    values = np.zeros((5, 6), np.float16)
    values[:, 3:] = 1
    drawn = draw_heat(GREY, values, alpha=1.0, min_side=20)
    assert drawn.shape == GREY.shape
    assert (drawn[:, :8] == 120).all()
    assert (drawn[:, -6:] != 120).any(-1).all()


def test_heat_survives_values_that_are_no_numbers():
    values = np.array([[np.nan, np.inf], [0.0, 0.0]])
    assert (draw_heat(GREY, values, min_side=20) == 120).all()
    with pytest.raises(ValueError, match=r'map .h, w., got shape .2, 3, 4.'):
        draw_heat(GREY, np.zeros((2, 3, 4)))


def test_numbers_get_colours_of_their_own():
    numbers = np.zeros((20, 30), np.int64)
    numbers[:5], numbers[5:10], numbers[10:15] = 7, 300, 255
    drawn = draw_numbers(GREY, numbers, unknown=255, alpha=1.0, min_side=20)
    assert (drawn[15:] == 120).all() and (drawn[10:15] == 255).all()
    colors = {tuple(drawn[row, 0]) for row in (0, 5, 10, 15)}
    assert len(colors) == 4
    tinted = draw_numbers(GREY, numbers, background=None, alpha=1.0, min_side=20)
    assert (tinted[15:] != 120).any(-1).all()
    with pytest.raises(ValueError, match='integers'):
        draw_numbers(GREY, np.zeros((2, 2)))


def test_one_tile_a_class():
    maps = np.stack([np.zeros((5, 5)), np.full((5, 5), 0.25)])
    tiles = class_map_tiles(GREY, [0, 2], maps, ('a', 'b', 'c'), 'image 1: ')
    assert [t.caption for t in tiles] == [
        'image 1: a, up to 0.00',
        'image 1: c, up to 0.25',
    ]
    assert [t.caption for t in class_map_tiles(GREY, [], maps[:0], ())] == ['no class']


def test_captions_tell_how_much_is_unknown(tmp_path):
    numbers = np.zeros(GREY.shape[:2], np.uint8)
    numbers[:5], numbers[5:7] = 255, 1
    classes = ('background', 'ring')
    (tmp_path / 'a.png').write_bytes(encode_semantic_map(numbers, classes))
    content = dict(type='semantic_maps', classes=classes, ignore_index=255)
    index = dict(content, images=[dict(id=3, file='a.png')])
    (tmp_path / 'index.json').write_text(json.dumps(index))
    tiles = map_tiles(MapIndex(tmp_path), 3, GREY)
    assert [tile.caption for tile in tiles] == [
        'image 3: background, ring, unknown 25% (white)'
    ]


def test_the_loader_says_the_order_of_channels():
    """Whatever the model makes of it, and without one."""

    def dataset(loader: str) -> dict:
        return dict(pipeline=[dict(type=loader), dict(type='mmdet.PackDetInputs')])

    own, mmdet = dataset('mmwsis.LoadCachedImage'), dataset('LoadImageFromFile')
    assert not _loads_bgr(ConfigDict(own))
    assert _loads_bgr(ConfigDict(mmdet))
    assert not _loads_bgr(ConfigDict(type='RepeatDataset', dataset=own))
    assert _loads_bgr(ConfigDict(type='ConcatDataset', datasets=[mmdet]))
