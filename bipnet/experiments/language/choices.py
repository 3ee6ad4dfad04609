"""Where the paper's text and its released code say too little about the study, and what was run."""

from __future__ import annotations

from bipnet.experiments.choices import Choice

LANGUAGE_CHOICES: tuple[Choice, ...] = (
    Choice(
        "language-model",
        "The model",
        "A pretrained DistilBERT, fine-tuned on CoNLL-2003.",
        "dslim/distilbert-NER from the Hugging Face hub.",
        "the one named in the settings below",
    ),
    Choice(
        "language-score",
        "The score",
        "F1 on the test set.",
        "F1 of entities by seqeval (micro); the first sub-token of a word carries its label.",
        "as in the code; sentences longer than the model takes are read in overlapping windows",
    ),
    Choice(
        "language-layers",
        "What is probed",
        "Six layers, each independently.",
        "Six weight matrices, one at a time; biases are not touched.",
        "as in the code",
    ),
    Choice(
        "language-pruning",
        "The fractions removed",
        "Not said.",
        "From p = 0.001 to 0.999999; panels d to f take the first.",
        "as in the code; round(p n) edges in one shot, equal magnitudes by position",
    ),
    Choice(
        "language-noise",
        "The noise",
        "Gaussian.",
        "Gaussian with 100 standard deviations in [0, 1], five draws each.",
        "the standard deviations and draws of the settings below; draw i is the same at each level,"
        " scaled",
    ),
    Choice(
        "language-draws",
        "The draws of null models A and B",
        "Not said.",
        "Five.",
        "as many as the settings below say",
    ),
)
