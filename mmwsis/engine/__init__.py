"""Running configs: checks, hooks, schedulers, and what datasets set in a config."""

from mmwsis.compat import register_config_prefix

register_config_prefix()
