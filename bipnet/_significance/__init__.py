"""A statistic against a null model: what is more than chance."""

from bipnet._significance.result import Significance as Significance
from bipnet._significance.result import Tested as Tested
from bipnet._significance.test import significance as significance
