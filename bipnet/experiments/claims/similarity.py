"""Section 3, Figure 6: which pairs of classes SSIM finds farthest apart and closest."""

from __future__ import annotations

from functools import partial

from bipnet.experiments.claims.claim import Claim, Evidence, Measured, NotMeasuredError
from bipnet.experiments.datasets import PAPER_TASKS


def _extreme(evidence: Evidence, pair: tuple[str, str], easiest: bool) -> Measured:
    rows = evidence.table[evidence.table["first"] != evidence.table["second"]]
    named = rows[[{a, b} == set(pair) for a, b in zip(rows["first"], rows["second"], strict=True)]]
    if named.empty:
        raise NotMeasuredError(f"no distance of {pair[0]} and {pair[1]}")
    rank = int(named["rank"].iloc[0])
    last = int(rows["rank"].max())
    in_order = rows.sort_values("rank", ascending=easiest)
    word = "largest" if easiest else "smallest"
    numbers: dict[str, float | int | str] = {
        "rank": rank,
        "of pairs": last,
        "distance": float(named["distance"].iloc[0]),
    }
    for title, (_, row) in zip((word, f"second {word}"), in_order.head(2).iterrows(), strict=False):
        numbers[f"{title} distance"] = float(row["distance"])
        numbers[f"{title} held by"] = f"{row['first']}/{row['second']}"
    if evidence.image_pairs is not None:
        numbers["image pairs behind each distance"] = evidence.image_pairs
    return Measured(rank == (1 if easiest else last), numbers)


CLAIMS = tuple(
    Claim(
        f"ssim-{task}-{dataset}",
        f"By SSIM distance the {word} pair of {title} is"
        f" {{{', '.join(PAPER_TASKS[dataset][task])}}}.",
        "section 3; Figure 6",
        (6,),
        f"the pair ranks {'first' if task == 'easy' else 'last'} of all pairs of different"
        " classes (near ties are ranked too: see how far the runner-up is)",
        partial(_extreme, pair=PAPER_TASKS[dataset][task], easiest=task == "easy"),
        (dataset,),
    )
    for dataset, title in (("mnist", "MNIST"), ("fashion-mnist", "Fashion-MNIST"))
    for task, word in (("easy", "easiest"), ("hard", "hardest"))
)
