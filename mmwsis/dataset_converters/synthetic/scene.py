"""Composition of one synthetic scene.

A scene is painted from back to front: stuff regions, objects, and in about half of
the scenes an occluder (a bar or a strip of stuff) that cuts one object in two. Masks
are modal: a pixel belongs to the frontmost object that covers it.
"""

from dataclasses import dataclass

import numpy as np

from .canvas import SceneCanvas
from .random_draws import between, chance, pick, pick_weighted, scene_generator
from .regions import FRAME, draw_regions, strip_mask
from .shapes import Placement, shape_mask
from .textures import stuff_colour

THING_CLASSES = ('disc', 'ring', 'square', 'triangle', 'star', 'bar')
STUFF_CLASSES = ('sky', 'grass', 'sand')

EMPTY_EVERY = 25  # one scene without objects in every block of this many
CUT_PROBABILITY = 0.38
BAR_OCCLUDER_SHARE = 0.4
TOUCH_PROBABILITY = 0.2
SMALL_PROBABILITY = 0.05
LOOSE_STRIP_PROBABILITY = 0.1
ATTEMPTS = 30
# Bars also come as occluders, so that they are drawn less often by themselves.
CLASS_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.55)


@dataclass
class Scene:
    """A finished scene.

    Attributes:
        image: RGB, uint8 (size, size, 3).
        stuff: Index into :data:`STUFF_CLASSES` of every pixel, uint8 (size, size),
            also below objects.
        instances: 0 where there is no object, else 1-based index into ``names``,
            uint8 (size, size).
        names: Class name of every object, back to front.
    """

    image: np.ndarray
    stuff: np.ndarray
    instances: np.ndarray
    names: list[str]


def compose_scene(seed: int, stream: int, index: int, size: int = FRAME) -> Scene:
    """Paint one scene; equal arguments give equal pixels.

    Args:
        seed: Seed of the dataset, >= 0.
        stream: Number of the split.
        index: Position of the scene in its split, >= 0.
        size: Side of the square image in pixels, >= 64. Objects scale with it.

    Returns:
        The scene.

    Raises:
        ValueError: ``size`` is below 64.
    """
    if size < 64:
        raise ValueError(f'size must be at least 64 pixels, given {size}')
    rng = scene_generator(seed, stream, index)
    regions = draw_regions(rng, size)
    colours = {name: stuff_colour(rng, name) for name in STUFF_CLASSES}
    canvas = SceneCanvas(regions, colours, STUFF_CLASSES)
    if not is_empty_scene(seed, stream, index):
        _add_objects(rng, canvas)
    elif chance(rng, CUT_PROBABILITY / 2):
        _add_strip(rng, canvas)
    return Scene(canvas.render(rng), canvas.stuff, canvas.instances, canvas.names)


def is_empty_scene(seed: int, stream: int, index: int) -> bool:
    """Whether the scene has no objects: one of every :data:`EMPTY_EVERY`."""
    block, position = divmod(index, EMPTY_EVERY)
    # Stream numbers of scenes are small; the offset keeps the two apart.
    rng = scene_generator(seed, 1000 + stream, block)
    return position == int(between(rng, 0, EMPTY_EVERY))


def _add_objects(rng: np.random.Generator, canvas: SceneCanvas) -> None:
    count = pick_weighted(rng, (1, 2, 3, 4), (0.15, 0.36, 0.32, 0.17))
    cut = chance(rng, CUT_PROBABILITY)
    by_bar = cut and count > 1 and chance(rng, BAR_OCCLUDER_SHARE)
    # The victim is the last of the ordinary objects, so that only the occluder
    # and small things come in front of it.
    ordinary = count - by_bar
    for k in range(ordinary):
        is_victim = cut and k == ordinary - 1
        _add_object(rng, canvas, is_victim)
    if by_bar:
        _add_cutting_bar(rng, canvas)
    elif cut or chance(rng, LOOSE_STRIP_PROBABILITY):
        _add_strip(rng, canvas, victim=len(canvas.names) if cut else 0)


def _add_object(rng: np.random.Generator, canvas: SceneCanvas, is_victim: bool) -> None:
    scale = canvas.size / FRAME
    touch = bool(canvas.names) and chance(rng, TOUCH_PROBABILITY)
    for _ in range(ATTEMPTS):
        name = pick_weighted(rng, THING_CLASSES, CLASS_WEIGHTS)
        if is_victim and name == 'bar':
            continue
        if touch and chance(rng, 0.5):
            name = canvas.names[-1]
        small = not is_victim and chance(rng, SMALL_PROBABILITY)
        if small:
            extent = between(rng, 11, 16)
        elif is_victim:
            extent = between(rng, 42, 78)
        else:
            extent = between(rng, 32, 70)
        placement = _place(rng, canvas, name, extent * scale, touch, is_victim)
        mask = shape_mask(name, placement, canvas.size)
        if canvas.add_thing(rng, name, placement, mask):
            return


def _place(
    rng: np.random.Generator,
    canvas: SceneCanvas,
    name: str,
    extent: float,
    touch: bool,
    inside: bool,
) -> Placement:
    """Draw position, proportions and angle of an object of about ``extent`` px."""
    half = extent / 2
    half_length, half_width, hole = half, half, 0.0
    angle = between(rng, -35, 35)
    if name == 'disc':
        half_width = half * between(rng, 0.65, 1.0)
        angle = between(rng, 0, 180)
    elif name == 'ring':
        hole = between(rng, 0.52, 0.62)
    elif name == 'square':  # its extent is the diagonal
        half_length = half * 0.78
        half_width = half_length * between(rng, 0.75, 1.0)
        angle = between(rng, 0, 90)
    elif name == 'bar':
        half_length = half * 1.25
        half_width = half_length * between(rng, 0.2, 0.28)
        angle = _slanted(rng)
    margin = min(half, 0.3 * canvas.size) * (0.9 if inside else 0.55)
    x = between(rng, margin, canvas.size - margin)
    y = between(rng, margin, canvas.size - margin)
    if touch:
        x, y = canvas.spot_beside_last(rng, half)
    return Placement(x, y, half_length, half_width, angle, hole)


def _slanted(rng: np.random.Generator) -> float:
    """Angle in degrees that is well away from both axes."""
    return between(rng, 28, 62) + pick(rng, (0, 90))


def _add_cutting_bar(rng: np.random.Generator, canvas: SceneCanvas) -> None:
    victim = len(canvas.names)
    for _ in range(ATTEMPTS):
        placement = canvas.placement_across(rng, victim, _slanted(rng))
        mask = shape_mask('bar', placement, canvas.size)
        if canvas.add_thing(rng, 'bar', placement, mask, must_cut=victim):
            return


def _add_strip(rng: np.random.Generator, canvas: SceneCanvas, victim: int = 0) -> None:
    """Lay a strip of stuff over the scene, through the victim if there is one."""
    for _ in range(ATTEMPTS):
        centre = canvas.spot_inside(rng, victim)
        width = between(rng, 6, 10) * canvas.size / FRAME
        mask = strip_mask(centre, between(rng, 0, 180), width, canvas.size)
        if canvas.add_strip(pick(rng, STUFF_CLASSES), mask, must_cut=victim):
            return
