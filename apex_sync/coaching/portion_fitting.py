"""How many grams of each food bring a day to its targets: least squares within bounds, then whole steps.

The day is a convex problem of some fifteen numbers: the energy and the macros on target first, then meals of the size
they should have, then amounts people usually eat. Coordinate descent solves it exactly; rounding to steps of the scale
and exchanges of one or two steps bring it back to the targets. Pure Python, because a watch plans, too: a day takes
about 20 ms.
"""

from collections.abc import Sequence

from msgspec import Struct

from apex_sync.coaching.plates import Amount

SWEEPS = 80
"""Of the descent; it moves less than a gram long before."""

EXCHANGES_MAX = 80
"""Of single steps; each brings the day nearer, and there are rarely ten."""

ENERGY_WEIGHT = 4.0
"""Against each macro: its tolerance is half as wide."""

MEAL_WEIGHT = 0.05
USUAL_WEIGHT = 0.002
"""How much the size of meals and usual amounts count: enough to choose, too little to miss a target [D]."""

USUAL_SHARE = 0.3
"""Where between least and most the usual amount lies [D]."""

Vector = tuple[float, ...]


class Ingredient(Struct, frozen=True):
    """A food in its place: what a gram of it holds, as shares of the day's targets, the first one being energy."""

    per_gram: Vector
    amount: Amount
    meal: int

    @property
    def usual(self) -> float:
        """The grams that people take."""
        return self.amount.least + USUAL_SHARE * (self.amount.most - self.amount.least)


def fitted_grams(ingredients: Sequence[Ingredient], meal_shares: Sequence[float]) -> list[int]:
    """Give the grams of each ingredient, 0 for what is better left out; `meal_shares` add up to 1."""
    fit = _Fit(ingredients, meal_shares)
    fit.descend()
    fit.round()
    for _ in range(EXCHANGES_MAX):
        if not (fit.improve_by_one() or fit.improve_by_two()):
            break
    return [int(grams) for grams in fit.grams]


class _Fit:
    """A day as it stands: `off` is how far each total is from its target, `meals` how far each meal's energy is."""

    def __init__(self, ingredients: Sequence[Ingredient], meal_shares: Sequence[float]) -> None:
        self.ingredients = ingredients
        self.weights = (ENERGY_WEIGHT, *([1.0] * (len(ingredients[0].per_gram) - 1) if ingredients else []))
        self.grams = [0.0] * len(ingredients)
        self.off = [-1.0] * len(self.weights)
        self.meals = [-share for share in meal_shares]
        for index, ingredient in enumerate(ingredients):
            self._add(index, ingredient.usual)

    def descend(self) -> None:
        """Go down along each ingredient in turn, within its bounds; nothing at all is within them, too."""
        for _ in range(SWEEPS):
            for index, ingredient in enumerate(self.ingredients):
                best = self.grams[index] - self._slope(index) / self._curvature(ingredient)
                self._add(index, min(max(best, 0.0), float(ingredient.amount.most)) - self.grams[index])

    def round(self) -> None:
        """Go to whole steps; less than half of the least amount is nothing."""
        for index, ingredient in enumerate(self.ingredients):
            least, most, step = ingredient.amount
            grams = self.grams[index]
            whole = 0 if grams < least / 2 else min(max(least, least + step * round((grams - least) / step)), most)
            self._add(index, whole - grams)

    def improve_by_one(self) -> bool:
        """Take the single step that helps most; tell whether one helps."""
        moves = self._moves()
        costs = [(self._cost_after((move,)), move) for move in moves]
        best = min(costs, default=None)
        return best is not None and self._take(best[0], (best[1],))

    def improve_by_two(self) -> bool:
        """Take the two steps that help most together."""
        moves = self._moves()
        pairs = [(one, other) for at, one in enumerate(moves) for other in moves[at + 1 :] if one[0] != other[0]]
        best = min(((self._cost_after(pair), pair) for pair in pairs), default=None)
        return best is not None and self._take(*best)

    def _moves(self) -> list[tuple[int, float]]:
        """List single steps: an ingredient and the grams it changes by."""
        moves = []
        for index, ingredient in enumerate(self.ingredients):
            least, most, step = ingredient.amount
            grams = self.grams[index]
            if grams == 0:
                moves.append((index, float(least)))
                continue
            moves.append((index, -grams if grams <= least else -float(step)))
            if grams + step <= most:
                moves.append((index, float(step)))
        return moves

    def _take(self, cost: float, moves: Sequence[tuple[int, float]]) -> bool:
        if cost >= self._cost_after(()) - 1e-12:
            return False
        for index, change in moves:
            self._add(index, change)
        return True

    def _cost_after(self, moves: Sequence[tuple[int, float]]) -> float:
        off, meals, unusual = self.off, self.meals, 0.0
        if moves:
            off, meals = list(off), list(meals)
        for index, change in moves:
            ingredient = self.ingredients[index]
            for at, share in enumerate(ingredient.per_gram):
                off[at] += share * change
            meals[ingredient.meal] += ingredient.per_gram[0] * change
            unusual += _unusual(ingredient, self.grams[index] + change) - _unusual(ingredient, self.grams[index])
        on_target = sum(weight * each * each for weight, each in zip(self.weights, off, strict=True))
        return on_target + MEAL_WEIGHT * sum(each * each for each in meals) + USUAL_WEIGHT * unusual

    def _slope(self, index: int) -> float:
        ingredient = self.ingredients[index]
        slope = sum(w * share * off for w, share, off in zip(self.weights, ingredient.per_gram, self.off, strict=True))
        usual = (self.grams[index] - ingredient.usual) / ingredient.amount.most**2
        return slope + MEAL_WEIGHT * ingredient.per_gram[0] * self.meals[ingredient.meal] + USUAL_WEIGHT * usual

    def _curvature(self, ingredient: Ingredient) -> float:
        curvature = sum(w * share * share for w, share in zip(self.weights, ingredient.per_gram, strict=True))
        energy = ingredient.per_gram[0]
        return curvature + MEAL_WEIGHT * energy * energy + USUAL_WEIGHT / ingredient.amount.most**2

    def _add(self, index: int, change: float) -> None:
        ingredient = self.ingredients[index]
        self.grams[index] += change
        self.meals[ingredient.meal] += ingredient.per_gram[0] * change
        for at, share in enumerate(ingredient.per_gram):
            self.off[at] += share * change


def _unusual(ingredient: Ingredient, grams: float) -> float:
    return ((grams - ingredient.usual) / ingredient.amount.most) ** 2
