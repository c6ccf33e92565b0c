"""What EXITS retrieves on a crop that is nearly constant, such as of a microscope."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from mmwsis.ops import lacks_pseudo_points
from mmwsis.registry import MODELS
from mmwsis.structures import ObjectCropSample

SIDE, PATCH, RADIUS = 128, 8, 40
# A random encoder compares colours; that is enough for a disc.
EXTRACTOR = dict(
    type='mmwsis.SimilarityExtractor',
    layer=1,
    encoder=dict(
        type='mmwsis.LabelerViT',
        img_size=SIDE,
        patch_size=PATCH,
        embed_dims=96,
        num_layers=1,
        num_heads=4,
    ),
)
PUBLISHED = dict(delta=8, hops=2)
RELATIVE = dict(
    PUBLISHED, thresholds='relative', tau_fg=0.5, tau_bg=-0.25, sinkhorn_tol=1e-6
)


@pytest.fixture
def disc():
    """Where the disc is, (S, S) bool."""
    distance = torch.arange(SIDE) - (SIDE - 1) / 2
    return distance[:, None] ** 2 + distance**2 < RADIUS**2


@pytest.fixture
def crop(disc):
    """A disc of 6 grey levels above a noise of 0 to 2, and its extreme points."""
    noise = torch.randint(0, 3, disc.shape, generator=torch.Generator().manual_seed(0))
    image = (noise + 6 * disc).to(torch.uint8).expand(3, -1, -1)
    sample = ObjectCropSample(
        metainfo=dict(area=6400.0, crop_box=(0, 0, SIDE, SIDE), flip=False)
    )
    low, middle, high = SIDE // 2 - RADIUS, SIDE // 2, SIDE // 2 + RADIUS - 1
    sample.box_mask = torch.zeros(SIDE, SIDE, dtype=torch.uint8)
    sample.box_mask[low : high + 1, low : high + 1] = 1
    sample.extreme_points = torch.tensor(
        [[middle, low], [low, middle], [middle, high], [high, middle]]
    ).double()
    return dict(inputs=dict(image=[image]), data_samples=[sample])


def retrieved(config, crop, min_contrast, retrieval, seed=0):
    config['data_preprocessor'].update(min_contrast=min_contrast)
    torch.manual_seed(seed)
    model = MODELS.build(
        dict(config, similarity_extractor=EXTRACTOR, retrieval=retrieval)
    )
    model.init_weights()
    return model.retrieve(**model.data_preprocessor(crop))[0]


@pytest.mark.parametrize('retrieval', [PUBLISHED, RELATIVE])
def test_nothing_is_retrieved_from_a_dark_crop_as_it_is(config, crop, retrieval):
    points = retrieved(config('exits'), crop, None, retrieval)
    assert lacks_pseudo_points(points).all()


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_a_stretched_crop_and_relative_thresholds_find_the_object(
    config, crop, disc, seed
):
    points = retrieved(config('exits'), crop, 30, RELATIVE, seed)
    inside = avg_pool2d(disc[None].float(), PATCH) > 0.5  # (1, N, N)
    assert points.pseudo_fg.sum() > 0.8 * inside.sum()
    assert (points.pseudo_fg & inside).sum() > 0.9 * points.pseudo_fg.sum()
    assert points.pseudo_bg.any()
    assert (points.pseudo_bg & inside).sum() < 0.2 * points.pseudo_bg.sum()
