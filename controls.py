"""What decoders read without any network: controls, which stand in the table of architectures.

They have no weights to train (`n_batch` = 0), and go through the same decoders, splits and seeds as
a network does. Networks that are untrained, weights as drawn, are those of `--n_batch 0`.
"""

from typing import Any

import torch
from torch import Tensor

from RNN import Network


class EncoderMean(Network):
    """The encoder's features, averaged over the stimulus steps so far: integration over time alone.

    The representation has as many units as there are features, 40.
    """

    SETTINGS = ("n_neu", "fixation", "stimulus", "dt")
    FIXED = {"n_neu": 40, "n_batch": 0, "encode": True}

    def __init__(self, n_net: int, n_in: int, n_neu: int, fixation: int, stimulus: int, dt: int):
        super().__init__(n_net, n_neu)
        self.first = slice(n_in - n_neu, None)  # what is not a feature comes first
        self.evidence_steps = slice(fixation // dt, (fixation + stimulus) // dt)

    def forward(self, inputs: Tensor, **noise: Any) -> Tensor:
        features = inputs[..., self.first].clone()
        steps = torch.arange(features.shape[2], device=inputs.device)
        is_shown = (steps >= self.evidence_steps.start) & (steps < self.evidence_steps.stop)
        features *= is_shown[:, None]
        return self.summary(features, is_shown.cumsum(0).clamp_min(1)[:, None])

    def summary(self, features: Tensor, n_seen: Tensor) -> Tensor:
        """(net, trial, time, feature) for features that are 0 where there is no stimulus."""
        return features.cumsum(2) / n_seen


class InputMean(EncoderMean):
    """The samples themselves, averaged: all that is known of x* for D = 2, with no encoder."""

    FIXED = {"n_neu": 2, "n_batch": 0, "encode": False, "n_dim": 2}


class EncoderLast(EncoderMean):
    """The encoder's features of the last sample so far: no integration, no network."""

    def summary(self, features: Tensor, n_seen: Tensor) -> Tensor:
        last = (n_seen[:, 0] - 1 + self.evidence_steps.start).clamp_max(features.shape[2] - 1)
        return features[:, :, last]
