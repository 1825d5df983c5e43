"""Seeded places: each recipe is a pure function of its seed that returns a complete world."""

from collections.abc import Callable

from scenes.errors import OtherlaneError
from scenes.work.suggestions import nearest
from scenes.worlds.models.world import World, street
from scenes.worlds.recipes.junctions import crossing
from scenes.worlds.recipes.open_road import motorway, roadworks, slip_road
from scenes.worlds.recipes.roundabout import roundabout
from scenes.worlds.recipes.town import curve, night_street, parking_row, tree_avenue, wet_street
from scenes.worlds.recipes.tunnel_mouth import tunnel_mouth

RECIPES: dict[str, Callable[[int], World]] = {
    "street": street,
    "curve": curve,
    "crossing": crossing,
    "roundabout": roundabout,
    "tree_avenue": tree_avenue,
    "parking_row": parking_row,
    "night_street": night_street,
    "wet_street": wet_street,
    "motorway": motorway,
    "slip_road": slip_road,
    "roadworks": roadworks,
    "tunnel_mouth": tunnel_mouth,
}
"""By name; all but the first also take how many seconds the drive lasts."""


def make_world(recipe: str, seed: int, seconds: float = 4.0) -> World:
    """The world of a recipe and a seed: the same arguments, the same bytes.

    Raises:
        OtherlaneError: There is no such recipe, or it does not last that long.
    """
    if recipe not in RECIPES:
        near = nearest(recipe, RECIPES, alike=0.0)
        raise OtherlaneError(recipe, "is no recipe", f"{near}, or one of {', '.join(RECIPES)}")
    if recipe == "street":
        if seconds > 4.0:
            raise OtherlaneError("street", f"lasts 4 s, not {seconds}", "any other recipe")
        return street(seed)
    return RECIPES[recipe](seed, seconds)  # pyright: ignore[reportCallIssue]
