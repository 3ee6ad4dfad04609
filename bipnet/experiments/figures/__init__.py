"""The paper's figures, drawn from the tidy tables alone."""

from bipnet.experiments.figures.catalogue import FIGURES as FIGURES
from bipnet.experiments.figures.catalogue import PaperFigure as PaperFigure
from bipnet.experiments.figures.catalogue import Tables as Tables
from bipnet.experiments.figures.catalogue import drawable as drawable
from bipnet.experiments.figures.files import write_figures as write_figures
