"""Proposals of images that have no file of them."""

import pickle

import numpy as np
import pytest
from mmdet.datasets.transforms import InferencerLoader

from mmwsis.datasets.transforms import GenerateProposals
from mmwsis.formats.proposals import encode_proposals
from mmwsis.ops import generate_proposals
from mmwsis.registry import TRANSFORMS

LIGHT = dict(scales=(100,), color_spaces=('lab',))


def picture():
    """RGB; blue and red differ more than their mirror images would."""
    image = np.full((60, 80, 3), 90, dtype=np.uint8)
    image[10:40, 15:45] = 220, 40, 40
    image[30:50, 50:75] = 40, 60, 200
    return image


def test_a_new_image_gets_those_of_the_generator():
    transform = TRANSFORMS.build(
        dict(type='mmwsis.GenerateProposals', path='nowhere', generator=LIGHT)
    )
    # What DetInferencer makes of an array: no id, no path, BGR.
    data = InferencerLoader()(picture()[..., ::-1].copy())
    assert data.get('img_id') is None
    found = transform(data)['mask_proposals']
    expected = generate_proposals(picture(), **LIGHT)
    assert found.rles == expected.rles and found.size == (60, 80)
    assert (found.scores == expected.scores).all() and len(found) > 1
    rgb = GenerateProposals(channel_order='rgb', generator=LIGHT)
    assert rgb(dict(img=picture()))['mask_proposals'].rles == expected.rles


def test_the_best_are_kept():
    every = GenerateProposals(generator=LIGHT)(dict(img=picture()))['mask_proposals']
    two = GenerateProposals(max_num=2, generator=LIGHT)(dict(img=picture()))
    assert two['mask_proposals'].rles == every.rles[:2]
    least = float(every.scores[1])
    high = GenerateProposals(min_score=least, generator=LIGHT)(dict(img=picture()))
    assert len(high['mask_proposals']) == (every.scores >= least).sum()


def test_an_image_of_a_dataset_has_its_file(tmp_path):
    one = generate_proposals(picture(), **LIGHT)[:1]
    content, _ = encode_proposals(7, one.rles, one.scores)
    (tmp_path / 'a.json').write_bytes(content)
    transform = GenerateProposals(str(tmp_path), generator=LIGHT)
    data = dict(img=picture(), img_id=7, img_path='img/a.png', height=60, width=80)
    assert len(transform(dict(data))['mask_proposals']) == 1
    with pytest.raises(FileNotFoundError, match=r'no proposals of image id 8 .*b\.png'):
        transform(dict(data, img_id=8, img_path='img/b.png'))
    # Without a folder every image gets the generator's.
    made = pickle.loads(pickle.dumps(GenerateProposals(generator=LIGHT)))
    assert len(made(dict(data))['mask_proposals']) > 1


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(ValueError, match="must be 'bgr' or 'rgb', got 'gbr'"):
        GenerateProposals(channel_order='gbr')
    with pytest.raises(TypeError, match='uint8'):
        GenerateProposals()(dict(img=picture().astype(np.float32)))
    assert "channel_order='bgr', generator={}" in repr(GenerateProposals())
