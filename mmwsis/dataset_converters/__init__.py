"""Shared code of the data set converters in ``tools/dataset_converters``."""
