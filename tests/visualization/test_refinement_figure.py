"""Pictures of what BESTIE learns from."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmwsis.ops import CenterTargets
from mmwsis.registry import HOOKS
from mmwsis.visualization.refinement_figure import (
    refined_labels,
    refinement_sheet,
    with_earlier,
)

sys.path.insert(0, str(Path(__file__).parents[1] / 'models' / 'detectors'))
from bestie_toy import toy, two_squares

PREPROCESSOR = dict(type='mmwsis.WeakDataPreprocessor', bgr_to_rgb=True)


def batch():
    samples = [two_squares(number) for number in (1, 2)]
    image = torch.randint(0, 256, (3, 48, 64), dtype=torch.uint8)
    return dict(inputs=[image, image], data_samples=samples)


def test_drawing_leaves_the_training_as_it_was():
    model, data = toy(data_preprocessor=PREPROCESSOR), batch()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = torch.get_rng_state()
    samples, found = refined_labels(model, data)
    assert model.training
    assert (torch.get_rng_state() == state).all()
    assert all((model.state_dict()[key] == before[key]).all() for key in before)
    assert found.centers.shape == (2, 2, 48, 64)
    assert len(samples) == 2 and not found.weights.requires_grad


def test_a_model_that_does_not_refine_is_refused():
    with pytest.raises(TypeError, match='BESTIE does not refine labels'):
        refined_labels(toy(refinement=None), batch())
    with pytest.raises(TypeError, match='Identity does not refine labels'):
        refined_labels(torch.nn.Identity(), batch())


def test_a_row_per_crop_and_columns_per_moment():
    samples = batch()['data_samples']
    targets = [sample.gt_center_targets for sample in samples]
    found = CenterTargets(
        *(torch.stack([one.get(k) for one in targets]) for k in CenterTargets._fields)
    )
    images = [np.full((48, 64, 3), 90, np.uint8)] * 2
    sheets = {}
    for count, labels in ((1, found), (2, found), (3, found._replace(centers=None))):
        moments = [('iteration', labels)] * count
        sheets[count] = refinement_sheet(images, samples, moments)
    tile = 256 * 64 // 48 + 8
    widths = {count: sheet.shape[1] // tile for count, sheet in sheets.items()}
    assert widths == {1: 5, 2: 7, 3: 6}
    assert len({sheet.shape[0] for sheet in sheets.values()}) == 1
    # The recorded labels stand in for refined ones: both are drawn alike.
    pseudo, refined = (sheets[1][20:250, 8 + k * tile :][:, :300] for k in (2, 4))
    assert np.abs(pseudo.astype(int) - refined).max() == 0


def test_the_hook_draws_the_same_crops_at_its_interval():
    drawn = {}
    runner = SimpleNamespace(
        model=toy(data_preprocessor=PREPROCESSOR),
        visualizer=SimpleNamespace(
            add_image=lambda name, image, step: drawn.update({step: image})
        ),
    )
    hook = HOOKS.build(
        dict(type='mmwsis.RefinementVisualizationHook', interval=2, num_samples=1)
    )
    for iteration in range(4):
        runner.iter = iteration
        hook.after_train_iter(runner, iteration, batch())
    assert list(drawn) == [1, 2, 4]
    first, last = (drawn[step][:250, :340] for step in (1, 4))
    assert (first == last).all()
    drawn.clear()
    runner.model.refinement = None
    hook.after_train_iter(runner, 3, batch())
    assert not drawn
    with pytest.raises(ValueError, match='at least 1'):
        HOOKS.build(dict(type='mmwsis.RefinementVisualizationHook', interval=0))


def test_earlier_checkpoints_of_the_same_training(tmp_path):
    for number in (200, 400, 600, 800, 1000):
        (tmp_path / f'iter_{number}.pth').touch()
    (tmp_path / 'best_voc_AP50_iter_600.pth').touch()
    found = [file.stem for file in with_earlier(tmp_path / 'iter_800.pth')]
    assert found == ['iter_200', 'iter_600', 'iter_800']
    assert with_earlier(tmp_path / 'iter_200.pth') == [tmp_path / 'iter_200.pth']
    assert with_earlier(tmp_path / 'model.pth') == [tmp_path / 'model.pth']
