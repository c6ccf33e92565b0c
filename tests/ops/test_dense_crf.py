from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmwsis.ops import (
    CRF_PRESETS,
    BilateralKernel,
    DenseCRF,
    GaussianKernel,
    crf_refine_labels,
    dense_crf,
    unary_from_labels,
    unary_from_probabilities,
)

GOLDEN = Path(__file__).parents[1] / 'golden'
LIBRARY_CASES = sorted((GOLDEN / 'irnet' / 'dense_crf').glob('*.npz'))
RELATION_CASES = sorted((GOLDEN / 'irnet').glob('ir_label_*.npz'))
MEAN_FIELD_CASES = sorted((GOLDEN / 'weak_panoptic').glob('meanfield_s*.npz'))
DEVICES = ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]


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


@pytest.mark.parametrize('path', MEAN_FIELD_CASES, ids=name_of)
def test_golden_without_the_pixel_itself_is_another_model(path):
    """A slow reference makes both: the one here differs in i = j alone."""
    data = np.load(path)
    height, width = data['image'].shape[:2]
    places = np.indices((height, width))[::-1].reshape(2, -1).T.astype(float)
    colours = data['image'].reshape(-1, 3).astype(float)
    near = places / float(data['std_gauss'])
    alike = np.concatenate(
        [
            places / float(data['std_bilateral_xy']),
            colours / float(data['std_bilateral_rgb']),
        ],
        axis=1,
    )
    unary = data['unary'].reshape(len(data['unary']), -1)

    def softmax(x):
        x = np.exp(x - x.max(0))
        return x / x.sum(0)

    for name, itself in (('symmetric', True), ('symmetric_noself', False)):
        pairs = np.zeros((height * width, height * width))
        for features, weight in ((near, data['w_gauss']), (alike, data['w_bilateral'])):
            squares = (features**2).sum(1)
            distances = squares[:, None] + squares - 2 * features @ features.T
            kernel = np.exp(-0.5 * distances.clip(0))
            np.fill_diagonal(kernel, float(itself))
            root = np.sqrt(kernel.sum(1))
            pairs += float(weight) * kernel / root[:, None] / root
        q = softmax(-unary)
        for step in range(1, 11):
            q = softmax(-unary + q @ pairs)
            if step in (1, 5, 10):
                wanted = data[f'Q_{name}_it{step}'].reshape(q.shape)
                np.testing.assert_allclose(q, wanted, rtol=0, atol=1e-6)


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


def plain_mean_field(unary, image, kernels, num_iters, normalization):
    """The formulas with matrices of all pairs, for one image in float64."""
    count, height, width = unary.shape
    y, x = np.mgrid[:height, :width].reshape(2, -1).astype(float)
    colours = image.reshape(-1, 3).astype(float)
    matrices = []
    for kernel in kernels:
        features = np.stack([x, y], 1) / kernel.sxy
        if isinstance(kernel, BilateralKernel):
            features = np.concatenate([features, colours / kernel.srgb], 1)
        distance = ((features[:, None] - features) ** 2).sum(2)
        matrix = np.exp(-distance / 2)
        mass = matrix.sum(1)
        if normalization == 'symmetric':
            matrix = matrix / np.sqrt(mass[:, None] * mass)
        elif normalization == 'after':
            matrix = matrix / mass[:, None]
        matrices.append(kernel.weight * matrix)

    def softmax(logits):
        exponentials = np.exp(logits - logits.max(0))
        return exponentials / exponentials.sum(0)

    energy = unary.reshape(count, -1)
    q = softmax(-energy)
    for _ in range(num_iters):
        q = softmax(-energy + sum(q @ matrix.T for matrix in matrices))
    return q.reshape(unary.shape)


def scene(height, width, labels, batch=(), seed=0):
    """Two flat halves with noise, and random energies in float64."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(
        40, (*batch, height, width, 3), generator=generator, dtype=torch.uint8
    )
    image[..., width // 2 :, :] += 120
    unary = torch.rand(
        (*batch, labels, height, width), generator=generator, dtype=torch.float64
    )
    return image, unary


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(
        st.integers(1, 7), st.integers(1, 7), st.integers(1, 5), st.just(())
    ),
    iters=st.integers(0, 4),
    normalization=st.sampled_from(['symmetric', 'after', 'none']),
    kernel=st.sampled_from([(), (GaussianKernel(0.8, 1.5),)]),
)
def test_exact_backend_equals_the_formulas(shape, iters, normalization, kernel):
    image, unary = scene(*shape)
    kernels = (*kernel, BilateralKernel(2.5, 20, 2))
    q = dense_crf(unary, image, kernels, iters, normalization, 'exact')
    wanted = plain_mean_field(
        unary.numpy(), image.numpy(), kernels, iters, normalization
    )
    np.testing.assert_allclose(q, wanted, rtol=0, atol=1e-10)


def test_two_pixels_by_hand():
    unary = torch.tensor([[[0.0, 0.0]], [[0.5, -0.5]]], dtype=torch.float64)
    image = torch.zeros(1, 2, 3)
    kernels = (GaussianKernel(1, 1),)
    for iters, wanted in ((0, [0.62246, 0.37754]), (1, [0.63645, 0.36355])):
        q = dense_crf(unary, image, kernels, iters, backend='exact')
        assert q[0, 0].tolist() == pytest.approx(wanted, abs=1e-5)


@settings(max_examples=10, deadline=None)
@given(
    shape=st.tuples(
        st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.just((2,))
    ),
    backend=st.sampled_from(['lattice', 'exact']),
    normalization=st.sampled_from(['symmetric', 'after', 'none']),
)
def test_properties(shape, backend, normalization):
    images, unaries = scene(*shape)
    options = dict(kernels='irnet', normalization=normalization, backend=backend)
    together = dense_crf(unaries, images, **options)
    torch.testing.assert_close(together.sum(1), torch.ones_like(together[:, 0]))
    assert (together >= 0).all()
    # A batch is its images; unaries that share an image do not see each other.
    for image, unary, q in zip(images, unaries, together):
        torch.testing.assert_close(dense_crf(unary, image, **options), q)
    shared = dense_crf(unaries, images[1], **options)
    torch.testing.assert_close(shared[1], together[1])
    # Labels have no order, and energies no zero.
    flipped = dense_crf(unaries.flip(1) + 3, images, **options)
    torch.testing.assert_close(flipped.flip(1), together)


@pytest.mark.parametrize('backend', ['lattice', 'exact'])
@pytest.mark.parametrize('normalization', ['symmetric', 'after', 'none'])
def test_gradients(backend, normalization):
    image, unary = scene(2, 4, 2)
    unary.requires_grad_()
    smoothness, appearance = torch.tensor([0.7, 1.2], dtype=torch.float64)
    smoothness.requires_grad_()
    appearance.requires_grad_()

    def run(unary, smoothness, appearance):
        kernels = (
            GaussianKernel(1, smoothness),
            BilateralKernel(3, 30, appearance),
        )
        return dense_crf(unary, image, kernels, 2, normalization, backend)

    assert torch.autograd.gradcheck(run, (unary, smoothness, appearance))


def test_gradients_of_many_images_and_fixed_weights():
    images, unaries = scene(2, 3, 2, batch=(2,))
    unaries.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda unary: dense_crf(unary, images, 'weak_panoptic', 2), unaries
    )


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('backend', ['lattice', 'exact'])
def test_autocast_changes_nothing(backend, device):
    image, unary = scene(6, 7, 3)
    image, unary = image.to(device), unary.to(device)
    weight = torch.tensor(2.0, device=device, requires_grad=True)
    kernels = (BilateralKernel(3, 30, weight),)
    low = unary.bfloat16().requires_grad_()
    wanted = dense_crf(low.float(), image, kernels, backend=backend)
    with torch.autocast(device, torch.bfloat16):
        q = dense_crf(low, image, kernels, backend=backend)
        assert q.dtype == torch.float32
        assert torch.equal(q, wanted)
        q[0].sum().backward()
    assert low.grad.isfinite().all() and low.grad.any()
    assert weight.grad.isfinite() and weight.grad != 0


def test_what_is_kept_from_inference_mode_can_be_trained_with():
    image, unary = scene(11, 13, 2)
    with torch.inference_mode():
        wanted = dense_crf(unary, image, 'irnet', 2)
    q = dense_crf(unary.clone().requires_grad_(), image, 'irnet', 2)
    torch.testing.assert_close(q.detach(), wanted.clone())
    q[0].sum().backward()


def test_float_images_equal_integers():
    image, unary = scene(8, 9, 3)
    wanted = dense_crf(unary, image, 'irnet')
    assert torch.equal(dense_crf(unary, image.float(), 'irnet'), wanted)


def test_unaries_by_hand():
    labels = torch.tensor([[0, 2, 255]], dtype=torch.uint8)
    energy = unary_from_labels(labels, 3, gt_prob=0.8, ignore_index=255)
    wanted = -torch.tensor(
        [[[0.8, 0.1, 1 / 3]], [[0.1, 0.1, 1 / 3]], [[0.1, 0.8, 1 / 3]]]
    ).log()
    torch.testing.assert_close(energy, wanted)
    batch = unary_from_labels(labels.expand(2, 1, 3), 3, 0.8, 255)
    torch.testing.assert_close(batch, wanted.expand(2, 3, 1, 3))
    prob = torch.tensor([0.5, 0.0, 1.0])
    energy = unary_from_probabilities(prob, floor=1e-3)
    torch.testing.assert_close(energy, -torch.tensor([0.5, 1e-3, 1.0]).log())
    assert unary_from_probabilities(prob.double()).dtype == torch.float64


def test_refinement_follows_the_image():
    image, _ = scene(20, 30, 2)
    labels = torch.zeros(20, 30, dtype=torch.int64)
    labels[:, 12:] = 1  # the colours change at column 15
    refined = crf_refine_labels(image, labels, 2)
    assert refined.dtype == torch.int64
    assert not refined[:, :15].any() and refined[:, 15:].all()
    batch = crf_refine_labels(image.expand(2, -1, -1, -1), labels.expand(2, -1, -1), 2)
    assert torch.equal(batch, refined.expand(2, -1, -1))


def test_one_label_needs_no_crf():
    image, _ = scene(4, 5, 1)
    labels = torch.zeros(4, 5, dtype=torch.uint8)
    assert torch.equal(crf_refine_labels(image, labels, 1), labels)
    with pytest.raises(ValueError, match='a single label needs no CRF'):
        unary_from_labels(labels, 1)


def test_no_pixels():
    image, unary = scene(0, 5, 3)
    assert dense_crf(unary, image, 'irnet').shape == (3, 0, 5)
    images, unaries = scene(4, 5, 3, batch=(0,))
    assert dense_crf(unaries, images, 'irnet').shape == (0, 3, 4, 5)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(image=torch.zeros(3, 4, 5)), r'image: expected shape \(H, W, 3\), got'),
        (dict(unary=torch.zeros(2, 5, 4)), r'unary: expected shape \(n, 4, 5\), got'),
        (
            dict(image=torch.zeros(2, 4, 5, 3)),
            r'unary: expected shape \(2, n, 4, 5\), got \(2, 4, 5\)',
        ),
        (dict(kernels='deeplab'), "kernels: expected one of 'irnet', 'deeplab_v2'"),
        (dict(normalization='before'), "normalization: expected one of 'symmetric'"),
        (dict(backend='cuda'), "backend: expected one of 'lattice', 'exact'"),
        (dict(num_iters=-1), 'num_iters: expected an integer >= 0, got -1'),
        (dict(image=torch.full((4, 5, 3), torch.nan)), 'image: expected finite'),
    ],
)
def test_errors(changes, message):
    arguments = dict(
        unary=torch.zeros(2, 4, 5), image=torch.zeros(4, 5, 3), kernels='irnet'
    )
    with pytest.raises(ValueError, match=message):
        dense_crf(**{**arguments, **changes})


def test_errors_of_labels_and_widths():
    image, labels = torch.zeros(4, 5, 3), torch.zeros(4, 5, dtype=torch.int64)
    with pytest.raises(ValueError, match=r'image: expected shape \(4, 5, 3\), got'):
        crf_refine_labels(torch.zeros(3, 4, 5), labels, 2)
    with pytest.raises(ValueError, match=r'labels: .* in \[0, 1\], got 0 to 255'):
        labels[0, 0] = 255
        crf_refine_labels(image, labels, 2)
    with pytest.raises(ValueError, match=r'gt_prob: .* in \(0, 1\), got 1'):
        unary_from_labels(torch.zeros(4, 5), 2, 1)
    with pytest.raises(ValueError, match=r'floor: .* in \(0, 1\), got 0'):
        unary_from_probabilities(torch.zeros(2, 4, 5), 0)
    with pytest.raises(ValueError, match=r'srgb: .* in \(0, inf\), got 0'):
        BilateralKernel(1, 0, 1)
    with pytest.raises(ValueError, match=r'sxy: .* in \(0, inf\), got -1'):
        GaussianKernel(-1, 1)
    with pytest.raises(ValueError, match='at most 65536 per image, got 90000'):
        dense_crf(
            torch.zeros(2, 300, 300),
            torch.zeros(300, 300, 3),
            'irnet',
            1,
            backend='exact',
        )
