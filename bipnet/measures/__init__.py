"""Network statistics of signed, weighted bipartite graphs: graph -> numbers."""

from bipnet.measures.assortativity import assortativity as assortativity
from bipnet.measures.bands import Band as Band
from bipnet.measures.bands import DistributionBand as DistributionBand
from bipnet.measures.bands import band as band
from bipnet.measures.bands import degree_bands as degree_bands
from bipnet.measures.bands import distribution_band as distribution_band
from bipnet.measures.bands import strength_bands as strength_bands
from bipnet.measures.butterflies import Butterflies as Butterflies
from bipnet.measures.butterflies import butterflies as butterflies
from bipnet.measures.catalogue import STATISTICS as STATISTICS
from bipnet.measures.catalogue import Statistic as Statistic
from bipnet.measures.clustering import latapy_clustering as latapy_clustering
from bipnet.measures.clustering import robins_alexander_clustering as robins_alexander_clustering
from bipnet.measures.distributions import degree_distribution as degree_distribution
from bipnet.measures.distributions import strength_distribution as strength_distribution
from bipnet.measures.distributions import weight_sd as weight_sd
from bipnet.measures.heterogeneity import disparity as disparity
from bipnet.measures.heterogeneity import strength_degree_slope as strength_degree_slope
from bipnet.measures.nestedness import nodf as nodf
from bipnet.measures.pattern import SignPattern as SignPattern
from bipnet.measures.pattern import sign_pattern as sign_pattern
from bipnet.measures.spectrum import Spectrum as Spectrum
from bipnet.measures.spectrum import spectrum as spectrum
from bipnet.measures.weights import WeightHistogram as WeightHistogram
from bipnet.measures.weights import weight_histograms as weight_histograms
