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
assert accuracy > 0.95
assert never_inked.sum() == 3 and (x_train[:, strongest] > 0).sum() < 5

# Balance: not before training, far from chance after it.
assert abs(found["before"]["balanced_share"].z[0]) < 4
assert found["after"]["balanced_share"].z[0] > 15
assert found["after"]["balanced_share"].p[0] == 1 / 501

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
table = tested["E"].set_index(["layer", "statistic"])
assert table.loc[("after", "strength_slope+ right"), "observed"] > 1.5
assert table.loc[("after", "strength_slope- right"), "observed"] < 0

# Signs alone make most of the first singular value.
null = table.loc[("after", "singular_value"), "null_mean"]
assert 0.8 < null / table.loc[("after", "singular_value"), "observed"] < 0.97

# Pixels: three of four, and none without ink.
assert 0.6 * 64 < beyond.sum() < 0.9 * 64
assert not beyond[never_inked.reshape(8, 8)].any()
assert one.z[never_inked].max() < np.median(one.z)
""",
    "your_own_null_model_or_statistic": """
under_d = bipnet.significance(W, own, null="D", n=500, rng=1)
assert under_d["mean dominance"].z[0] < -2 and under_d["mean dominance"].p[0] < 0.05
assert not (under_d["dominance"].p_adjusted <= 0.05).any()
under_e = bipnet.significance(W, own, null="E", n=50, rng=1)
assert (under_e["dominance"].state == "constant").all()
assert known.is_fixed_by(bipnet.NULL_MODELS["C"].preserves)
assert not known.is_fixed_by(bipnet.NULL_MODELS["D"].preserves)

# The right null model passes the test of uniformity, the lopsided one does not.
assert len(list(outcomes(small))) == 18
assert p_right > 1e-4 and p_wrong < 1e-10
assert z > 15 and p == 1 / 401
""",
    "null_models_on_any_matrix": """
# Signs are kept by B, E and F, and so is the share; nothing else comes near the data.
assert abs(np.array([shares[null] for null in "BEF"]) - observed).max() < 1e-12
assert np.concatenate([shares[null] for null in "ACDG"]).max() < observed - 0.03
assert z > 50

# Signs make two thirds of the way from noise to the largest singular value.
noise, signs = np.median(largest["A"]), np.median(largest["B"])
assert 0.55 < (signs - noise) / (leading(W) - noise) < 0.8
assert np.median(largest["E"]) < leading(W) and np.median(largest["G"]) < noise + 0.15 * leading(W)

# The parties are as nested as their margins make them, and more balanced.
assert parties_p["nestedness (NODF)"] > 0.3
assert parties_p["balanced share of butterflies"] < 0.005
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
assert at_0["A"][head] < 0.6 and at_0["G"][head] < 0.6
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
