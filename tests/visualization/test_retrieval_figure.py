"""The retrieval figure: geometry, what is shown, and that drawing changes nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmwsis.ops.point_retrieval import PointRetrieval
from mmwsis.structures import ObjectCropSample
from mmwsis.visualization.palette import PSEUDO_BG_COLOR, PSEUDO_FG_COLOR
from mmwsis.visualization.retrieval import (
    RetrievalFigure,
    chosen_cell,
    points_on_crop,
    retrieval_sheet,
    retrieval_tiles,
)
from mmwsis.visualization.retrieval_figure import retrieval_figures

SIZE, CELLS = 64, 8


def cells(*places):
    grid = np.zeros((CELLS, CELLS), bool)
    for row, column in places:
        grid[row, column] = True
    return grid


def figure(**changes):
    values = dict(
        crop=np.full((SIZE, SIZE, 3), 100, np.uint8),
        box_mask=np.pad(np.ones((32, 32), np.uint8), 16),
        extreme_points=np.array([[32, 17], [17, 32], [32, 47], [47, 32]], float),
        init_fg=cells((3, 3), (5, 4)),
        init_bg=cells((0, 0), (0, 1)),
        pseudo_fg=cells((4, 4)),
        pseudo_bg=cells((2, 2), (2, 5)),
        score_fg=np.linspace(0, 1, 64).reshape(8, 8),
        score_bg=np.linspace(1, 0, 64).reshape(8, 8),
        similarity=np.eye(64) + 0.01,
        name='sample',
    )
    return RetrievalFigure(**{**values, **changes})


def test_points_follow_crop_and_flip():
    # Pixel (100, 50), crop [40, 30, 160, 170], S 512, before the push.
    points = np.array([[100.5, 50.5]])
    moved = points_on_crop(points, (40, 30, 160, 170), False, 512)
    assert moved[0] == pytest.approx([60.5 * 512 / 120, 20.5 * 512 / 140])
    mirrored = points_on_crop(points, (40, 30, 160, 170), True, 512)
    assert mirrored[0] == pytest.approx([512 - moved[0, 0], moved[0, 1]])


def test_chosen_cell_is_the_surest_initial_point():
    assert chosen_cell(figure()) == 5 * CELLS + 4
    assert chosen_cell(figure(init_fg=cells())) == 4 * CELLS + 4


def test_tiles_show_pseudo_points_in_their_cells():
    tiles = retrieval_tiles(figure(), side=256)
    assert len(tiles) == 7
    assert {tile.image.shape for tile in tiles} == {(256, 256, 3)}
    dots = tiles[2].image
    step = 256 // CELLS
    assert (dots[4 * step + step // 2, 4 * step + step // 2] == PSEUDO_FG_COLOR).all()
    assert (dots[2 * step + step // 2, 5 * step + step // 2] == PSEUDO_BG_COLOR).all()
    assert '1 pseudo foreground, 2 pseudo background' in tiles[2].caption
    assert 'cell (row 5, column 4)' in tiles[6].caption


def test_sheet_has_a_row_a_crop():
    one, two = retrieval_sheet([figure()]), retrieval_sheet([figure()] * 2)
    assert two.shape[0] > one.shape[0] + 256


class FakeLabeler(torch.nn.Module):
    """Retrieves at random, as a real one would after random dropout."""

    def data_preprocessor(self, data):
        inputs = {k: torch.stack(v).float() for k, v in data['inputs'].items()}
        return dict(inputs=inputs, data_samples=data['data_samples'])

    def retrieve(self, inputs, samples):
        count = len(samples)
        grids = [torch.rand(count, CELLS, CELLS) > 0.5 for _ in range(4)]
        scores = [torch.rand(count, CELLS, CELLS) for _ in range(2)]
        assert inputs['teacher'].shape == (count, 3, SIZE, SIZE)
        return PointRetrieval(*grids, *scores), torch.rand(count, 64, 64)


def batch(count, points=True):
    samples = []
    for i in range(count):
        sample = ObjectCropSample(
            metainfo=dict(img_id=1, ann_id=i, label=0, crop_box=(0, 0, 64, 64))
        )
        sample.set_metainfo(dict(flip=False, crop_size=SIZE))
        sample.box_mask = torch.ones(SIZE, SIZE, dtype=torch.uint8)
        if points:
            sample.extreme_points = torch.zeros(4, 2, dtype=torch.float64)
        samples.append(sample)
    view = torch.randint(0, 255, (3, SIZE, SIZE), dtype=torch.uint8)
    views = [view] * count
    return dict(inputs=dict(student=views, teacher=views), data_samples=samples)


def test_pictures_from_a_model_leave_the_random_numbers_alone():
    data = batch(3)
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    figures = retrieval_figures(FakeLabeler(), data, num=2, classes=('star',))
    assert torch.equal(torch.rand(2), expected)
    assert len(figures) == 2
    assert figures[1].name == 'image 1, annotation 1: star'
    assert figures[0].init_fg.dtype == bool


def test_models_and_samples_without_points_are_refused():
    with pytest.raises(TypeError, match='no point retrieval'):
        retrieval_figures(SimpleNamespace(), batch(1))
    with pytest.raises(ValueError, match='needs extreme points'):
        retrieval_figures(FakeLabeler(), batch(1, points=False))
