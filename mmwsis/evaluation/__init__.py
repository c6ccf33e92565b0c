"""Metrics, quality of pseudo labels, retention of final models, review of labels.

Imported module by module, so that what only reads files starts without MMDetection.
"""
