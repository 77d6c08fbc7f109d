"""How long pictures will take, by this machine's own results or what a worker measured first.

Knows rates and what waits already. Says nothing where nothing was measured: that is for people to
hear, and the limits have their own, careful guesses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from db import waiting, workers
from inference import catalog
from tasks.limits import SECONDS_PER_JOB
from tasks.service import Service


@dataclass(frozen=True)
class Rate:
    """Pixels that a network takes in per second, on one worker."""

    pixels: float
    measured: bool
    """False: of other models' results here, by how much more or less work this one is."""


@dataclass(frozen=True)
class Forecast:
    """What there is to know about how long something takes."""

    rates: Mapping[str, Rate]
    """By model. One about which nothing can be said is not in it."""
    ahead: float | None
    """Seconds until the last of some new pictures of this user's would be begun, the new ones
    themselves left out. None where something waits that nothing is known of."""
    workers: int
    """That are alive, 1 at least."""


def forecast(service: Service, user_id: UUID, pictures: int) -> Forecast:
    """As things stand, for `pictures` (1 or more) that this user may hand in."""
    store = service.store
    known = rates(waiting.pace(store))
    before = waiting.backlog(store, user_id, pictures)
    number = max(1, workers.count_alive(store))
    ahead = None
    if before.pixels.keys() <= known.keys():
        busy = sum(pixels / known[model].pixels for model, pixels in before.pixels.items())
        others = before.jobs - (pictures - 1)
        ahead = (busy + others * SECONDS_PER_JOB) / number
    return Forecast(known, ahead, number)


def rates(pace: Mapping[str, float]) -> dict[str, Rate]:
    """The measured paces, and for other listed models what follows from the nearest in size.

    A ratio of work says little about networks that are far from each other: a small one spends
    more of its time on other things. So the measured model whose work is most alike counts.
    """
    known = {model: Rate(pixels, True) for model, pixels in pace.items()}
    measured = [
        (listed.work, pace[listed.name])
        for listed in catalog.CATALOG
        if listed.work is not None and listed.name in pace
    ]
    for listed in catalog.CATALOG:
        if listed.name in known or listed.work is None or not measured:
            continue
        work = listed.work
        near, pixels = min(measured, key=lambda other: max(other[0] / work, work / other[0]))
        known[listed.name] = Rate(pixels * near / work, False)
    return known
