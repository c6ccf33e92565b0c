"""Importers of labelling tools' files; ``import_labels`` is the way in.

Each reader turns one tool's format into ``records``; ``build`` checks them against
their images and decides the supervision level; ``import_labels`` numbers and writes.
"""
