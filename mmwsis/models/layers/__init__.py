from .peak_attention import PeakAttention

__all__ = ['PeakAttention']
