"""Language models: sentences with labels, and what a model makes of them."""

from bipnet.torch.text.conll import Sentence as Sentence
from bipnet.torch.text.conll import read_conll as read_conll
from bipnet.torch.text.conll import sample_sentences as sample_sentences
from bipnet.torch.text.entities import EntityScore as EntityScore
from bipnet.torch.text.entities import TokenClassification as TokenClassification
from bipnet.torch.text.language import CausalLM as CausalLM
from bipnet.torch.text.language import LanguageScore as LanguageScore
from bipnet.torch.text.language import MaskedLM as MaskedLM
from bipnet.torch.text.pretrained import open_pretrained as open_pretrained
from bipnet.torch.text.sequences import SequenceClassification as SequenceClassification
from bipnet.torch.text.sequences import SequenceScore as SequenceScore
