"""Shared code of the dataset converters in ``tools/dataset_converters``."""
