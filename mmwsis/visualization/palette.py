"""Colours: distinct per class or instance, fixed for points and cells."""

import colorsys

import numpy as np

Color = tuple[int, int, int]

# Top, left, bottom, right: told apart in print and by most colour-blind people.
EXTREME_POINT_COLORS: dict[str, Color] = {
    'top': (230, 60, 50),
    'left': (60, 130, 255),
    'bottom': (255, 200, 30),
    'right': (40, 200, 120),
}
# EXITS, Fig. 6: initial points white, pseudo foreground red, pseudo background green.
INITIAL_FG_COLOR: Color = (255, 255, 255)
INITIAL_BG_COLOR: Color = (170, 90, 255)
PSEUDO_FG_COLOR: Color = (255, 45, 45)
PSEUDO_BG_COLOR: Color = (40, 220, 60)


def distinct_color(index: int) -> Color:
    """Return the colour of a class or instance.

    Args:
        index: Any non-negative integer. Neighbouring indices get hues that are far
            apart (golden-ratio steps), in two brightnesses.

    Returns:
        RGB, 0-255.
    """
    hue = (0.02 + index * 0.6180339887) % 1.0
    value = 1.0 if index % 2 == 0 else 0.85
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def heatmap(values: np.ndarray, low: float, high: float, name: str) -> np.ndarray:
    """Colour a map of numbers.

    Args:
        values: ``(H, W)``; what is not finite becomes black.
        low: Value of the first colour.
        high: Value of the last colour.
        name: Matplotlib colour map, such as ``'viridis'``.

    Returns:
        RGB image ``(H, W, 3)``, uint8.
    """
    import matplotlib

    finite = np.isfinite(values)
    scaled = (np.where(finite, values, low) - low) / max(high - low, 1e-12)
    colors = matplotlib.colormaps[name](np.clip(scaled, 0.0, 1.0))[..., :3]
    return np.where(finite[..., None], (colors * 255).round(), 0).astype(np.uint8)
