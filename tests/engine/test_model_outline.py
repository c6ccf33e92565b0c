"""What outlining a model leaves behind."""

import logging

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import MODELS
from torch import nn

from mmwsis.engine.model_outline import ModelOutline


def test_warnings_are_silent_only_while_a_model_is_outlined(monkeypatch):
    logger, enabled = MMLogger.get_current_instance(), []

    class Loud(nn.Linear):
        def __init__(self):
            super().__init__(2, 3)
            enabled.append(logger.isEnabledFor(logging.WARNING))

    MODELS.register_module('LoudModel', module=Loud)
    try:
        # Loggers remember the answer.
        assert logger.isEnabledFor(logging.WARNING)
        outline = ModelOutline.of(Config(dict(model=dict(type='LoudModel'))))
    finally:
        MODELS.module_dict.pop('LoudModel')
    assert outline.shapes == {'weight': (3, 2), 'bias': (3,)}
    assert enabled == [False]
    assert logger.isEnabledFor(logging.WARNING)
