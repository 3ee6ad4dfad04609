"""Naive twins of everything bipnet computes, written the obvious way.

Nothing here may import bipnet or bipnet_kernels: a mistake must be made twice to go unseen.
Two kinds of twins live here: laws (which outcomes exist and how likely each is) and streams
(plain Python integers that must give the very same bits as the kernels).
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]
Cell = tuple[int, int]
Law = dict[bytes, Fraction]

# -- graphs ------------------------------------------------------------------------------------


def sign(value: Any) -> int:
    """+1, -1, or 0 for no edge (-0.0 too)."""
    return 1 if value > 0 else -1 if value < 0 else 0


def edges(W: Matrix) -> list[Cell]:
    """Cells with an edge, in row-major order."""
    n_left, n_right = W.shape
    return [(i, j) for i in range(n_left) for j in range(n_right) if sign(W[i, j])]


def degrees(W: Matrix, side: str, which: str | None = None) -> list[int]:
    """k+ ("+"), k- ("-") or k (None) of every node of a side."""
    counts = [0] * W.shape[0 if side == "left" else 1]
    for i, j in edges(W):
        if which in (None, "+" if sign(W[i, j]) > 0 else "-"):
            counts[i if side == "left" else j] += 1
    return counts


def strengths(W: Matrix, side: str, which: str) -> list[float]:
    """s+ or s- of every node of a side: |w| added up in row-major order in double precision."""
    sums = [0.0] * W.shape[0 if side == "left" else 1]
    for i, j in edges(W):
        if which == ("+" if sign(W[i, j]) > 0 else "-"):
            sums[i if side == "left" else j] += abs(float(W[i, j]))
    return sums


def bits(W: Matrix, cell: Cell) -> bytes:
    """The bit pattern of one weight in native byte order."""
    i, j = cell
    weight = W[i : i + 1, j : j + 1]
    return weight.astype(W.dtype.newbyteorder("=")).tobytes()


# -- Table 1 -----------------------------------------------------------------------------------

_ALWAYS = {"edges", "weights", "alpha"}
_K_LEFT, _K_RIGHT = {"k+ left", "k- left"}, {"k+ right", "k- right"}
_S_LEFT, _S_RIGHT = {"s+ left", "s- left"}, {"s+ right", "s- right"}
_K = _K_LEFT | _K_RIGHT

TABLE_1: dict[str, set[str]] = {
    "A": _ALWAYS,
    "B": _ALWAYS | {"signs"} | _K,
    "C": _ALWAYS | _K_LEFT | _S_LEFT,
    "D": _ALWAYS | _K_RIGHT | _S_RIGHT,
    "E": _ALWAYS | {"signs"} | _K | _S_LEFT,
    "F": _ALWAYS | {"signs"} | _K | _S_RIGHT,
    "G": _ALWAYS | _K,
}
"""What each null model preserves (paper, Table 1), typed out by hand."""


def broken_invariants(W: Matrix, R: Matrix) -> set[str]:
    """Every invariant that does not hold between two matrices, bit for bit."""
    before, after = _described(W), _described(R)
    return {name for name in before if before[name] != after[name]}


def _described(W: Matrix) -> dict[str, Any]:
    cells = edges(W)
    described: dict[str, Any] = {
        "edges": cells,
        "weights": Counter(bits(W, cell) for cell in cells),
        "alpha": (sum(sign(W[cell]) > 0 for cell in cells), len(cells)),
        "signs": [(cell, sign(W[cell])) for cell in cells],
    }
    for side, axis in (("left", 0), ("right", 1)):
        for which, value in (("+", 1), ("-", -1)):
            described[f"k{which} {side}"] = degrees(W, side, which)
            described[f"s{which} {side}"] = [
                Counter(
                    bits(W, cell) for cell in cells if cell[axis] == node and sign(W[cell]) == value
                )
                for node in range(W.shape[axis])
            ]
    return described


# -- null models: laws -------------------------------------------------------------------------


def groups(W: Matrix, null: str) -> list[list[Cell]]:
    """The groups of edges within which null model A to F permutes weights."""
    found: defaultdict[Any, list[Cell]] = defaultdict(list)
    for i, j in edges(W):
        s = sign(W[i, j])
        key = {"A": 0, "B": s, "C": i, "D": j, "E": (i, s), "F": (j, s)}[null]
        found[key].append((i, j))
    return list(found.values())


def sign_patterns(W: Matrix) -> list[dict[Cell, int]]:
    """Every assignment of signs to the edges of ``W`` with the same k+ and k- everywhere."""
    cells = edges(W)
    left, right = degrees(W, "left", "+"), degrees(W, "right", "+")
    found: list[dict[Cell, int]] = []

    def extend(at: int, chosen: list[int]) -> None:
        if at == len(cells):
            if not any(left) and not any(right):
                found.append(dict(zip(cells, chosen, strict=True)))
            return
        i, j = cells[at]
        extend(at + 1, [*chosen, -1])
        if left[i] and right[j]:
            left[i] -= 1
            right[j] -= 1
            extend(at + 1, [*chosen, 1])
            left[i] += 1
            right[j] += 1

    extend(0, [])
    return found


def law(W: Matrix, null: str) -> Law:
    """Every matrix a null model can make of ``W`` (as bytes) with its exact probability."""
    if null != "G":
        return _placed(W, [(cells, cells) for cells in groups(W, null)])
    total: Law = {}
    patterns = sign_patterns(W)
    sources = {s: [cell for cell in edges(W) if sign(W[cell]) == s] for s in (1, -1)}
    for pattern in patterns:
        targets = {s: [cell for cell in edges(W) if pattern[cell] == s] for s in (1, -1)}
        part = _placed(W, [(sources[s], targets[s]) for s in (1, -1)])
        for state, probability in part.items():
            total[state] = total.get(state, Fraction(0)) + probability / len(patterns)
    return total


def arrangements(items: Counter[bytes]) -> dict[tuple[bytes, ...], Fraction]:
    """Every order of a multiset with its probability when items are drawn one by one."""
    if not items:
        return {(): Fraction(1)}
    result = {}
    for item, count in items.items():
        for rest, probability in arrangements(items - Counter([item])).items():
            result[(item, *rest)] = probability * Fraction(count, items.total())
    return result


def _placed(W: Matrix, moves: list[tuple[list[Cell], list[Cell]]]) -> Law:
    """The weights of each list of source cells on its target cells, in every order."""
    choices = []
    for sources, targets in moves:
        orders = arrangements(Counter(bits(W, cell) for cell in sources))
        choices.append((targets, list(orders.items())))
    result: Law = {}
    for combination in itertools.product(*(orders for _, orders in choices)):
        R = W.copy()
        probability = Fraction(1)
        for (targets, _), (order, p) in zip(choices, combination, strict=True):
            probability *= p
            for (i, j), weight in zip(targets, order, strict=True):
                R[i : i + 1, j : j + 1] = np.frombuffer(weight, dtype=W.dtype)
        result[R.tobytes()] = result.get(R.tobytes(), Fraction(0)) + probability
    return result


# -- null models: naive randomisers ------------------------------------------------------------


def randomize(W: Matrix, null: str, rng: np.random.Generator, *, walk: int | None = None) -> Matrix:
    """One draw of a null model. G picks one of all patterns, or walks ``walk`` loops."""
    if null != "G":
        moves = [(cells, cells) for cells in groups(W, null)]
    else:
        pattern = _any_pattern(W, rng) if walk is None else loop_walk(W, rng, walk)
        moves = [
            (
                [cell for cell in edges(W) if sign(W[cell]) == s],
                [cell for cell in edges(W) if pattern[cell] == s],
            )
            for s in (1, -1)
        ]
    R = W.copy()
    for sources, targets in moves:
        for target, at in zip(targets, rng.permutation(len(sources)), strict=True):
            R[target] = W[sources[at]]
    return R


def _any_pattern(W: Matrix, rng: np.random.Generator) -> dict[Cell, int]:
    patterns = sign_patterns(W)
    return patterns[rng.integers(len(patterns))]


def loop_walk(W: Matrix, rng: np.random.Generator, n_loops: int) -> dict[Cell, int]:
    """A sign pattern after ``n_loops`` short loops (reversed directed cycles) from ``W``'s own."""
    pattern = {cell: sign(W[cell]) for cell in edges(W)}
    nodes = [("left", i) for i in range(W.shape[0])] + [("right", j) for j in range(W.shape[1])]
    for _ in range(n_loops):
        if rng.random() < 0.5:
            continue
        visited = [nodes[rng.integers(len(nodes))]]
        walked: list[Cell] = []
        while True:
            side, here = visited[-1]
            leaving = [
                (i, j)
                for (i, j), s in pattern.items()
                if (side == "left" and i == here and s > 0)
                or (side == "right" and j == here and s < 0)
            ]
            if not leaving:
                break
            cell = leaving[rng.integers(len(leaving))]
            walked.append(cell)
            there = ("right", cell[1]) if side == "left" else ("left", cell[0])
            if there in visited:
                for turned in walked[visited.index(there) :]:
                    pattern[turned] = -pattern[turned]
                break
            visited.append(there)
    return pattern


def law_of_rounds(W: Matrix, n_rounds: int) -> tuple[list[float], float]:
    """Exactly: how likely each sign pattern is after so many rounds of trades between rows, without
    missing edges, and the modulus of the chain's second eigenvalue."""
    rows = [
        [frozenset(k) for k in itertools.combinations(range(W.shape[1]), int((row > 0).sum()))]
        for row in W
    ]
    margins = Counter(j for row in W for j in np.flatnonzero(row > 0).tolist())
    states = [
        s for s in itertools.product(*rows) if Counter(j for row in s for j in row) == margins
    ]
    number = {state: at for at, state in enumerate(states)}
    pairings = list(_pairings(list(range(len(W)))))
    chances = np.zeros((len(states), len(states)))
    for state in states:
        for pairs in pairings:
            outcomes = [_outcomes(state[a], state[b]) for a, b in pairs]
            for chosen in itertools.product(*outcomes):
                then = list(state)
                for (a, b), (one, other) in zip(pairs, chosen, strict=True):
                    then[a], then[b] = one, other
                share = math.prod(1 / len(each) for each in outcomes) / len(pairings)
                chances[number[state], number[tuple(then)]] += share
    start = number[tuple(frozenset(np.flatnonzero(row > 0).tolist()) for row in W)]
    law = np.linalg.matrix_power(chances, n_rounds)[start]
    return law.tolist(), float(np.sort(np.abs(np.linalg.eigvals(chances)))[-2])


def _pairings(lines: list[int]) -> Iterator[list[tuple[int, int]]]:
    """All ways to pair lines; one is left over if they are odd in number."""
    if len(lines) % 2:
        for at in range(len(lines)):
            yield from _pairings(lines[:at] + lines[at + 1 :])
        return
    if not lines:
        yield []
    for at in range(1, len(lines)):
        for rest in _pairings(lines[1:at] + lines[at + 1 :]):
            yield [(lines[0], lines[at]), *rest]


def _outcomes(a: frozenset[int], b: frozenset[int]) -> list[tuple[frozenset[int], frozenset[int]]]:
    """What a trade between two lines can lead to, all equally likely."""
    pool = a ^ b
    chosen = map(frozenset, itertools.combinations(sorted(pool), len(a - b)))
    return [(a & b | kept, a & b | (pool - kept)) for kept in chosen]


def windings(W: Matrix) -> int:
    """How many independent windings there are: cycles that no squares of edges add up to."""
    cells = edges(W)
    number = {cell: at for at, cell in enumerate(cells)}
    squares = []
    for i, k in itertools.combinations(range(W.shape[0]), 2):
        for j, m in itertools.combinations(range(W.shape[1]), 2):
            corners = [(i, j), (k, j), (k, m), (i, m)]
            if all(cell in number for cell in corners):
                row = np.zeros(len(cells))
                row[[number[cell] for cell in corners]] = [1, -1, 1, -1]
                squares.append(row)
    ends = np.zeros((sum(W.shape), len(cells)))
    for (i, j), at in number.items():
        ends[i, at] = ends[W.shape[0] + j, at] = 1
    n_cycles = len(cells) - (np.linalg.matrix_rank(ends) if cells else 0)
    return int(n_cycles - (np.linalg.matrix_rank(np.array(squares)) if squares else 0))


# -- certificates ------------------------------------------------------------------------------


def frozen(W: Matrix, null: str) -> tuple[list[bool], list[bool]]:
    """Per edge in row-major order: is its sign, is its weight the same in every outcome?"""
    outcomes = [np.frombuffer(state, dtype=W.dtype).reshape(W.shape) for state in law(W, null)]
    return (
        [len({sign(R[cell]) for R in outcomes}) == 1 for cell in edges(W)],
        [len({bits(R, cell) for R in outcomes}) == 1 for cell in edges(W)],
    )


def frozen_signs_of_all(n_left: int, n_right: int) -> dict[tuple[int, ...], list[bool]]:
    """Every full sign pattern (row-major) with: is this sign the same in all of its degrees?"""
    same_degrees: defaultdict[Any, list[tuple[int, ...]]] = defaultdict(list)
    for pattern in itertools.product((1, -1), repeat=n_left * n_right):
        W = np.array(pattern).reshape(n_left, n_right)
        same_degrees[str((W.sum(axis=0), W.sum(axis=1)))].append(pattern)
    return {
        pattern: [len(set(signs)) == 1 for signs in zip(*patterns, strict=True)]
        for patterns in same_degrees.values()
        for pattern in patterns
    }


def parts(W: Matrix) -> list[tuple[list[int], list[int]]]:
    """Strongly connected components with more than one node: (left nodes, right nodes).

    Positive edges lead left -> right, negative ones right -> left; found by walking.
    """
    leaving: defaultdict[tuple[str, int], set[tuple[str, int]]] = defaultdict(set)
    for i, j in edges(W):
        ends = [("left", i), ("right", j)]
        tail, head = ends if sign(W[i, j]) > 0 else ends[::-1]
        leaving[tail].add(head)
    nodes = [("left", i) for i in range(W.shape[0])] + [("right", j) for j in range(W.shape[1])]
    reached: dict[tuple[str, int], set[tuple[str, int]]] = {}
    for node in nodes:
        todo, seen = [node], set()
        while todo:
            for head in leaving[todo.pop()] - seen:
                seen.add(head)
                todo.append(head)
        reached[node] = seen
    found = []
    for node in nodes:
        part = [other for other in nodes if other in reached[node] and node in reached[other]]
        if part and part[0] == node:
            found.append(
                (
                    [n for side, n in part if side == "left"],
                    [n for side, n in part if side != "left"],
                )
            )
    return found


def mixing_sides(W: Matrix) -> list[tuple[int, int]]:
    """Both sides of the inequality of Erdos et al. (2018) for each part larger than 2 x 2."""
    sides = []
    for left, right in parts(W):
        part = [[sign(W[i, j]) for j in right] for i in left]
        d = [row.count(1) for row in part]
        c = [column.count(1) for column in zip(*part, strict=True)]
        m, n = len(left), len(right)
        if (m, n) != (2, 2):
            lhs = (max(c) - min(c) - 1) * (max(d) - min(d) - 1)
            sides.append((lhs, max(min(c) * (n - max(d)), min(d) * (m - max(c)))))
    return sides


# -- probes ------------------------------------------------------------------------------------


def exact(value: Any) -> int | float:
    """A weight as a Python number without loss (int64 does not fit into a float)."""
    return int(value) if np.asarray(value).dtype.kind in "iub" else float(value)


def smallest(values: Matrix, share: float) -> list[int]:
    """Flat positions of the round(share * n) smallest of the n edges, earlier ones first."""
    flat = values.reshape(-1)
    places = [e for e in range(flat.size) if sign(flat[e])]
    places.sort(key=lambda e: (abs(exact(flat[e])), e))
    return places[: round(share * len(places))]


def prune(values: Matrix, share: float) -> Matrix:
    """The smallest edges become zero."""
    result = values.copy().reshape(-1)
    for e in smallest(values, share):
        result[e] = 0
    return result.reshape(values.shape)


def binarize(values: Matrix) -> Matrix:
    """Every edge becomes +1 or -1; a zero stays as it is, sign included."""
    result = values.copy().reshape(-1)
    for e in range(result.size):
        if sign(result[e]):
            result[e] = sign(result[e])
    return result.reshape(values.shape)


def flip_signs(values: Matrix, share: float) -> Matrix:
    """The smallest edges change their sign."""
    result = values.copy().reshape(-1)
    for e in smallest(values, share):
        result[e] = -result[e]
    return result.reshape(values.shape)


def noise_support(values: Matrix) -> Matrix:
    """Where noise may be added: at edges."""
    flat = values.reshape(-1)
    return np.array([sign(value) != 0 for value in flat], dtype=bool).reshape(values.shape)


# -- random streams ----------------------------------------------------------------------------

_MASK64 = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def splitmix_output(x: int) -> int:
    """The mixing function of SplitMix64."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK64
    return x ^ (x >> 31)


def rotated(x: int, by: int) -> int:
    """64 bits rotated to the left."""
    return ((x << by) | (x >> (64 - by))) & _MASK64


def stream_key(
    entropy: int, spawn_key: Sequence[int], index: int, purpose: str, name: str
) -> list[int]:
    """The key of a draw's stream (version 3): BLAKE2b of what identifies the draw."""
    identity = [entropy, list(spawn_key), index, purpose, name]
    text = "\n".join(["bipnet stream 3", *map(str, identity)])
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    return [int.from_bytes(digest[i : i + 8], "little") for i in range(0, 32, 8)]


class Stream:
    """xoshiro256++ on Python integers, seeded by (key, block)."""

    def __init__(self, key: Sequence[int], block: int) -> None:
        self.state = [
            splitmix_output(int(key[i]) ^ splitmix_output((block + (i + 1) * _GOLDEN) & _MASK64))
            for i in range(4)
        ]

    def word(self) -> int:
        """64 random bits."""
        s = self.state
        result = (rotated((s[0] + s[3]) & _MASK64, 23) + s[0]) & _MASK64
        t = (s[1] << 17) & _MASK64
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 45)
        return result

    def below(self, n: int) -> int:
        """A uniform integer in [0, n): Lemire on 32 bits, masks beyond."""
        if n < 1 << 32:
            while True:
                product = (self.word() >> 32) * n
                if product % (1 << 32) >= (1 << 32) % n:
                    return product >> 32
        mask = (1 << (n - 1).bit_length()) - 1
        while True:
            value = self.word() & mask
            if value < n:
                return value

    def shuffle(self, items: list[int]) -> None:
        """Fisher-Yates from the end."""
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


class Lanes:
    """32 streams that fill a buffer of 512 words in turn, and one more for what is redrawn."""

    def __init__(self, key: Sequence[int], block: int) -> None:
        self.lanes = [Stream(key, 33 * block + lane) for lane in range(32)]
        self.spare = Stream(key, 33 * block + 32)
        self.buffer: list[int] = []

    def refill(self) -> list[int]:
        """512 words."""
        return [lane.word() for _ in range(16) for lane in self.lanes]

    def take(self, n: int) -> list[int]:
        """The next n words of the buffer; what is left of it is dropped where it is too short."""
        if len(self.buffer) < n:
            self.buffer = self.refill()
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def word(self) -> int:
        """64 random bits."""
        return self.take(1)[0]

    def bounded(self, half: int, n: int) -> int:
        """A uniform integer in [0, n) from 32 random bits, or from as many as it takes."""
        while half * n % (1 << 32) < (1 << 32) % n:
            half = self.spare.word() >> 32
        return half * n >> 32

    def below(self, n: int) -> int:
        """A uniform integer in [0, n)."""
        return self.bounded(self.word() >> 32, n)

    def picks(self, first: int, n: int) -> list[int]:
        """n integers, number k of them uniform in [0, first + k)."""
        words = self.take((n + 1) // 2)
        halves = [word % (1 << 32) for word in words] + [word >> 32 for word in words]
        return [self.bounded(half, first + k) for k, half in enumerate(halves[:n])]

    def shuffled(self, items: Sequence[int]) -> list[int]:
        """Fisher-Yates from the front, the random numbers 1024 at a time."""
        result = list(items[:1])
        while len(result) < len(items):
            count = min(1024, len(items) - len(result))
            for place in self.picks(len(result) + 1, count):
                result.append(items[len(result)])
                result[place], result[-1] = result[-1], result[place]
        return result

    def labels(self, n: int, n_bits: int) -> list[int]:
        """n random labels of 8 bits or fewer: the octets of the buffer, lowest first."""
        octets: list[int] = []
        while len(octets) < n:
            octets += [word >> (8 * k) & 255 for word in self.refill() for k in range(8)]
        return [octet >> (8 - n_bits) for octet in octets[:n]]


# -- kernels, bit for bit ----------------------------------------------------------------------


def permute_segments(
    words: Sequence[int],
    starts: Sequence[int],
    stops: Sequence[int],
    per_block: int,
    first_block: int,
    by_sign: bool,
    nonzero: int,
    negative: int,
    key: Sequence[int],
) -> tuple[list[int], list[int]]:
    """(words, frozen) after permuting every segment."""
    result = list(words)
    frozen = [0, 0]
    stream = Lanes(key, first_block)
    for i, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        if i % per_block == 0:
            stream = Lanes(key, first_block + i // per_block)
        cells = [c for c in range(start, stop) if words[c] & nonzero]
        minus = [c for c in cells if words[c] & negative]
        plus = [c for c in cells if not words[c] & negative]
        for part in [plus, minus] if by_sign else [cells]:
            if len(part) == 1:
                frozen[1 if words[part[0]] & negative else 0] += 1
            for c, value in zip(part, stream.shuffled([words[c] for c in part]), strict=True):
                result[c] = value
    return result, frozen


def spread(
    words: Sequence[int],
    positive: Sequence[int] | None,
    nonzero: int,
    negative: int,
    key: Sequence[int],
    n_bits: int = 0,
    chunk: int = 1 << 16,
) -> list[int]:
    """The weights spread over the edges, by sign where a sign pattern (by edge) is given.

    With ``n_bits`` > 0 dealt to 2**n_bits buckets first, ``chunk`` weights per stream of labels.
    """
    result = list(words)
    cells = [c for c in range(len(words)) if words[c] & nonzero]
    if positive is None:
        sources, targets = [cells], [cells]
    else:
        sources = [[c for c in cells if bool(words[c] & negative) == minus] for minus in (0, 1)]
        pairs = list(zip(cells, positive, strict=True))
        targets = [[c for c, flag in pairs if bool(flag) == plus] for plus in (1, 0)]
    bucket = 0
    for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1):
        values = [words[c] for c in source]
        labels = [0] * len(values)
        if n_bits:
            labels = []
            for at in range(0, len(values), chunk):
                n = min(chunk, len(values) - at)
                stream = Lanes(key, (number << 40) + at // chunk)
                labels += stream.labels(n, n_bits)
        shuffled: list[int] = []
        for label in range(1 << n_bits):
            part = [value for value, given in zip(values, labels, strict=True) if given == label]
            shuffled += Lanes(key, bucket).shuffled(part)
            bucket += 1
        for c, value in zip(target, shuffled, strict=True):
            result[c] = value
    return result


def swap_attempts(
    cells: list[list[int]],
    left: Sequence[int],
    right: Sequence[int],
    first: int,
    n_attempts: int,
    key: Sequence[int],
    per_stream: int,
) -> tuple[list[list[int]], list[int], int]:
    """(cells, right ends of the positive edges, number accepted) after ``n_attempts``."""
    cells = [list(row) for row in cells]
    ends = list(right)
    accepted = 0
    stream = Lanes(key, first)
    for attempt in range(n_attempts):
        if attempt % per_stream == 0:
            stream = Lanes(key, first + attempt // per_stream)
        a, b = stream.below(len(ends)), stream.below(len(ends))
        i, j, k, m = left[a], ends[a], left[b], ends[b]
        if cells[i][m] == 0 and cells[k][j] == 0:
            cells[i][j] = cells[k][m] = 0
            cells[i][m] = cells[k][j] = 1
            ends[a], ends[b] = m, j
            accepted += 1
    return cells, ends, accepted


def set_bits(words: Sequence[int]) -> list[int]:
    """Positions of the set bits of 64-bit words, lowest first."""
    return [64 * w + b for w, word in enumerate(words) for b in range(64) if word >> b & 1]


def packed(places: Sequence[int], n_words: int) -> list[int]:
    """64-bit words with the bits at ``places`` set."""
    words = [0] * n_words
    for place in places:
        words[place // 64] |= 1 << (place % 64)
    return words


def draw_subset(pool: Sequence[int], k: int, stream: Lanes, levels: int = 6) -> list[int]:
    """k of the set bits of ``pool``, as words."""
    places = set_bits(pool)
    size, n_words = len(places), len(pool)
    if size < 2 * n_words or size < 24:
        chosen: list[int] = []
        for seen, place in enumerate(places):
            if len(chosen) == k:
                break
            if stream.below(size - seen) < k - len(chosen):
                chosen.append(place)
        return packed(chosen, n_words)
    level = (k * 2**levels + size // 2) // size
    words = [0] * n_words if level == 0 else [_MASK64] * n_words
    if 0 < level < 2**levels:
        lowest = (level & -level).bit_length() - 1
        for begin in range(0, n_words, 64):
            run = range(begin, min(begin + 64, n_words))
            for w in run:
                words[w] = 0
            for i in range(lowest, levels):
                for w, fresh in zip(run, stream.take(len(run)), strict=True):
                    words[w] = words[w] | fresh if level >> i & 1 else words[w] & fresh
    taken = {place for place in places if words[place // 64] >> (place % 64) & 1}
    pooled = set(places)
    while len(taken) != k:
        place = stream.below(64 * n_words)
        if len(taken) > k:
            taken.discard(place)
        elif place in pooled:
            taken.add(place)
    return packed(sorted(taken), n_words)


def trade_rounds(
    lines: Sequence[Sequence[int]],
    support: Sequence[Sequence[int]] | None,
    first: int,
    n_rounds: int,
    pair_key: Sequence[int],
    key: Sequence[int],
) -> tuple[list[list[int]], int]:
    """(lines, number of changed bits) after some rounds of global trades."""
    current = [list(line) for line in lines]
    n_words = len(current[0])
    moved = 0
    for r in range(first, first + n_rounds):
        order = list(range(len(current)))
        Stream(pair_key, r).shuffle(order)
        per_block = max(1, (1 << 14) // n_words)
        stream = Lanes(key, 0)
        for pair, (a, b) in enumerate(zip(order[::2], order[1::2], strict=False)):
            if pair % per_block == 0:
                stream = Lanes(key, (r << 24) + pair // per_block)
            mine, theirs = set(set_bits(current[a])), set(set_bits(current[b]))
            pool = mine ^ theirs
            if support is not None:
                pool &= set(set_bits(support[a])) & set(set_bits(support[b]))
            k = len(pool & mine)
            if k in (0, len(pool)):
                continue
            chosen = set(set_bits(draw_subset(packed(sorted(pool), n_words), k, stream)))
            moved += 2 * len((pool & mine) ^ chosen)
            current[a] = packed(sorted(mine - pool | chosen), n_words)
            current[b] = packed(sorted(theirs - pool | (pool - chosen)), n_words)
    return current, moved


def loop_streams(
    left: Sequence[int],
    right: Sequence[int],
    positive: Sequence[int],
    n_nodes: int,
    long_below: Sequence[int],
    longest: int,
    first: int,
    n_streams: int,
    key: Sequence[int],
    per_stream: int,
) -> tuple[list[int], int]:
    """(signs, edges turned) after ``n_streams * per_stream`` short and long loops."""
    signs = [int(flag) for flag in positive]
    leaving: list[list[int]] = [[] for _ in range(n_nodes)]
    for edge in range(len(left)):
        leaving[left[edge] if signs[edge] else right[edge]].append(edge)
    flipped = 0
    for s in range(first, first + n_streams):
        stream = Lanes(key, s)
        for _ in range(per_stream):
            word = stream.word()
            if word % 2:
                continue
            visited = [stream.below(n_nodes)]
            walked: list[int] = []
            if word >> 32 < long_below[visited[0]]:
                before = [list(edges) for edges in leaving]
                here = visited[0]
                while len(walked) < longest and leaving[here]:
                    slot = stream.below(len(leaving[here]))
                    walked.append(leaving[here][slot])
                    if len(walked) > 1:  # the edge it came by takes the place of this one
                        leaving[here][slot] = walked[-2]
                    edge = walked[-1]
                    here = right[edge] if left[edge] == here else left[edge]
                    if here == visited[0]:
                        out_edges = leaving[here]
                        out_edges[out_edges.index(walked[0])] = edge
                        break
                if walked and here == visited[0]:
                    for edge in walked:
                        signs[edge] = 1 - signs[edge]
                    flipped += len(walked)
                else:
                    leaving = before
                continue
            while leaving[visited[-1]] and visited[-1] not in visited[:-1]:
                here = visited[-1]
                edge = leaving[here][stream.below(len(leaving[here]))]
                walked.append(edge)
                visited.append(right[edge] if left[edge] == here else left[edge])
            if visited[-1] not in visited[:-1]:
                continue
            start = visited.index(visited[-1])
            cycle = walked[start:]
            for at, edge in enumerate(cycle):
                out_edges = leaving[visited[start + at]]
                out_edges[out_edges.index(edge)] = cycle[at - 1]
                signs[edge] = 1 - signs[edge]
            flipped += len(cycle)
    return signs, flipped


def random_bit(line: Sequence[int], n_places: int, stream: Lanes, tries: int = 8) -> int:
    """The place of a random set bit of ``line``."""
    places = set_bits(line)
    if tries * len(places) < n_places:
        return places[stream.below(len(places))]
    while True:
        place = stream.below(n_places)
        if place in places:
            return place


def bit_loop_streams(
    cells: Matrix,
    long_below: Sequence[int],
    longest: int,
    first: int,
    n_streams: int,
    key: Sequence[int],
    per_stream: int,
) -> tuple[Matrix, int]:
    """(cells, edges turned) after loops on signs +1 and -1 and 0 for no edge."""
    signs = np.array(cells)
    n_left, n_right = signs.shape
    alive = [i for i in range(n_left) if signs[i].any()]
    alive += [n_left + j for j in range(n_right) if signs[:, j].any()]
    flipped = 0
    for s in range(first, first + n_streams):
        stream = Lanes(key, s)
        for _ in range(per_stream):
            word = stream.word()
            if word % 2:
                continue
            visited = [alive[stream.below(len(alive))]]
            if word >> 32 < long_below[visited[0]]:
                before = signs.copy()
                while len(visited) <= longest:
                    at = visited[-1]
                    ahead = signs[at] > 0 if at < n_left else signs[:, at - n_left] < 0
                    if len(visited) > 1:
                        ahead[visited[-2] if at >= n_left else visited[-2] - n_left] = 0
                    if not ahead.any():
                        break
                    line = packed(np.flatnonzero(ahead).tolist(), -(-len(ahead) // 64))
                    there = random_bit(line, len(ahead), stream)
                    visited.append(there + (n_left if at < n_left else 0))
                    pair = min(at, visited[-1]), max(at, visited[-1]) - n_left
                    signs[pair] *= -1
                    if visited[-1] == visited[0]:
                        break
                if len(visited) > 1 and visited[-1] == visited[0]:
                    flipped += len(visited) - 1
                else:
                    signs = before
                continue
            while visited[-1] not in visited[:-1]:
                at = visited[-1]
                ahead = signs[at] > 0 if at < n_left else signs[:, at - n_left] < 0
                if not ahead.any():
                    break
                line = packed(np.flatnonzero(ahead).tolist(), -(-len(ahead) // 64))
                there = random_bit(line, len(ahead), stream)
                visited.append(there + (n_left if at < n_left else 0))
            if visited[-1] in visited[:-1]:
                cycle = visited[visited.index(visited[-1]) :]
                for one, other in itertools.pairwise(cycle):
                    signs[min(one, other), max(one, other) - n_left] *= -1
                flipped += len(cycle) - 1
    return signs, flipped


def transpose_block(
    source: list[int],
    source_start: int,
    source_stride: int,
    target: list[int],
    target_start: int,
    target_stride: int,
    n_rows: int,
    n_columns: int,
) -> None:
    """Word (i, j) of a block of ``source`` becomes word (j, i) of one of ``target``."""
    for i in range(n_rows):
        for j in range(n_columns):
            word = source[source_start + i * source_stride + j]
            target[target_start + j * target_stride + i] = word


def index_edges(
    left: Sequence[int], right: Sequence[int], weights: Sequence[float], shape: tuple[int, int]
) -> tuple[list[list[int]], list[list[int]], list[list[float]], list[list[float]]]:
    """(degrees left, degrees right, strengths left, strengths right): [positive, negative]."""
    k = [[[0] * n for _ in range(2)] for n in shape]
    s = [[[0.0] * n for _ in range(2)] for n in shape]
    for i, j, w in zip(left, right, weights, strict=True):
        row = 0 if w > 0 else 1
        for side, node in ((0, i), (1, j)):
            k[side][row][node] += 1
            s[side][row][node] += abs(w)
    return k[0], k[1], s[0], s[1]


def words_of(W: Matrix) -> tuple[list[int], int, int]:
    """(words, mask of non-zero values, mask of negative values) of an array of any dtype."""
    size = 8 * W.dtype.itemsize
    is_float = W.dtype.kind not in "iub"
    words = [int(word) for word in np.ascontiguousarray(W).reshape(-1).view(f"u{size // 8}")]
    top = 1 << (size - 1)
    nonzero = top - 1 if is_float else (1 << size) - 1
    return words, nonzero, 0 if W.dtype.kind in "ub" else top
