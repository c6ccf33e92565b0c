"""Settings of prediction, with their defaults."""

from collections.abc import Mapping
from typing import Any


def filled_test_cfg(
    test_cfg: Mapping[str, Any] | None, defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """Add the defaults to a ``test_cfg``.

    Args:
        test_cfg: Settings of the config, or None.
        defaults: Every setting that the model knows.

    Returns:
        A dictionary with every key of ``defaults``.

    Raises:
        ValueError: ``test_cfg`` has a key that is not in ``defaults``.

    Example:
        >>> filled_test_cfg(dict(flip=True), dict(flip=False, threshold=0.5))
        {'flip': True, 'threshold': 0.5}
    """
    given = test_cfg or {}
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(
            f'test_cfg has unknown keys {unknown}; known are {sorted(defaults)}.'
        )
    return {**defaults, **given}
