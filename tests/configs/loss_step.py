"""One training step of a model that a config builds."""

import math

# Parameters of MMDetection that no loss reaches, whatever the input.
NO_GRADIENT: set[str] = set()


def check_loss_step(model, data):
    """The losses are finite, and every trainable parameter gets a finite gradient."""
    model.train()
    data = model.data_preprocessor(data, True)
    losses = model(**data, mode='loss')
    loss, logged = model.parse_losses(losses)
    assert loss.requires_grad
    assert all(math.isfinite(float(value.detach())) for value in logged.values())
    loss.backward()
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    without = {name for name, value in trainable.items() if value.grad is None}
    assert trainable
    assert without <= NO_GRADIENT
    assert all(
        p.grad.isfinite().all() for p in trainable.values() if p.grad is not None
    )
