"""The paper's language model: which of its layers survive which probe (Figures 5 and 9)."""

from bipnet.errors import MissingExtraError

try:
    import seqeval as _seqeval  # noqa: F401  # only to say clearly what is missing
    import transformers as _transformers  # noqa: F401
except ImportError as error:
    raise MissingExtraError(
        "the study of language models needs transformers and seqeval: pip install"
        " 'bipnet[language]'"
    ) from error

from bipnet.experiments.language.settings import LanguageSettings as LanguageSettings
from bipnet.experiments.language.study import LanguageStudy as LanguageStudy
from bipnet.experiments.language.study import study_language_model as study_language_model
