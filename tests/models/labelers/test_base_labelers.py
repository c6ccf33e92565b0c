"""What labelers share: dispatch, artifacts, settings, the original size."""

import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, PixelData
from scipy import ndimage

from mmwsis.models.labelers import BaseLabeler, WeightFreeLabeler
from mmwsis.models.original_size import (
    labels_at_original_size,
    points_at_original_size,
    scores_at_original_size,
)


class Told(BaseLabeler):
    artifacts = ('instances', 'points')
    test_defaults = dict(threshold=0.5, flip=False)

    def loss(self, inputs, data_samples):
        return 'loss', inputs, data_samples

    def predict(self, inputs, data_samples):
        return 'predict', inputs, data_samples

    def _forward(self, inputs, data_samples=None):
        return 'tensor', inputs, data_samples


class Bright(WeightFreeLabeler):
    artifacts = ('semantic_maps',)

    def label(self, image, sample):
        sample.pred_sem_seg = PixelData(sem_seg=(image[:1] > 100).byte())


@pytest.mark.parametrize('mode', ['loss', 'predict', 'tensor'])
def test_modes_are_dispatched(mode):
    assert Told()(1, 2, mode=mode) == (mode, 1, 2)
    assert Told()(1) == ('tensor', 1, None)
    with pytest.raises(ValueError, match="mode must be 'loss', 'tensor' or 'predict'"):
        Told()(1, mode='train')


def test_settings_are_filled_and_unknown_ones_refused():
    assert Told(dict(flip=True)).test_cfg == dict(threshold=0.5, flip=True)
    with pytest.raises(ValueError, match=r"unknown keys \['flp'\]; known are \['flip'"):
        Told(dict(flp=True))


def test_only_what_it_makes_may_be_asked_for():
    model = Told()
    assert model.artifact is None
    model.artifact = 'points'
    assert model.artifact == 'points'
    with pytest.raises(
        ValueError, match="'class_maps'; it makes 'instances', 'points'"
    ):
        model.artifact = 'class_maps'
    assert model.artifact == 'points'


def test_a_labeler_without_weights_needs_no_class_maps():
    images = [torch.full((3, 4, 5), value, dtype=torch.uint8) for value in (50, 150)]
    samples = Bright()(images, [BaseDataElement(), BaseDataElement()])
    assert [int(s.pred_sem_seg.sem_seg.sum()) for s in samples] == [0, 20]
    assert not Bright().state_dict()
    for mode in ('loss', 'tensor'):
        with pytest.raises(ValueError, match='Bright has no weights'):
            Bright()(images, samples, mode=mode)


def sample_of(before, after):
    return BaseDataElement(metainfo=dict(img_shape=before, ori_shape=after))


@pytest.mark.parametrize('after', [(9, 14), (5, 31), (18, 28), (12, 3)])
@pytest.mark.parametrize('dtype', [torch.bool, torch.uint8, torch.int32, torch.int64])
def test_labels_take_the_nearest_pixel(after, dtype):
    before = 9, 14
    rng = np.random.default_rng(0)
    maps = torch.from_numpy(rng.integers(0, 2**20, (3, 12, 16))).to(dtype)
    found = labels_at_original_size(maps, sample_of(before, after))
    assert found.dtype == dtype
    rows, columns = (
        [int((k + 0.5) * old / new) for k in range(new)]
        for old, new in zip(before, after)
    )
    assert torch.equal(found, maps[:, rows][:, :, columns])


def test_scores_are_interpolated():
    maps = torch.rand(2, 6, 8)
    found = scores_at_original_size(maps, sample_of((5, 8), (10, 24)))
    y, x = (np.arange(10) + 0.5) / 2 - 0.5, (np.arange(24) + 0.5) / 3 - 0.5
    wanted = [
        ndimage.map_coordinates(
            one[:5].numpy(), np.meshgrid(y, x, indexing='ij'), order=1, mode='nearest'
        )
        for one in maps
    ]
    np.testing.assert_allclose(found, np.stack(wanted), atol=1e-6)


@pytest.mark.parametrize('after', [(9, 14), (27, 28), (4, 60)])
def test_points_stay_on_their_pixels(after):
    """A pixel that is one, and the point on it, come back to the same place."""
    sample = sample_of((9, 14), after)
    maps = torch.zeros(1, 9, 14)
    for y, x in ((0, 0), (8, 13), (3, 7)):
        point = torch.tensor([[x, y]], dtype=torch.float32)
        moved = points_at_original_size(point, sample)
        maps.zero_()[0, y, x] = 1
        area = labels_at_original_size(maps > 0, sample)[0].nonzero().flip(1).float()
        if len(area):
            assert (area.mean(0) - moved[0]).abs().max() <= 0.5
        assert (moved >= 0).all() and (moved <= torch.tensor(after[::-1]) - 1).all()


@pytest.mark.parametrize('after', [(9, 14), (3, 4)])
def test_nothing_keeps_its_shape(after):
    sample = sample_of((9, 14), after)
    none = torch.zeros(0, 16, 16)
    assert labels_at_original_size(none.bool(), sample).shape == (0, *after)
    assert scores_at_original_size(none, sample).shape == (0, *after)
    assert points_at_original_size(torch.zeros(0, 2), sample).shape == (0, 2)
