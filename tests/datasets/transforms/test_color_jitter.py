"""Random colours of whole images, and the squares of BESTIE's classifier."""

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.config import Config
from PIL import Image, ImageEnhance

from mmwsis.datasets.transforms import ColorJitter
from mmwsis.registry import TRANSFORMS


def image(height=30, width=50):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_strengths_are_those_that_are_asked_for(monkeypatch):
    jitter = ColorJitter(brightness=0.3, contrast=0, saturation=0, hue=0)
    monkeypatch.setattr(np.random, 'uniform', lambda low, high: high)
    found = jitter(dict(img=image()))['img']
    expected = ImageEnhance.Brightness(Image.fromarray(image())).enhance(1.3)
    assert np.array_equal(found, expected)
    none = ColorJitter(0, 0, 0, 0)
    assert np.array_equal(none(dict(img=image()))['img'], image())


def test_draws_follow_numpys_state():
    jitter = ColorJitter()
    found = []
    for seed in (0, 0, 1):
        np.random.seed(seed)
        found.append(jitter(dict(img=image()))['img'])
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert found[0].dtype == np.uint8 and found[0].shape == (30, 50, 3)


@pytest.mark.parametrize('settings', [dict(hue=0.6), dict(contrast=-0.1)])
def test_wrong_strengths_are_refused(settings):
    with pytest.raises(ValueError, match='hue in .0, 0.5.; got'):
        ColorJitter(**settings)


def test_pipelines_of_the_classifier_make_squares():
    cfg = Config.fromfile('configs/_base_/datasets/tagged_squares.py')
    for pipeline, side in ((cfg.train_pipeline, 321), (cfg.test_pipeline, 321)):
        steps = Compose([TRANSFORMS.build(step) for step in pipeline[1:]])
        results = dict(img=image(), img_id=1, ori_shape=(30, 50), img_shape=(30, 50))
        sample = steps(dict(results, tags=(0,), num_classes=1))
        assert sample['inputs'].shape == (3, side, side)
        assert sample['data_samples'].ori_shape == (30, 50)
    # Pillow's bilinear filter to 321x321, whatever the aspect ratio.
    expected = Image.fromarray(image()).resize((321, 321), Image.Resampling.BILINEAR)
    assert np.array_equal(sample['inputs'].permute(1, 2, 0), expected)
