from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import (
    CRF_PRESETS,
    BilateralKernel,
    DenseCRF,
    GaussianKernel,
    crf_refine_labels,
    dense_crf,
    unary_from_labels,
)

GOLDEN = Path(__file__).parents[1] / 'golden'
LIBRARY_CASES = sorted((GOLDEN / 'irnet' / 'dense_crf').glob('*.npz'))
RELATION_CASES = sorted((GOLDEN / 'irnet').glob('ir_label_*.npz'))
MEAN_FIELD_CASES = sorted((GOLDEN / 'weak_panoptic').glob('meanfield_s*.npz'))


def name_of(path):
    return path.stem


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('path', LIBRARY_CASES, ids=name_of)
def test_lattice_equals_the_library(path, dtype):
    data = np.load(path)
    image, count = torch.from_numpy(data['img']), int(data['n_labels'])
    if 'labels' in data:
        labels = torch.from_numpy(data['labels'])
        unary = unary_from_labels(labels, count, float(data['gt_prob']))
    else:
        unary = torch.from_numpy(data['unary'])
    kernels = (
        GaussianKernel(float(data['gauss_sxy']), float(data['gauss_compat'])),
        BilateralKernel(
            float(data['bilateral_sxy']),
            float(data['bilateral_srgb']),
            float(data['bilateral_compat']),
        ),
    )
    crf = DenseCRF(image, kernels, dtype=dtype)
    for iters in (1, 5, 10):
        marginals = crf.marginals(unary, iters)
        assert marginals.dtype == dtype
        wanted = data[f'q{iters}_u16'] / 65535
        np.testing.assert_allclose(marginals.numpy(), wanted, rtol=0, atol=2e-4)
    differ = crf.labels(unary).numpy() != data['map']
    assert differ.sum() <= data['n_ambiguous']


def test_presets_are_those_of_the_golden_files():
    for path in LIBRARY_CASES:
        data = np.load(path)
        preset = 'deeplab_v2' if 'deeplab' in path.stem else 'irnet'
        gauss, bilateral = CRF_PRESETS[preset]
        assert gauss == GaussianKernel(data['gauss_sxy'], data['gauss_compat'])
        assert bilateral == BilateralKernel(
            data['bilateral_sxy'], data['bilateral_srgb'], data['bilateral_compat']
        )


@pytest.mark.parametrize('path', RELATION_CASES, ids=name_of)
def test_refined_labels_of_class_maps(path):
    data = np.load(path)
    image = torch.from_numpy(data['img'])
    keys = np.concatenate([[-1], data['keys']]) + 1
    # Both maps of the image in one call, which shares the lattice.
    maps = torch.from_numpy(np.stack([data['fg_argmax'], data['bg_argmax']]))
    refined = crf_refine_labels(image, maps, num_labels=len(keys))
    assert refined.dtype == torch.uint8
    for labels, name in zip(refined.numpy(), ('fg_conf', 'bg_conf')):
        assert (keys[labels] != data[name]).mean() <= 0.002


def kernels_of(data, normalization):
    factor = float(data['weight_factor_none']) if normalization == 'none' else 1
    return (
        GaussianKernel(float(data['std_gauss']), factor * float(data['w_gauss'])),
        BilateralKernel(
            float(data['std_bilateral_xy']),
            float(data['std_bilateral_rgb']),
            factor * float(data['w_bilateral']),
        ),
    )


@pytest.mark.parametrize(
    ('dtype', 'tolerance'), [(torch.float32, 1e-4), (torch.float64, 1e-6)]
)
@pytest.mark.parametrize('normalization', ['symmetric', 'after', 'none'])
@pytest.mark.parametrize('path', MEAN_FIELD_CASES, ids=name_of)
def test_exact_mean_field(path, normalization, dtype, tolerance):
    data = np.load(path)
    image = torch.from_numpy(data['image'])
    unary = torch.from_numpy(data['unary']).to(dtype)
    kernels = kernels_of(data, normalization)
    for iters in (1, 5, 10):
        q = dense_crf(unary, image, kernels, iters, normalization, 'exact')
        wanted = data[f'Q_{normalization}_it{iters}']
        np.testing.assert_allclose(q.numpy(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('normalization', ['symmetric', 'after'])
@pytest.mark.parametrize('path', MEAN_FIELD_CASES, ids=name_of)
def test_lattice_mean_field(path, normalization, dtype):
    data = np.load(path)
    image = torch.from_numpy(data['image'])
    unary = torch.from_numpy(data['unary']).to(dtype)
    kernels = kernels_of(data, normalization)
    for iters in (1, 5, 10):
        q = dense_crf(unary, image, kernels, iters, normalization)
        wanted = data[f'pydensecrf_{normalization}_it{iters}']
        np.testing.assert_allclose(q.numpy(), wanted, rtol=0, atol=1e-3)


def test_a_pixel_counts_itself():
    """The kernels include i = j; without it the marginals are others."""
    data = np.load(MEAN_FIELD_CASES[0])
    image, unary = (torch.from_numpy(data[key]) for key in ('image', 'unary'))
    q = dense_crf(unary, image, kernels_of(data, 'symmetric'), backend='exact')
    np.testing.assert_allclose(q, data['Q_symmetric_it10'], rtol=0, atol=1e-6)
    other = np.abs(q.numpy() - data['Q_symmetric_noself_it10'])
    assert other.max() > 0.1


def test_golden_gradients():
    data = np.load(GOLDEN / 'weak_panoptic' / 'meanfield_grad_s.npz')
    image = torch.from_numpy(data['image'])
    unary = torch.from_numpy(data['unary']).requires_grad_()
    weights = torch.from_numpy(data['weights']).requires_grad_()
    kernels = (
        GaussianKernel(float(data['std_gauss']), weights[0]),
        BilateralKernel(
            float(data['std_bilateral_xy']),
            float(data['std_bilateral_rgb']),
            weights[1],
        ),
    )
    q = dense_crf(unary, image, kernels, 5, backend='exact')
    np.testing.assert_allclose(q.detach(), data['Q5'], rtol=0, atol=1e-8)
    value = (torch.from_numpy(data['R']) * q).sum()
    assert value.item() == pytest.approx(float(data['value']), abs=1e-8)
    value.backward()
    np.testing.assert_allclose(unary.grad, data['grad_unary'], rtol=0, atol=1e-8)
    np.testing.assert_allclose(weights.grad, data['grad_weights'], rtol=0, atol=1e-8)
