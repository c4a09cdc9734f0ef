"""Laws of the data: repetition, mixtures, transfer, vocabulary, distillation."""

from jscale.laws.data._distill import distilled
from jscale.laws.data._finetuning import adapter_tuning, rectified_fine_tuning
from jscale.laws.data._mixture import (
    Mixture,
    best_mixture,
    data_mixing,
    data_mixing_total,
    data_utility,
    mixture_tokens,
)
from jscale.laws.data._mixture_scaling import best_additive_mixture, mixture_additive, mixture_joint
from jscale.laws.data._modalities import interaction, mixed_modal, unimodal
from jscale.laws.data._overfitting import bounded_multi_epoch, overfitting_penalty
from jscale.laws.data._reuse import (
    data_constrained,
    effective_size,
    effective_tokens,
    size_for_tokens,
)
from jscale.laws.data._transfer import (
    effective_data,
    transfer_loss,
    transfer_multiplier,
    transferred_data,
)
from jscale.laws.data._vocabulary import (
    best_vocabulary_parameters,
    rest_budget,
    tokens_per_character,
    vocabulary,
    vocabulary_budget,
    vocabulary_size,
)

__all__ = [
    "Mixture",
    "adapter_tuning",
    "best_additive_mixture",
    "best_mixture",
    "best_vocabulary_parameters",
    "bounded_multi_epoch",
    "data_constrained",
    "data_mixing",
    "data_mixing_total",
    "data_utility",
    "distilled",
    "effective_data",
    "effective_size",
    "effective_tokens",
    "interaction",
    "mixed_modal",
    "mixture_additive",
    "mixture_joint",
    "mixture_tokens",
    "overfitting_penalty",
    "rectified_fine_tuning",
    "rest_budget",
    "size_for_tokens",
    "tokens_per_character",
    "transfer_loss",
    "transfer_multiplier",
    "transferred_data",
    "unimodal",
    "vocabulary",
    "vocabulary_budget",
    "vocabulary_size",
]
