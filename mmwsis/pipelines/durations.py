"""Time spans for people."""


def format_duration(seconds: float) -> str:
    """Write a time span for people.

    Args:
        seconds: Wall-clock seconds.
    """
    if seconds < 60:
        return f'{seconds:.1f} s'
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes:02d} min' if hours else f'{minutes} min {rest:02d} s'
