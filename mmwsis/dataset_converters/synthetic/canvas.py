"""The state of a scene while it is painted, and what may be added to it."""

from collections.abc import Sequence

import numpy as np

from mmwsis.ops.connected_components import is_separated

from .random_draws import between, chance
from .regions import FRAME
from .shapes import Placement, local_coordinates
from .textures import RGB, stuff_texture, thing_colour, thing_texture

MIN_VISIBLE_SHARE = 0.55
MIN_VISIBLE_PIXELS = 36
MIN_PART_PIXELS = 16
# A cut that leaves a sliver is no cut: the second component has this share at least.
MIN_PART_SHARE = 0.12
THING_AMPLITUDE = 9.0
STUFF_AMPLITUDE = 6.0
SHADING = 7.0
NOISE = 3.0


class SceneCanvas:
    """Layers of a scene under construction.

    Args:
        regions: Stuff index of every pixel, uint8 (size, size).
        colours: RGB base colour by stuff name.
        stuff_names: Name of every stuff index.
    """

    def __init__(
        self, regions: np.ndarray, colours: dict[str, RGB], stuff_names: Sequence[str]
    ) -> None:
        self.size = regions.shape[0]
        self.stuff = regions
        self.instances = np.zeros_like(regions)
        self.names: list[str] = []
        self._stuff_names = tuple(stuff_names)
        self._stuff_colours = colours
        self._colours: list[RGB] = []
        self._placements: list[Placement] = []
        self._full_areas: list[int] = []

    def add_thing(
        self,
        rng: np.random.Generator,
        name: str,
        placement: Placement,
        mask: np.ndarray,
        must_cut: int = 0,
    ) -> bool:
        """Put an object in front of everything, if the scene stays readable.

        Args:
            rng: Random generator of the scene.
            name: Thing class.
            placement: Where the object is; its texture follows it.
            mask: Full mask, bool (size, size).
            must_cut: Index of an object that must fall in two, or 0.

        Returns:
            Whether it was added; if not, nothing has changed.
        """
        full = int(mask.sum())
        if full < MIN_VISIBLE_PIXELS:
            return False
        instances = np.where(mask, len(self.names) + 1, self.instances)
        if not self._readable(instances, must_cut):
            return False
        self.instances = instances.astype(np.uint8)
        avoid = [*self._stuff_colours.values(), *self._colours]
        self._colours.append(thing_colour(rng, name, avoid))
        self._placements.append(placement)
        self._full_areas.append(full)
        self.names.append(name)
        return True

    def add_strip(self, name: str, mask: np.ndarray, must_cut: int = 0) -> bool:
        """Put a strip of stuff in front of everything, if the scene stays readable.

        Args:
            name: Stuff class.
            mask: Bool (size, size).
            must_cut: Index of an object that must fall in two, or 0.

        Returns:
            Whether it was added; if not, nothing has changed.
        """
        instances = np.where(mask, 0, self.instances).astype(np.uint8)
        if not self._readable(instances, must_cut):
            return False
        self.instances = instances
        index = self._stuff_names.index(name)
        self.stuff = np.where(mask, index, self.stuff).astype(np.uint8)
        return True

    def spot_inside(self, rng: np.random.Generator, index: int) -> tuple[float, float]:
        """A point near the middle of an object, or anywhere if ``index`` is 0."""
        if index == 0:
            middle = self.size / 2
            return tuple(middle + between(rng, -0.4, 0.4) * self.size for _ in 'xy')
        place = self._placements[index - 1]
        reach = 0.3 * place.half_width
        return place.x + between(rng, -reach, reach), place.y + between(
            rng, -reach, reach
        )

    def spot_beside_last(
        self, rng: np.random.Generator, half: float
    ) -> tuple[float, float]:
        """Centre at which an object of half-extent ``half`` touches the last one."""
        last = self._placements[-1]
        distance = (last.half_width + half) * between(rng, 0.75, 0.95)
        turn = between(rng, -1, 1)
        along, across = (1 - abs(turn)) * distance, turn * distance
        if chance(rng, 0.5):
            along = -along
        return last.x + along, last.y + across

    def placement_across(
        self, rng: np.random.Generator, index: int, angle: float
    ) -> Placement:
        """Placement of a bar that reaches over an object on both sides."""
        place = self._placements[index - 1]
        x, y = self.spot_inside(rng, index)
        reach = max(place.half_length, place.half_width) * between(rng, 1.15, 1.4)
        scale = self.size / FRAME
        width = max(between(rng, 4, 6) * scale, 0.15 * reach)
        return Placement(x, y, reach, width, angle)

    def render(self, rng: np.random.Generator) -> np.ndarray:
        """Colour the layers.

        Args:
            rng: Random generator of the scene.

        Returns:
            RGB image, uint8 (size, size, 3).
        """
        shape = self.stuff.shape
        image = np.zeros((*shape, 3))
        for index, name in enumerate(self._stuff_names):
            texture = STUFF_AMPLITUDE * stuff_texture(rng, name, shape)
            mask = self.stuff == index
            image[mask] = self._stuff_colours[name] + texture[mask][:, None]
        for k, name in enumerate(self.names):
            u, v = local_coordinates(self._placements[k], self.size)
            texture = THING_AMPLITUDE * thing_texture(rng, name, u, v)
            texture += SHADING * v / (2 * self._placements[k].half_width)
            mask = self.instances == k + 1
            image[mask] = self._colours[k] + texture[mask][:, None]
        image = _soften(image)
        # The sum of two uniform draws: bell-shaped, without a logarithm.
        image += NOISE * (rng.random(image.shape) + rng.random(image.shape) - 1) * 2
        return np.clip(np.floor(image + 0.5), 0, 255).astype(np.uint8)

    def _readable(self, instances: np.ndarray, must_cut: int) -> bool:
        """Whether every object still shows enough of itself."""
        areas = np.bincount(instances.ravel(), minlength=len(self.names) + 2)
        for k, full in enumerate(self._full_areas, start=1):
            if areas[k] < max(MIN_VISIBLE_SHARE * full, MIN_VISIBLE_PIXELS):
                return False
        if must_cut:
            least = max(MIN_PART_PIXELS, MIN_PART_SHARE * areas[must_cut])
            return is_separated(instances == must_cut, int(least))
        return True


def _soften(image: np.ndarray) -> np.ndarray:
    """Slight optical blur, (1 6 1)/8 along each axis, so that edges are not stairs."""
    for axis in (0, 1):
        padding = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(image, padding, mode='edge')
        before = padded.take(range(0, image.shape[axis]), axis)
        after = padded.take(range(2, image.shape[axis] + 2), axis)
        image = (before + 6 * image + after) / 8
    return image
