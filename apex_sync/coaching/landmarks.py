"""Weekly volume landmarks of muscles, after Renaissance Periodization (Israetel), in two published editions.

MV keeps size, MEV is the least that grows, MAV the range that grows best, MRV the most one recovers from; all in
direct hard sets a week (`LANDMARK_BASIS`). They are averages and heuristics, "not dogmatic" in the words of their
authors [V, rpstrength.com], so every status names the edition it was judged by.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

LandmarkEdition = Literal["rp_2017", "rp_later"]
VolumeStatus = Literal["below_maintenance", "maintenance", "productive_low", "optimal", "high", "excessive"]

LANDMARK_BASIS = "direct"
"""What is compared with a landmark: counting indirect sets as well would inflate arms and front deltoids [D]."""

TOLERANCE_FACTORS: Mapping[str, float] = {"low": 0.85, "medium": 1.0, "high": 1.15}
"""Scale of MAV and MRV for an athlete's volume tolerance; MV and MEV stay [D]."""


class Landmark(Struct, frozen=True, kw_only=True):
    """The landmarks of one muscle, or of several that an edition counts together (`covers`).

    `mrv` is None where the edition gives none.
    """

    muscle: str
    covers: tuple[str, ...]
    mv: float
    mev: float
    mav_low: float
    mav_high: float
    mrv: float | None = None


def _single(muscle: str, mv: float, mev: float, mav_low: float, mav_high: float, mrv: float | None = None) -> Landmark:
    return Landmark(muscle=muscle, covers=(muscle,), mv=mv, mev=mev, mav_low=mav_low, mav_high=mav_high, mrv=mrv)


RP_2017 = (
    _single("abs", 0, 0, 16, 20, 25),
    _single("back", 8, 10, 14, 22, 25),
    _single("biceps", 5, 8, 14, 20, 26),
    _single("calves", 6, 8, 12, 16, 20),
    _single("chest", 8, 10, 12, 20, 22),
    _single("forearms", 0, 2, 10, 18, 25),
    _single("front_delts", 0, 0, 6, 8, 12),
    _single("glutes", 0, 0, 4, 12, 16),
    _single("hamstrings", 4, 6, 10, 16, 20),
    _single("quads", 6, 8, 12, 18, 20),
    Landmark(
        muscle="side_and_rear_delts",
        covers=("side_delts", "rear_delts"),
        mv=0,
        mev=8,
        mav_low=16,
        mav_high=22,
        mrv=26,
    ),
    _single("traps", 0, 0, 12, 20, 26),
    _single("triceps", 4, 6, 10, 14, 18),
)
"""The edition of 2017: chest [V, renaissanceperiodization.com], back, quads and hamstrings [R, V in copies], others
[R]."""

RP_LATER = (
    _single("abs", 0, 0, 7, 24),
    _single("back", 6, 10, 11, 19),
    _single("biceps", 4, 8, 9, 19),
    _single("calves", 0, 1, 4, 10),
    _single("chest", 4, 6, 7, 19),
    _single("forearms", 0, 2, 9, 19),
    _single("front_delts", 0, 0, 0, 12),
    _single("glutes", 0, 0, 4, 12),
    _single("hamstrings", 3, 4, 5, 12),
    _single("quads", 6, 8, 9, 17),
    _single("rear_delts", 0, 6, 7, 17),
    _single("side_delts", 6, 8, 9, 24),
    _single("traps", 0, 0, 7, 24),
    _single("triceps", 4, 6, 7, 19),
)
"""A later edition, which gives a range and no MRV; of an MEV given as a range the lower end [V for chest, berksen.net
and boxrox.com; R others]."""

EDITIONS: Mapping[LandmarkEdition, tuple[Landmark, ...]] = {"rp_2017": RP_2017, "rp_later": RP_LATER}


def scaled(landmark: Landmark, tolerance: str) -> Landmark:
    """Scale MAV and MRV to an athlete's volume tolerance."""
    factor = TOLERANCE_FACTORS.get(tolerance, 1.0)
    return Landmark(
        muscle=landmark.muscle,
        covers=landmark.covers,
        mv=landmark.mv,
        mev=landmark.mev,
        mav_low=round(landmark.mav_low * factor, 2),
        mav_high=round(landmark.mav_high * factor, 2),
        mrv=None if landmark.mrv is None else round(landmark.mrv * factor, 2),
    )


def volume_status(direct_sets: float, landmark: Landmark) -> VolumeStatus:
    """Say where a week's direct sets lie between the landmarks of a muscle (scaled beforehand).

    >>> chest = next(landmark for landmark in RP_2017 if landmark.muscle == "chest")
    >>> [volume_status(sets, chest) for sets in (7, 8, 10, 12, 20, 22, 23)]
    ['below_maintenance', 'maintenance', 'productive_low', 'optimal', 'optimal', 'high', 'excessive']
    """
    if direct_sets < landmark.mv:
        return "below_maintenance"
    if direct_sets < landmark.mev or direct_sets == 0:
        return "maintenance"
    if direct_sets < landmark.mav_low:
        return "productive_low"
    if direct_sets <= landmark.mav_high:
        return "optimal"
    return "high" if landmark.mrv is None or direct_sets <= landmark.mrv else "excessive"
