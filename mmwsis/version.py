"""Version of mmwsis."""

__version__ = '0.1.0'
