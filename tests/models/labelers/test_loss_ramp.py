import pytest
from mmengine.logging import MessageHub

from mmwsis.models.labelers import LossRamp


@pytest.fixture(autouse=True)
def progress(monkeypatch):
    """A message hub of our own, as a runner fills it."""
    hub = MessageHub('test_loss_ramp')
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)

    def set_progress(**info):
        for key, value in info.items():
            hub.update_info(key, value)

    hub._runtime_info.clear()
    return set_progress


def test_full_weight_outside_training():
    assert LossRamp(iters=1000).factor() == 1


@pytest.mark.parametrize(('iteration', 'factor'), [(0, 0), (250, 0.25), (1500, 1)])
def test_linear_in_iterations(progress, iteration, factor):
    progress(iter=iteration, epoch=0)
    assert LossRamp(iters=1000).factor() == factor


def test_mal_jumps_to_one_in_the_second_epoch(progress):
    progress(iter=300, epoch=1)
    assert LossRamp(iters=4000, first_epoch_only=True).factor() == 1
    assert LossRamp(iters=4000, first_epoch_only=False).factor() == 0.075


def test_length_in_epochs(progress):
    progress(iter=30, epoch=1, max_iters=200, max_epochs=10)
    assert LossRamp(epochs=2).factor() == 0.75
    progress(max_epochs=None)
    with pytest.raises(RuntimeError, match='give the ramp in iters'):
        LossRamp(epochs=2).factor()


def test_no_length_is_no_ramp(progress):
    progress(iter=0, epoch=0)
    assert LossRamp(iters=0).factor() == 1


@pytest.mark.parametrize('lengths', [{}, dict(iters=1, epochs=1), dict(iters=-1)])
def test_wrong_lengths_are_refused(lengths):
    with pytest.raises(ValueError, match='got iters='):
        LossRamp(**lengths)
