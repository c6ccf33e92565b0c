"""Pictures of what BESTIE learns from."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmwsis.formats.refinement_records import (
    FOLDER,
    read_record,
    recorded_iterations,
)
from mmwsis.ops import CenterTargets
from mmwsis.registry import HOOKS
from mmwsis.visualization.refinement_figure import (
    record_of,
    refined_labels,
    refinement_sheet,
    training_crops,
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


class Crops:
    """Five images, the second without a tag; every crop of them is another one."""

    ann_file = 'tags.json'

    def __len__(self):
        return 5

    def get_data_info(self, index):
        return dict(tags=[] if index == 1 else [0])

    def __getitem__(self, index):
        image = np.random.randint(0, 256, (3, 48, 64), dtype=np.uint8)
        sample = two_squares(index)
        return dict(inputs=torch.from_numpy(image), data_samples=sample)


def run_of(folder, drawn, **settings):
    """What the hook uses of a runner; ``drawn`` gets the pictures."""
    return SimpleNamespace(
        model=toy(data_preprocessor=PREPROCESSOR, **settings),
        train_dataloader=SimpleNamespace(dataset=Crops()),
        work_dir=str(folder),
        visualizer=SimpleNamespace(
            add_image=lambda name, image, step: drawn.update({step: image})
        ),
    )


def train(runner, iterations, **settings):
    settings = {**dict(interval=2, num_samples=2), **settings}
    hook = HOOKS.build(dict(type='mmwsis.RefinementVisualizationHook', **settings))
    for iteration in iterations:
        runner.iter = iteration
        hook.after_train_iter(runner, iteration, batch())


def test_the_hook_draws_the_same_crops_at_its_interval_and_after_a_resume(tmp_path):
    drawn = {}
    state = np.random.get_state()[1].copy()
    train(run_of(tmp_path, drawn), range(4))
    assert (np.random.get_state()[1] == state).all()
    np.random.seed(5)
    train(run_of(tmp_path, drawn), range(4, 6))
    assert list(drawn) == [1, 2, 4, 6]
    sources = [sheet[: 256 * 48 // 64, :340] for sheet in drawn.values()]
    assert all((one == sources[0]).all() for one in sources)
    other = {}
    train(run_of(tmp_path, other), range(1), seed=1)
    assert (other[1][: 256 * 48 // 64, :340] != sources[0]).any()


def test_the_hook_draws_nothing_where_nothing_is_refined_or_tagged(tmp_path):
    drawn = {}
    train(run_of(tmp_path, drawn, refinement=None), range(4))
    runner = run_of(tmp_path, drawn)
    runner.train_dataloader.dataset.get_data_info = lambda index: dict(tags=[])
    train(runner, range(4))
    assert not drawn and not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match='at least 1'):
        HOOKS.build(dict(type='mmwsis.RefinementVisualizationHook', interval=0))


@pytest.mark.parametrize('kind', ['image_tags', 'points'])
def test_what_the_hook_records_is_what_it_drew(tmp_path, kind):
    train(run_of(tmp_path, {}, supervision=kind), range(3), interval=3)
    assert list(recorded_iterations(tmp_path / FOLDER)) == [1, 3]
    record = read_record(tmp_path / FOLDER / 'iter_3.npz')
    crops = training_crops(Crops(), record.indices.tolist(), record.seed)
    _, found = refined_labels(
        toy(data_preprocessor=PREPROCESSOR, supervision=kind), crops
    )
    again = record_of(crops, found, record.indices, record.seed)
    assert (record.centers is None) == (kind == 'points')
    for one, other in zip(record, again, strict=True):
        np.testing.assert_array_equal(one, other)
    # Another training in the same folder: its first iteration deletes them.
    train(run_of(tmp_path, {}, supervision=kind), range(1))
    assert list(recorded_iterations(tmp_path / FOLDER)) == [1]
    (tmp_path / FOLDER / 'iter_1.npz').write_bytes(b'PK')
    with pytest.raises(ValueError, match=r'iter_1\.npz is no record'):
        read_record(tmp_path / FOLDER / 'iter_1.npz')


def names(files):
    return [f'{file.parent.name}/{file.name}' for file in files]


def test_moments_of_a_long_training_reach_back_to_its_start(tmp_path):
    """The last checkpoints alone are kept, of the released schedule."""
    work_dir = tmp_path / 'run'
    (work_dir / FOLDER).mkdir(parents=True)
    for number in (1, 10000, 20000, 30000, 40000, 50000):
        (work_dir / FOLDER / f'iter_{number}.npz').touch()
    for number in (48000, 49000, 50000):
        (work_dir / f'iter_{number}.pth').touch()
    last = work_dir / 'iter_50000.pth'
    assert names(with_earlier(last)) == [
        'refinement/iter_10000.npz',
        'refinement/iter_30000.npz',
        'run/iter_50000.pth',
    ]
    assert names(with_earlier(last, records=False)) == [
        'run/iter_48000.pth',
        'run/iter_49000.pth',
        'run/iter_50000.pth',
    ]
    # A second of the same training, not yet as far.
    assert names(with_earlier(work_dir / 'iter_20000.pth')) == [
        'refinement/iter_1.npz',
        'refinement/iter_10000.npz',
        'run/iter_20000.pth',
    ]


def test_earlier_checkpoints_of_the_same_training(tmp_path):
    for number in (200, 400, 600, 800, 1000):
        (tmp_path / f'iter_{number}.pth').touch()
    (tmp_path / 'best_voc_AP50_iter_600.pth').touch()
    found = [file.stem for file in with_earlier(tmp_path / 'iter_800.pth')]
    assert found == ['iter_200', 'iter_600', 'iter_800']
    assert with_earlier(tmp_path / 'iter_200.pth') == [tmp_path / 'iter_200.pth']
    assert with_earlier(tmp_path / 'model.pth') == [tmp_path / 'model.pth']
