"""From a call to its impacts: resolved coefficients, one set of formulas on every engine, explanations."""

from mesure.impact import caches  # noqa: F401  (emptied when another catalogue is taken into use)
from mesure.impact.coefficients import Coefficients, coefficient_row, resolve
from mesure.impact.deployment import Deployment, ModelCard
from mesure.impact.explain import Explanation, explain
from mesure.impact.formulas import event_columns
from mesure.impact.impacts import Impacts, Phase, estimate, impacts_of, impacts_of_facts, impacts_of_fields
from mesure.impact.training import TrainingImpacts, amortised_training, estimate_training, explain_training

__all__ = [
    "Coefficients",
    "Deployment",
    "Explanation",
    "Impacts",
    "ModelCard",
    "Phase",
    "TrainingImpacts",
    "amortised_training",
    "coefficient_row",
    "estimate",
    "estimate_training",
    "event_columns",
    "explain",
    "explain_training",
    "impacts_of",
    "impacts_of_facts",
    "impacts_of_fields",
    "resolve",
]
