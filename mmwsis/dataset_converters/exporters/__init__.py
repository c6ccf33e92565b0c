"""Exporters to labelling tools and other trainers; ``export_labels`` is the way in.

They mirror ``importers``: ``objects`` brings every annotation into the shapes that a
format can hold, one writer per format writes them, and ``round_trip`` reads the result
back and measures what was lost.
"""
