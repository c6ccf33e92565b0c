from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import (
    find_peaks,
    merge_aug_cams,
    merge_aug_relations,
    merge_flipped_cams,
    stride4_size,
)

GOLDEN = Path(__file__).parents[1] / 'golden' / 'irnet'


def cam_case():
    data = np.load(GOLDEN / 'cam_merge_a.npz')
    keys = torch.from_numpy(data['keys'])
    scales = [torch.from_numpy(data[f'logit_scale{i}'])[:, keys] for i in range(4)]
    return data, scales, tuple(data['size'].tolist())


def test_golden_cam():
    data, scales, size = cam_case()
    cam, high_res = merge_aug_cams(scales, size)
    np.testing.assert_allclose(cam, data['cam'], rtol=0, atol=1e-5)
    np.testing.assert_allclose(high_res, data['high_res'], rtol=0, atol=1e-5)
    assert cam.shape[1:] == stride4_size(size)


def test_golden_relations():
    data = np.load(GOLDEN / 'edge_merge_a.npz')
    grid = stride4_size(tuple(data['size'].tolist()))
    outputs = (torch.from_numpy(data[key]) for key in ('edge_logit', 'dp_raw'))
    edge, displacement = merge_aug_relations(*outputs, grid)
    np.testing.assert_allclose(edge, data['edge'], rtol=0, atol=1e-6)
    np.testing.assert_allclose(displacement, data['displacement'], rtol=0, atol=1e-6)


def test_one_scale_by_hand():
    # 16x16 pixels are one cell of the classifier: the map is constant.
    scales = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1)
    cam, high_res = merge_aug_cams([scales], (16, 10))
    assert cam.shape == (1, 4, 3)
    assert high_res.shape == (1, 16, 10)
    torch.testing.assert_close(cam, torch.full((1, 4, 3), 2 / (2 + 1e-5)))
    torch.testing.assert_close(high_res, torch.full((1, 16, 10), 2 / (2 + 1e-5)))


def test_mirror_image_is_mirrored_back():
    image = torch.tensor([[0.0, 1, 3]])
    same = torch.stack([image, image.flip(-1)])[:, None]
    cam, _ = merge_aug_cams([same], (16, 48))
    alone = torch.stack([image, torch.zeros_like(image)])[:, None]
    torch.testing.assert_close(
        cam, merge_aug_cams([alone], (16, 48))[0], rtol=1e-4, atol=0
    )


def test_class_without_activation_stays_zero_and_no_class_is_empty():
    scales = [-torch.rand(2, 3, 2, 3), -torch.rand(2, 3, 4, 5)]
    scales[0][:, 0] *= -1
    cam, high_res = merge_aug_cams(scales, (30, 41))
    assert cam[0].max() > 0.99
    assert not cam[1:].any()
    assert not high_res[1:].any()
    cam, high_res = merge_aug_cams([maps[:, :0] for maps in scales], (30, 41))
    assert cam.shape == (0, 8, 11)
    assert high_res.shape == (0, 30, 41)


def test_full_precision():
    _, scales, size = cam_case()
    expected = merge_aug_cams(scales, size)
    with torch.autocast('cpu', torch.bfloat16):
        assert all(map(torch.equal, merge_aug_cams(scales, size), expected))
    logits, field = torch.randn(2, 1, 8, 8), torch.randn(2, 2, 8, 8)
    edge, displacement = merge_aug_relations(logits.half(), field.half(), (8, 6))
    assert edge.dtype == displacement.dtype == torch.float32


def test_wrong_arguments():
    with pytest.raises(ValueError, match='expected one tensor per scale, got none'):
        merge_aug_cams([], (8, 8))
    with pytest.raises(ValueError, match=r'logits\[1\]: expected shape \(2, 3, h, w\)'):
        merge_aug_cams([torch.zeros(2, 3, 1, 1), torch.zeros(2, 4, 1, 1)], (8, 8))
    with pytest.raises(
        ValueError, match=r'displacement: expected shape \(V, 2, 8, 8\)'
    ):
        merge_aug_relations(torch.zeros(2, 1, 8, 8), torch.zeros(2, 2, 8, 9), (8, 8))
    with pytest.raises(ValueError, match=r'at most \(8, 8\), .* got \(9, 8\)'):
        merge_aug_relations(torch.zeros(2, 1, 8, 8), torch.zeros(2, 2, 8, 8), (9, 8))


def test_displacements_that_are_not_finite_are_refused():
    displacement = torch.zeros(1, 2, 4, 4)
    displacement[0, 1, 2, 3] = torch.nan
    with pytest.raises(ValueError, match='displacement: expected finite numbers'):
        merge_aug_relations(torch.zeros(2, 1, 4, 4), displacement, (4, 4))


def flipped_case(name):
    data = np.load(GOLDEN.with_name('bestie') / f'{name}.npz')
    (labels,) = np.nonzero(data['label'])
    logits = np.concatenate([data['raw'], data['raw_flip']])[:, labels]
    size = tuple(data['size_hw'].tolist())
    return data, labels, merge_flipped_cams(torch.from_numpy(logits), size)


@pytest.mark.parametrize('name', ['cam_peaks_0', 'cam_peaks_1'])
def test_golden_smoothed_cams(name):
    data, labels, maps = flipped_case(name)
    expected = data['cam_final'][0]
    np.testing.assert_allclose(maps, expected[labels], rtol=0, atol=1e-5)
    assert not np.delete(expected, labels, axis=0).any()


def merged_cues(cues):
    """One of the rows of a class with equal confidence within 7 pixels."""
    kept = []
    for x, y, label, score in sorted(cues):
        near = (
            other
            for other in kept
            if other[2] == label
            and np.hypot(other[0] - x, other[1] - y) < 7
            and abs(other[3] - score) <= 1e-3
        )
        if not any(near):
            kept.append((x, y, label, score))
    return kept


@pytest.mark.parametrize('merge', [False, True])
@pytest.mark.parametrize('name', ['cam_peaks_0', 'cam_peaks_1'])
def test_golden_cues(name, merge):
    data, labels, maps = flipped_case(name)
    peaks = find_peaks(
        maps,
        int(data['kernel']),
        min_score=float(data['conf_thresh']),
        max_per_class=int(data['topk']),
        merge_plateaus=merge,
    )
    cues = [
        (*point, labels[label], score)
        for label, point, score in zip(*(entry.tolist() for entry in peaks))
    ]
    expected = data['rows'].tolist()
    found, expected = (merged_cues(rows) for rows in (cues, expected))
    assert len(found) == len(expected)
    np.testing.assert_allclose(
        [row[2:] for row in found], [row[2:] for row in expected], rtol=0, atol=1e-3
    )
    gaps = np.subtract([row[:2] for row in found], [row[:2] for row in expected])
    assert np.abs(gaps).max() <= merge
    # By class, then by score.
    assert cues == sorted(cues, key=lambda cue: (cue[2], -cue[3]))


def test_smoothed_cams_by_the_formula():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, generator=generator, dtype=torch.float64)
    maps = merge_flipped_cams(logits, (4, 5), smoothing=5)
    plain = logits.clamp(min=0).numpy()  # of the image's size already
    plain /= plain.max((2, 3), keepdims=True) + 1e-5
    mean = np.pad((plain[0] + plain[1][..., ::-1]) / 2, ((0, 0), (2, 2), (2, 2)))
    for y, x in np.ndindex(4, 5):
        expected = mean[:, y : y + 5, x : x + 5].mean((1, 2))
        np.testing.assert_allclose(maps[:, y, x], expected, rtol=1e-12)


def test_smoothed_cams_refuse_what_cannot_be_meant():
    with pytest.raises(ValueError, match='smoothing: expected an odd integer, got 2'):
        merge_flipped_cams(torch.zeros(2, 1, 3, 3), (9, 9), smoothing=2)
    with pytest.raises(ValueError, match='logits: .* The classifier has diverged'):
        merge_flipped_cams(torch.full((2, 1, 3, 3), -torch.inf), (9, 9))
