from pathlib import Path

import numpy as np
import pytest
import torch

from mmwsis.ops import (
    NonFiniteSimilarityError,
    PointRetrieval,
    drop_points,
    lacks_pseudo_points,
    retrieve_points,
)

GOLDEN = Path(__file__).parents[1] / 'golden' / 'exits'


def golden_case(index):
    data = np.load(GOLDEN / f'propagate_{index}.npz')
    side = int(data['N'])
    if 'S' in data:
        similarity = torch.from_numpy(data['S']).double()
    else:
        q, k = (torch.from_numpy(data[name]).double() for name in ('q', 'k'))
        similarity = (q @ k.T).softmax(1)
    init_fg = torch.zeros(side * side, dtype=torch.bool)
    init_fg[data['fg_cells']] = True
    in_box = torch.from_numpy(data['in_box'])[None]
    return data, similarity[None], init_fg.view(1, side, side), in_box


def indices(grid):
    return grid.flatten().nonzero().flatten().tolist()


@pytest.mark.parametrize('index', [91, 92, 93])
@pytest.mark.parametrize('hops', [1, 2, 3, 4, 'inf'])
@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_golden_sets(index, hops, dtype):
    data, similarity, init_fg, in_box = golden_case(index)
    found = retrieve_points(
        similarity.to(dtype),
        init_fg,
        in_box,
        hops=hops,
        beta=float(data['beta']),
        sinkhorn_iters=2000,
        sinkhorn_tol=1e-13 if dtype == torch.float64 else 1e-6,
    )
    assert indices(found.init_bg) == data['bg_cells'].tolist()
    assert indices(found.pseudo_fg) == data[f'pseudo_fg_{hops}'].tolist()
    assert indices(found.pseudo_bg) == data[f'pseudo_bg_{hops}'].tolist()
    atol = 1e-6 if dtype == torch.float64 else 1e-5
    for score, name in ((found.score_fg, 'pi_f'), (found.score_bg, 'pi_b')):
        expected = data[f'{name}_{hops}']
        np.testing.assert_allclose(score.flatten().numpy(), expected, rtol=0, atol=atol)


@pytest.mark.parametrize('index', [91, 92, 93])
def test_golden_sets_with_the_default_tolerance(index):
    data, similarity, init_fg, in_box = golden_case(index)
    found = retrieve_points(similarity.float(), init_fg, in_box)
    assert indices(found.pseudo_fg) == data['pseudo_fg_3'].tolist()
    assert indices(found.pseudo_bg) == data['pseudo_bg_3'].tolist()


@pytest.mark.parametrize('index', [91, 92, 93])
def test_golden_without_background(index):
    data, similarity, init_fg, in_box = golden_case(index)
    found = retrieve_points(
        similarity,
        init_fg,
        torch.ones_like(in_box),
        sinkhorn_iters=2000,
        sinkhorn_tol=1e-13,
    )
    assert not found.init_bg.any()
    assert not found.score_bg.any()
    np.testing.assert_allclose(
        found.score_fg.flatten().numpy(), data['pi_f_nobg_3'], rtol=0, atol=1e-6
    )
    # The golden sets keep the original box as candidates.
    assert indices(found.pseudo_fg & in_box) == data['pseudo_fg_nobg_3'].tolist()
    assert indices(found.pseudo_bg) == data['pseudo_bg_nobg_3'].tolist()


def test_equals_cell_by_cell():
    """A dense transition matrix and one Python decision a cell."""
    generator = torch.Generator().manual_seed(0)
    batch, side = 3, 6
    q, k = torch.randn(2, batch, side**2, 5, generator=generator, dtype=torch.float64)
    similarity = (2 * q @ k.transpose(1, 2)).softmax(2)
    init_fg = torch.rand(batch, side, side, generator=generator) > 0.9
    in_box = torch.rand(batch, side, side, generator=generator) > 0.4
    found = retrieve_points(
        similarity,
        init_fg,
        in_box,
        hops=1,
        sinkhorn_iters=500,
        sinkhorn_tol=1e-12,
    )
    for index in range(batch):
        matrix = similarity[index]
        for _ in range(500):
            matrix = matrix / matrix.sum(1, keepdim=True)
            matrix = matrix / matrix.sum(0, keepdim=True)
        power = (matrix + matrix.T) / 2
        box, fg = in_box[index].flatten(), init_fg[index].flatten()
        background = ~(box | fg)
        difference = power[fg].mean(0) - power[background].mean(0)
        scale = (32 / side) ** 2
        for cell in range(side**2):
            row, col = divmod(cell, side)
            free = bool(box[cell]) and not bool(fg[cell])
            is_fg = free and difference[cell].item() >= 1e-3 * scale
            is_bg = free and difference[cell].item() <= -1e-4 * scale
            assert found.pseudo_fg[index, row, col] == is_fg
            assert found.pseudo_bg[index, row, col] == is_bg
    assert found.pseudo_fg.any()
    assert found.pseudo_bg.any()


def test_uniform_similarity_retrieves_nothing():
    similarity = torch.full((1, 1024, 1024), 1 / 1024)
    init_fg = torch.zeros(1, 32, 32, dtype=torch.bool)
    init_fg[0, 5, 5] = init_fg[0, 20, 10] = True
    in_box = torch.zeros_like(init_fg)
    in_box[0, 4:25, 4:25] = True
    found = retrieve_points(similarity, init_fg, in_box)
    torch.testing.assert_close(found.score_fg, torch.full((1, 32, 32), 1 / 1024))
    torch.testing.assert_close(found.score_bg, torch.full((1, 32, 32), 1 / 1024))
    assert not found.pseudo_fg.any()
    assert not found.pseudo_bg.any()
    assert lacks_pseudo_points(found).tolist() == [True]


def test_thresholds_may_stay_absolute():
    _, similarity, init_fg, in_box = golden_case(91)
    scaled = retrieve_points(
        similarity, init_fg, in_box, tau_fg=1e-3 / 16, tau_bg=-1e-4 / 16
    )
    absolute = retrieve_points(similarity, init_fg, in_box, scale_thresholds=False)
    assert torch.equal(scaled.pseudo_fg, absolute.pseudo_fg)
    assert torch.equal(scaled.pseudo_bg, absolute.pseudo_bg)
    far = dict(tau_fg=0.2, tau_bg=-0.01, hops=1)
    strict = retrieve_points(similarity, init_fg, in_box, **far)
    loose = retrieve_points(similarity, init_fg, in_box, scale_thresholds=False, **far)
    assert loose.pseudo_bg.sum() > strict.pseudo_bg.sum()


def test_cells_on_a_threshold_are_retrieved():
    _, similarity, init_fg, in_box = golden_case(91)
    found = retrieve_points(similarity, init_fg, in_box)
    difference = (found.score_fg - found.score_bg)[in_box & ~init_fg]
    highest, lowest = difference.max().item(), difference.min().item()
    exact = dict(scale_thresholds=False, tau_fg=highest, tau_bg=lowest)
    found = retrieve_points(similarity, init_fg, in_box, **exact)
    assert found.pseudo_fg.sum() == (difference == highest).sum() >= 1
    assert found.pseudo_bg.sum() == (difference == lowest).sum() >= 1


RELATIVE = dict(thresholds='relative', tau_fg=0.5, tau_bg=-0.25, sinkhorn_tol=1e-6)


def test_relative_thresholds_follow_the_spread_of_the_scores():
    """Of a similarity whose contrast is a tenth of another's, faint as that is."""
    _, similarity, init_fg, in_box = golden_case(91)
    options = dict(RELATIVE, sinkhorn_tol=1e-9, hops=1)

    def retrieved(contrast, **settings):
        uniform = (1 + contrast * similarity / similarity.max()) / similarity.shape[1]
        return retrieve_points(uniform, init_fg, in_box, **settings)

    expected = retrieved(1e-3, **options)
    faint = retrieved(1e-4, **options)
    spread = (faint.score_fg - faint.score_bg).std()
    assert spread < 1e-6
    assert expected.pseudo_fg.any()
    assert expected.pseudo_bg.any()
    assert torch.equal(faint.pseudo_fg, expected.pseudo_fg)
    assert torch.equal(faint.pseudo_bg, expected.pseudo_bg)
    # Absolute thresholds find nothing.
    assert lacks_pseudo_points(retrieved(1e-4, hops=1)).all()


def test_relative_thresholds_are_standard_deviations():
    _, similarity, init_fg, in_box = golden_case(91)
    found = retrieve_points(similarity, init_fg, in_box, **RELATIVE)
    difference = found.score_fg - found.score_bg
    deviation = difference.std(correction=0)
    candidates = in_box & ~init_fg
    assert torch.equal(found.pseudo_fg, candidates & (difference >= 0.5 * deviation))
    assert torch.equal(found.pseudo_bg, candidates & (difference <= -0.25 * deviation))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_relative_thresholds_of_uniform_scores_retrieve_nothing(dtype):
    similarity = torch.full((2, 256, 256), 1 / 257, dtype=dtype)
    similarity[1] += 1e-10 * torch.rand(256, 256, dtype=dtype)
    init_fg = torch.zeros(2, 16, 16, dtype=torch.bool)
    init_fg[:, 5, 5] = init_fg[:, 10, 8] = True
    in_box = torch.zeros_like(init_fg)
    in_box[:, 4:12, 4:12] = True
    found = retrieve_points(similarity, init_fg, in_box, **RELATIVE)
    assert lacks_pseudo_points(found).all()


def test_unknown_thresholds_are_refused():
    _, similarity, init_fg, in_box = golden_case(91)
    with pytest.raises(ValueError, match="'absolute', 'relative'.*got 'rank'"):
        retrieve_points(similarity, init_fg, in_box, thresholds='rank')


def test_extreme_points_outside_the_box_join_it():
    _, similarity, init_fg, in_box = golden_case(91)
    found = retrieve_points(similarity, init_fg, torch.zeros_like(in_box))
    assert torch.equal(found.init_bg, ~init_fg)
    assert not found.pseudo_fg.any()
    assert not found.pseudo_bg.any()


def test_sets_are_disjoint_and_samples_independent():
    cases = [golden_case(91), golden_case(91)]
    similarity = torch.cat([cases[0][1], cases[1][1].square()]).float()
    init_fg = torch.cat([case[2] for case in cases])
    in_box = torch.cat([case[3] for case in cases])
    together = retrieve_points(similarity, init_fg, in_box)
    masks = torch.stack(together[:4]).int()
    assert masks.sum(0).max() == 1
    for index in range(2):
        one = slice(index, index + 1)
        alone = retrieve_points(similarity[one], init_fg[one], in_box[one])
        for given, expected in zip(together, alone):
            assert torch.equal(given[one], expected)


def test_full_precision_under_autocast():
    _, similarity, init_fg, in_box = golden_case(92)
    expected = retrieve_points(similarity.float(), init_fg, in_box)
    with torch.autocast('cpu', torch.bfloat16):
        given = retrieve_points(similarity.float(), init_fg, in_box)
    assert all(torch.equal(a, b) for a, b in zip(given, expected))


def test_non_finite_similarity_names_the_sample():
    similarity = torch.ones(3, 16, 16)
    similarity[2, 0, 0] = float('nan')
    grid = torch.zeros(3, 4, 4, dtype=torch.bool)
    with pytest.raises(NonFiniteSimilarityError) as caught:
        retrieve_points(similarity, grid, grid)
    assert caught.value.batch_indices == [2]


def test_empty_batch():
    grid = torch.zeros(0, 4, 4, dtype=torch.bool)
    found = retrieve_points(torch.zeros(0, 16, 16), grid, grid)
    assert all(tensor.shape == (0, 4, 4) for tensor in found)
    assert lacks_pseudo_points(drop_points(found, 0.5)).shape == (0,)


def test_wrong_shapes():
    grid = torch.zeros(2, 4, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match=r'similarity: expected shape \(2, 16, 16\)'):
        retrieve_points(torch.ones(2, 17, 17), grid, grid)
    with pytest.raises(ValueError, match=r'in_box: expected shape \(2, 4, 4\), got'):
        retrieve_points(torch.ones(2, 16, 16), grid, grid[:1])


def everything_retrieved(batch=4, side=50):
    full = torch.ones(batch, side, side, dtype=torch.bool)
    return PointRetrieval(full, full, full, full, full.float(), full.float())


def test_dropout_is_bernoulli_separately_for_both_sets():
    points = everything_retrieved()
    dropped = drop_points(points, 0.9, torch.Generator().manual_seed(0))
    for kept in (dropped.pseudo_fg, dropped.pseudo_bg):
        assert kept.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert not torch.equal(dropped.pseudo_fg, dropped.pseudo_bg)
    both = (dropped.pseudo_fg & dropped.pseudo_bg).float().mean().item()
    assert both == pytest.approx(0.01, abs=0.005)
    assert dropped.init_fg.all()
    assert dropped.init_bg.all()
    assert points.pseudo_fg.all()


@pytest.mark.parametrize(('rate', 'kept'), [(0.0, True), (1.0, False)])
def test_dropout_extremes(rate, kept):
    dropped = drop_points(everything_retrieved(), rate)
    assert bool(dropped.pseudo_fg.all()) == kept
    assert bool(dropped.pseudo_bg.any()) == kept


def test_dropout_is_reproducible():
    first, second = (
        drop_points(everything_retrieved(), 0.9, torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert torch.equal(first.pseudo_fg, second.pseudo_fg)
    torch.manual_seed(5)
    first = drop_points(everything_retrieved(), 0.9)
    torch.manual_seed(5)
    assert torch.equal(
        first.pseudo_bg, drop_points(everything_retrieved(), 0.9).pseudo_bg
    )


def test_dropout_rate_is_checked():
    with pytest.raises(ValueError, match=r'rate: expected a number in \[0, 1\], got 1'):
        drop_points(everything_retrieved(), 1.5)
