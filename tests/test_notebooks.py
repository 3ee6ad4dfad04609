"""Every notebook runs from top to bottom, without warnings, and is kept without outputs."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))

# What a notebook's text says of its numbers, with leeway; run in its kernel after its last cell.
CHECKS = {
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
