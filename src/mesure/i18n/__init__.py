"""Words, numbers and dates in French and English, for pages and the command line alike.

Source texts are the English ones; `fr.po` holds the French, read once through Babel.
"""

from mesure.i18n.languages import LANGUAGES, Language, preferred
from mesure.i18n.text import QuantityText, mark
from mesure.i18n.translator import Translator, catalog

__all__ = ["LANGUAGES", "Language", "QuantityText", "Translator", "catalog", "mark", "preferred"]
