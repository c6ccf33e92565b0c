_base_ = './labeler_10e.py'

max_epochs = 8
train_cfg = dict(max_epochs=max_epochs)
# The same warm-up; the cosine ends with the training.
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_epochs),
]
