"""Every notebook runs from top to bottom, without warnings, and is kept without outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))

# What a notebook's text says of its numbers, with leeway; run in its kernel after its last cell.
CHECKS = {
    "statistics_of_a_trained_layer": """
from bipnet.measures import degree_bands, sign_pattern, spectrum, strength_bands

assert accuracy > 0.95

# Weights: from a narrow range to some twenty times as large, of both signs.
assert abs(before).max() <= 1 / 8
assert after.max() > 15 / 8 and after.min() < -15 / 8

# Strengths of pixels: in the band of A before training, and far outside it at both ends after it.
def share_in_band(W):
    bands = strength_bands(W, "left", bipnet.ensemble(W, "A", 100, rng=1), bins=20)
    return np.mean([
        (band.null.low <= band.observed) & (band.observed <= band.null.high)
        for band in bands.values()
    ])

assert share_in_band(before) > 0.75 and share_in_band(after) > 0.6
strengths = bipnet.SignedBipartiteGraph(after).strengths("left", "+")
of_draws = np.array([R.clip(0).sum(axis=1) for R in bipnet.ensemble(after, "A", 100, rng=1)])
assert strengths.min() < of_draws.min() and strengths.max() > of_draws.max()
assert strengths.max() > 2.5 * np.median(strengths) and strengths.min() < 0.2 * np.median(strengths)

# The weakest and the strongest lie at the margin; what has no ink has not moved.
at_margin = np.ones((8, 8), dtype=bool)
at_margin[1:-1, 1:-1] = False
assert at_margin.ravel()[[strengths.argmin(), strongest]].all()
assert never_inked.sum() == 3 and (after[never_inked] == before[never_inked]).all()
assert (x_train[:, strongest] > 0).sum() == 1

# Degrees of units: fair coins before; after it the dead ones are below the band, others are not.
degrees = (before > 0).sum(axis=0)
assert abs(degrees.mean() - 32) < 2 and 2.5 < degrees.std() < 5.5
assert silent.sum() == 5 and k_plus[silent].max() < k_plus[~silent].min()
band = degree_bands(after, "right", bipnet.ensemble(after, "A", 100, rng=1), signs="+", bins=12)
(band,) = band.values()
assert band.observed[0] > band.null.high[0]
lowest = np.sort([(R > 0).sum(axis=0) for R in bipnet.ensemble(after, "A", 100, rng=1)])[:, 4]
assert np.sort(k_plus)[4] < lowest.min()  # five units with so few: in no draw
lived = after[:, ~silent]
spreads = [(R > 0).sum(axis=0).std() for R in bipnet.ensemble(lived, "A", 100, rng=1)]
assert k_plus[~silent].std() < max(spreads)
assert size[silent].max() < 0.1 < 4 * size[silent].mean() < size[~silent].mean()
assert abs(abs(before[:, silent]).mean() - 0.06) < 0.005

# Sorted by k+, the trained signs and those of G have one gradient.
def quarters(W):
    return sign_pattern(W, most_blocks=(4, 4)).means

data, drawn = quarters(after), quarters(bipnet.randomize(after, "G", rng=1))
for pattern in (data, drawn):
    assert pattern[0, 0] > 0.2 and pattern[-1, -1] < -0.2
assert np.corrcoef(data.ravel(), drawn.ravel())[0, 1] > 0.9

# Balance: not before training, far from chance after it.
assert abs(found["before"]["balanced_share"].z[0]) < 4
assert found["before"]["balanced_share"].p[0] > 0.05
assert found["after"]["balanced_share"].z[0] > 20
assert found["after"]["balanced_share"].p[0] == 1 / 501
for test in found.values():
    assert abs(test["balanced_share"].null_mean[0] - 0.5) < 0.002
    assert "hidden state" in test.law

# Under all three, before training nothing stands out; after it what the text says.
for null, table in tested.items():
    at = table.set_index(["layer", "statistic"])
    assert not (at.loc["before", "p_adjusted"] <= 0.05).any(), null
    p, state = at.loc["after", "p_adjusted"], at.loc["after", "state"]
    signs = ["balanced_share", "clustering+", "clustering-", "nodf+"]
    assert (state[signs] == ("fixed" if null == "E" else "ok")).all()
    assert (p.drop(signs) <= 0.05).all(), null
    if null != "E":
        assert (p[signs[:3]] <= 0.05).all() and p["nodf+"] > 0.05
near = tested["A"].query("layer == 'before'").set_index("statistic")["p_adjusted"]
assert list(near[near < 0.1].index) == signs[1:] and (near[signs[1:]].round(2) == 0.06).all()
near = tested["G"].query("layer == 'before'").set_index("statistic")["p_adjusted"]
assert near.min() > 0.5

# The slopes are far from chance, and made by the dead units alone; the balance is not.
table = tested["E"].set_index(["layer", "statistic"])
assert 3 < table.loc[("after", "strength_slope+ right"), "observed"] < 5
assert table.loc[("after", "strength_slope- right"), "observed"] < 0
assert abs(table.loc["after"].loc[slopes[:2], "z"]).min() > 10
assert min(alive[name].p_adjusted[0] for name in slopes[:2]) > 0.05
assert alive["balanced_share"].z[0] > 20 and alive["balanced_share"].p_adjusted[0] <= 0.05

# The table of what is fixed is that of the tests.
for null, table in tested.items():
    fixed = table.query("layer == 'after'").set_index("statistic")["state"] == "fixed"
    row = bipnet.NULL_MODELS[null]
    assert [STATISTICS[name].is_fixed_by(row.preserves) for name in shown] == list(fixed[shown])

# Singular values above the noise: none under A, two under E, five in the data.
data = spectrum(after)
median = {
    null: np.median(
        [spectrum(R).values for R in bipnet.ensemble(after, null, 100, rng=4)], axis=0
    )
    for null in "AE"
}
above = [int((values > data.edge).sum()) for values in (median["A"], median["E"], data.values)]
assert above == [0, 2, 5]
assert 0.8 < median["E"][0] / data.values[0] < 0.97

# Pixels: three of four, and none without ink, which have the lowest z-scores.
assert 0.7 * 64 < beyond.sum() < 0.8 * 64
assert (one.z.reshape(8, 8)[beyond] > 0).all()
assert not beyond[never_inked.reshape(8, 8)].any()
assert one.z[never_inked].max() < one.z[~never_inked].min()
""",
    "your_own_null_model_or_statistic": """
under_d = bipnet.significance(W, own, null="D", n=500, rng=1)
less = under_d["mean dominance"]
assert less.z[0] < -2 and less.p[0] < 0.05
assert round(less.null_mean[0] - less.observed[0], 3) == 0.004
assert not (under_d["dominance"].p_adjusted <= 0.05).any()
band = distribution_band(dominance(g), draws, bins=20)
inside = (band.null.low <= band.observed) & (band.observed <= band.null.high)
assert 0.8 < inside.mean() <= 1
under_e = bipnet.significance(W, own, null="E", n=50, rng=1)
assert (under_e["dominance"].state == "constant").all()
assert (bipnet.significance(W, own, null="C", n=50, rng=1)["dominance"].state == "constant").all()
assert [null for null, row in bipnet.NULL_MODELS.items() if known.is_fixed_by(row.preserves)] == [
    "C", "E",
]

# The check tells a wrong draw apart, and which of its two parts.
for wrong_draw, said in ((bipnet.randomize(W, "B", rng=1), "a size"), (-W, "left node")):
    try:
        check(W, wrong_draw)
    except AssertionError as error:
        assert said in str(error)
    else:
        raise AssertionError(said)

# The right null model passes the test of uniformity, the lopsided one does not, by a quarter.
assert len(list(outcomes(small))) == 18
assert p_right > 1e-4 and p_wrong < 1e-10
assert max(right) < 1.15 * np.mean(right) and 1.2 * np.mean(wrong) < max(wrong)
assert z > 15 and p == 1 / 401

# With signs dealt anew the first direction is little more than noise.
from bipnet.measures import spectrum

assert mean < 1.1 * spectrum(W).edge < observed

# Besag & Clifford: uniform from a hidden state, far from it from the data; power by more rounds.
def below(level, favour, name):
    return (p_of[favour, name] <= level + 1e-9).mean()

naive, one_round, many = tests
for name in (one_round, many):
    for level in (0.05, 0.1, 0.2, 0.5):
        sd = np.sqrt(level * (1 - level) / 200)
        assert abs(below(level, 0.0, name) - level) < 3 * sd, (name, level)
for level in (0.1, 0.2, 0.5):
    sd = np.sqrt(level * (1 - level) / 200)
    assert below(level, 0.0, naive) < level - 3 * sd, level
found = {name: below(0.05, 0.1, name) for name in tests}
assert 200 * found[naive] == 3
assert 0.3 < found[one_round] < 0.45 < found[many] < 0.6
assert all(bipnet.diagnose(answers(i)).steps > 20 for i in range(3))
assert bipnet.significance(answers(0), {"lean": lean}, n=1, rng=0).steps == 64
""",
    "null_models_on_any_matrix": """
# What draws keep: B the signs at their places, C, D and G the numbers that the text says.
signs = {null: np.sign(bipnet.randomize(W, null, rng=7)) for null in "BCDG"}
assert (signs["B"] == np.sign(W)).all()
for null, axes_kept in (("C", [1]), ("D", [0]), ("G", [0, 1])):
    assert (signs[null] != np.sign(W)).any()
    for axis in axes_kept:
        assert (signs[null].sum(axis=axis) == np.sign(W).sum(axis=axis)).all(), null

# How bright a grower's band is: kept by C and G, gone from D.
def brightness(pattern):
    return np.array([(pattern[wine.target[order] == one] > 0).mean() for one in range(3)])

assert 0.65 < brightness(W)[0] < 0.7 and (brightness(W)[1:] < 0.4).all()
assert all((brightness(signs[null]) == brightness(W)).all() for null in "BCG")
assert np.ptp(brightness(signs["D"])) < 0.1

# In which measurements a grower is above average is gone from C, D and G.
def bands(pattern):
    growers = wine.target[order]
    return np.var([pattern[growers == one].mean(axis=0) for one in range(3)], axis=0).sum()

assert bands(signs["B"]) > 4 * max(bands(signs[null]) for null in "CDG")

# Signs are kept by B, E and F, and so is the share; nothing else comes near the data.
assert abs(np.array([shares[null] for null in "BEF"]) - observed).max() < 1e-12
assert np.concatenate([shares[null] for null in "ACDG"]).max() < observed - 0.03
assert all(abs(np.median(shares[null]) - 0.5) < 0.01 for null in "ACDG")
assert all(observed - np.mean(shares[null]) > 100 * np.std(shares[null]) for null in "ACG")
assert found["balanced_share"].z[0] > 90 and found["singular_value"].z[0] > 15
assert all(found[name].p[0] == 1 / 201 for name in found.statistics)
assert "hidden state" in found.law

# Signs make two thirds of the way from noise to the largest singular value.
noise, signs = np.median(largest["A"]), np.median(largest["B"])
assert 0.55 < (signs - noise) / (leading(W) - noise) < 0.8
assert np.median(largest["E"]) < leading(W)
for null in "CDG":
    assert np.median(largest[null]) < noise + 0.3 * (leading(W) - noise), null

# The chain: nothing proven, all pilots at one level within five rounds, longer draws.
assert "not proven" in str(bipnet.certify(W, "G"))
pilots = bipnet.diagnose(W)
assert pilots.settled and pilots.steps == 21
assert (abs(pilots.traces[:, 6:] - pilots.level) < 5 * pilots.spread).all()

# The parties are as nested as their margins make them, and more balanced.
assert tested["nodf+"].p_adjusted[0] > 0.3
assert tested["balanced_share"].p_adjusted[0] < 0.005
""",
    "paper_figures_1_to_4": """
assert result.settings["datasets"][DATA]["tasks"] == {"E": ["0", "1"], "H": ["3", "9"]}

# Figure 1: nine edges in ten can go; noise like sigma(w), half of the signs, no sizes.
curves = tables[1].groupby(["task", "model", "probe"])

def medians_of(task, model, probe, by):
    return curves.get_group((task, model, probe)).groupby(by)["accuracy"].median()

for task in "EH":
    for model in ("float", "signed"):
        at_p = medians_of(task, model, "prune", "fraction_removed")
        assert (at_p[0.0] - at_p[:0.9] <= 0.05).all() and at_p.iloc[-1] < 0.6, (task, model)
    noise, flips = (medians_of(task, "float", probe, "level") for probe in ("noise", "flip"))
    assert (noise[:0.12] > 0.95).all() and (flips[:0.5] > 0.95).all()
    assert noise.iloc[-1] < 0.75
for task, most in (("E", 0.01), ("H", 0.04)):
    full, by_signs = (
        medians_of(task, model, "prune", "fraction_removed")[0] for model in ("float", "signed")
    )
    assert full - by_signs < most
assert full - by_signs > 0.005  # of the hard task

# Figure 2: signs carry the task.
of = tables[2].pivot_table("accuracy", "task", "null_model", "median")
assert (of[["B", "E", "F"]].rsub(of[""], axis=0) < 0.06).all().all()
assert (of[list("ACDG")] < 0.65).all().all()

# Figure 3: the strong weights do.
assert lost.loc["E"].abs().loc[:0.9].max().max() < 0.02
assert 0.03 < lost.loc["H"].loc[:0.5].max().max() < 0.12
assert lost.loc[(slice(None), 0.9), :].max().max() < 0.02

# Figure 4: 45 pairs, with losses that agree loosely.
scores = tables[4].pivot_table("accuracy", "task", ["model", "null_model"])
gone = -scores.sub(scores[("float", "")], axis=0)
by_sign, by_b = gone[("signed", "")], gone[("float", "B")]
assert len(gone) == 45
assert 0.3 < by_sign.corr(by_b, method="spearman") < 0.8
assert max(by_sign.median(), by_b.median()) < 0.021

# Which claims hold, and that nothing else is printed.
verdicts = {row["claim"]: row["verdict"] for row in measured}
assert set(verdicts.values()) == {"holds", "does not hold"} and len(verdicts) == len(measured)
hold = {claim for claim, verdict in verdicts.items() if verdict == "holds"}
assert hold >= {
    "noise-weak-signed-E", "noise-weak-signed-H", "noise-decay-signed-E", "noise-decay-signed-H",
    "randomise-signs-keep-easy", "randomise-signs-unchanged", "randomise-B-not-G",
}
assert not hold & {
    "binarising", "pruning-keeps-easy", "pruning-transition-signed-H", "randomise-hard-loses-more",
    "randomise-B-transition-H", "noise-resonance-signed-H",
}
assert all(row["criterion"] and row["numbers"] for row in measured)
""",
    "language_model_layers": """
from bipnet.torch.text import sample_sentences

# The model reads names in their context.
assert 0.95 < score.f1 < 1
assert by_name < 0.55

# Pruning and binarising, one layer at a time.
curves = pruned.set_index(["layer", "model", "probe", "fraction_removed"])["score"]
position, first, head = SIX[0], SIX[1], SIX[-1]
for name in SIX[1:-1]:
    assert curves[name, "float", "prune", 0.9] > score.f1 - 0.05, name
for name in SIX[3:]:
    assert abs(curves[name, "signed", "prune", 0.0] - score.f1) < 0.03, name
assert curves[position, "signed", "prune", 0.0] < 0.4
assert curves[first, "signed", "prune", 0.5] > curves[first, "signed", "prune", 0.0] + 0.03

# Null models: B keeps what the layers know, A and G destroy the classifier.
at_0 = {
    null: table[(table["probe"] == "randomize") & (table["fraction_removed"] == 0)]
    .groupby("layer")["score"]
    .median()
    for null, table in drawn.items()
}
assert (at_0["B"].drop(position) > score.f1 - 0.05).all()
assert abs(at_0["A"][head] - 0.28) < 0.08 and abs(at_0["G"][head] - 0.23) < 0.08, at_0
assert round(score.f1, 2) == 0.98
assert (at_0["A"][SIX[3:5]] > score.f1 - 0.05).all()

# Every layer; the blocks together; signs at the right scale.
assert list(lost.index) == EVERY and len(EVERY) == 26
assert (lost.loc[EVERY[1:], "B"] < 6).all()
assert whole["[23]"].median() > 0.75 > 0.5 > whole["[01]"].median()
late = [name for name in EVERY if "layer.3" in name and ("v_lin" in name or "out_lin" in name)]
assert (lost.loc[late, "binarize"] > 15).all() and (lost.loc[late, "A"] < 5).all()
assert (lost.loc[EVERY[1:], "binarize, scaled"] < 6).all()

# Reusing what lies before a layer changes no bit, and is quicker for the last one.
assert (speed["F1"] == speed["F1, reusing"]).all()
assert speed["times as fast"].iloc[-1] > 1.5

# The study: scores of the same evaluator, every layer on the map, every claim judged.
few = TokenClassification(sample_sentences(test, 100, rng=7), tokenizer, model)
table = study.tables[5]
assert table.loc[table["probe"] == "none", "f1"].iloc[0] == few(model)
assert list(dict.fromkeys(study.tables[0]["layer"]))[1:] == linear_layers(model)
verdicts = {finding.claim.key: finding.verdict for finding in study.findings}
assert len(verdicts) == 10 and "not measured" not in verdicts.values(), verdicts
fallen = {name for name, verdict in verdicts.items() if verdict == "does not hold"}
assert fallen == {"early-decline", "late-survive-pruning"}, verdicts
numbers = {finding.claim.key: finding.numbers for finding in study.findings}
decline, extreme = numbers["early-decline"], numbers["late-survive-pruning"]
assert decline["lowest of position_embeddings"] < 0.05
assert decline["lowest of layer 0, ffn.lin1"] > 0.5
assert extreme["lowest of classifier"] < 0.05 and extreme["at p (classifier)"] == 0.99
assert extreme["lowest of layer 3, ffn.lin1"] > 0.95
assert study.files[-1].stat().st_size > 100_000
""",
    "randomisation_kernels": """
# What every environment of the tests has was measured; what has not, is named.
measured = {(found.null, found.peer, found.count): found for found in large.measurements}
ours, chain = measured["G", "bipnet", "criterion"], measured["G", "bipnet swap", "criterion"]
for found in (ours, chain, measured["A", "bipnet", ""], measured["B", "bipnet", ""]):
    assert found.has_time, found
assert not {"bipnet", "bipnet swap", "NumPy", "networkx double_edge_swap"} & {
    *report.missing_peers
}

# A to F are a shuffle; kernels of G differ by factors.
assert measured["A", "NumPy", ""].seconds > 2 * measured["A", "bipnet", ""].seconds
assert measured["B", "bipnet", ""].seconds < 5 * measured["A", "bipnet", ""].seconds
assert chain.seconds > 1.5 * ours.seconds
assert measured["G", "networkx double_edge_swap", "criterion"].seconds > 100 * ours.seconds

# Every chain comes down to the level within a few passes.
assert {"bipnet", "bipnet swap"} <= {found.peer for found in chains}
for found in chains:
    assert found.trace[0] == (0, 1)
    assert abs(found.trace[-1][1] - level) < 6 * spread, found
    assert found.passes < 20, found
assert 0.48 < level < 0.53
coins, trained, sparse = diagnoses.values()
assert coins.settled and trained.settled and sparse.settled
assert abs(coins.level - level) < 6 * spread
assert trained.level > 0.8
assert sparse.steps > 10 * coins.steps

# Missing edges, uniformity, the same bits.
assert misplaced["bipnet"] == 0 and 0.4 < misplaced["ones and zeros"] < 0.6
assert bipnet.diagnose(pruned).loops > 0
assert p_values["after 4 rounds"] < 1e-50
assert min(p_values["as long as the pilot says"], p_values["with holes"]) > 1e-4
assert list(same.values()) == [True, True, True, False]
""",
}


def test_notebooks__are_there() -> None:
    assert NOTEBOOKS
    assert set(CHECKS) <= {path.stem for path in NOTEBOOKS}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook__runs(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        assert not cell.get("outputs"), "clear the outputs before a commit"
    notebook.cells.append(nbformat.v4.new_code_cell(CHECKS.get(path.stem, "")))
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "Warning" not in said
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    # Nothing is left behind in the folder it is opened in.
    assert not list(tmp_path.iterdir())
