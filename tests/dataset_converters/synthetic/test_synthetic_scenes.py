import hashlib

import numpy as np
import pytest

from mmwsis.dataset_converters.synthetic.regions import strip_mask
from mmwsis.dataset_converters.synthetic.scene import (
    THING_CLASSES,
    compose_scene,
    is_empty_scene,
)
from mmwsis.dataset_converters.synthetic.shapes import Placement, shape_mask
from mmwsis.dataset_converters.synthetic.textures import stuff_texture, thing_texture


def test_equal_arguments_give_equal_pixels_and_others_differ():
    first, again = compose_scene(3, 0, 5), compose_scene(3, 0, 5)
    for name in ('image', 'stuff', 'instances'):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert first.names == again.names
    for other in (compose_scene(4, 0, 5), compose_scene(3, 1, 5)):
        assert (first.image != other.image).any()


def test_the_pixels_of_a_seed_stay_what_they_are():
    """Fails when scenes change: then raise GENERATOR_VERSION and this value."""
    digest = hashlib.sha256()
    for index in range(6):
        scene = compose_scene(0, 0, index)
        for array in (scene.image, scene.stuff, scene.instances):
            digest.update(array.tobytes())
    assert digest.hexdigest()[:16] == '3b6babb9dee40b5f'


def test_scenes_are_well_formed():
    for index in range(30):
        scene = compose_scene(1, 0, index)
        assert scene.image.shape == (128, 128, 3)
        assert scene.image.dtype == np.uint8
        visible = np.unique(scene.instances)
        assert visible[visible > 0].tolist() == list(range(1, len(scene.names) + 1))
        assert set(scene.names) <= set(THING_CLASSES)
        assert set(np.unique(scene.stuff)) <= {0, 1, 2}
        areas = np.bincount(scene.instances.ravel())[1:]
        assert (areas >= 36).all()


def test_one_scene_of_every_block_is_empty():
    empty = [is_empty_scene(0, 0, index) for index in range(100)]
    assert [sum(empty[k : k + 25]) for k in (0, 25, 50, 75)] == [1, 1, 1, 1]
    assert compose_scene(0, 0, empty.index(True)).names == []


def test_interiors_are_closer_to_themselves_than_to_what_is_around():
    """Segmentation by appearance is possible: neighbours differ across borders."""
    inner, outer = [], []
    for index in range(40):
        scene = compose_scene(2, 0, index)
        image = scene.image.astype(float)
        regions = scene.instances.astype(int) * 8 + scene.stuff * (scene.instances == 0)
        # Four pixels apart, so that the soft border does not blur the comparison.
        step = np.sqrt(((image[:, 4:] - image[:, :-4]) ** 2).sum(2))
        same = regions[:, 4:] == regions[:, :-4]
        thing = (scene.instances[:, 4:] > 0) | (scene.instances[:, :-4] > 0)
        inner.extend(step[same & thing])
        outer.extend(step[~same & thing])
    assert np.median(inner) < 25 < 75 < np.median(outer)


@pytest.mark.parametrize('name', THING_CLASSES)
def test_shapes_fill_their_box_as_expected(name):
    width = 8 if name == 'bar' else 30
    placement = Placement(64, 64, 30, width, 0, hole=0.55)
    share = shape_mask(name, placement, 128).sum() / (4 * 30 * width)
    expected = dict(disc=0.785, ring=0.548, square=1, triangle=0.5, star=0.338, bar=1)
    assert share == pytest.approx(expected[name], abs=0.03)
    turned = shape_mask(name, Placement(64, 64, 30, width, 90, hole=0.55), 128)
    assert turned.sum() == pytest.approx(share * 4 * 30 * width, rel=0.03)


def test_textures_are_bounded_and_differ():
    rng = np.random.default_rng(0)
    v, u = np.mgrid[-20:20, -20:20].astype(float)
    patterns = [thing_texture(rng, name, u, v) for name in THING_CLASSES]
    assert max(np.abs(p).max() for p in patterns) <= 1
    assert min(p.std() for p in patterns) > 0.2
    for name in ('sky', 'grass', 'sand'):
        assert np.abs(stuff_texture(rng, name, (40, 40))).max() <= 1.5


def test_a_strip_crosses_the_scene():
    mask = strip_mask((20, 30), 0, 6, 64)
    assert mask.any(axis=0).all()
    assert mask.any(axis=1).sum() == 6


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match='at least 64 pixels, given 32'):
        compose_scene(0, 0, 0, size=32)
    with pytest.raises(ValueError, match="'cube' is unknown"):
        shape_mask('cube', Placement(1, 1, 1, 1, 0), 64)
