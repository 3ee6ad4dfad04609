"""Does a table of the MNIST demo show the paper's finding (section 3.4)? Exits 1 if not."""

from __future__ import annotations

import sys

import pandas as pd

KEEPS_EASY, DESTROYS_EASY = ("B", "E", "F"), ("A", "C", "D", "G")


def main(path: str) -> int:
    table = pd.read_csv(path, keep_default_na=False)
    median = table.groupby(["null_model", "task"])["accuracy"].median()
    claims = {
        f"{letter} keeps the easy task": median[letter, "E"] > 0.8 for letter in KEEPS_EASY
    } | {f"{letter} destroys the easy task": median[letter, "E"] < 0.65 for letter in DESTROYS_EASY}
    claims["the hard task falls to chance under B"] = median["B", "H"] < 0.55
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'DOES NOT HOLD'}: {claim}")
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
