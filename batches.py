"""Trials of many networks at once, and endless streams of them that can be resumed."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from tasks import EvidenceTask

Tasks = Sequence[EvidenceTask]
Generators = Sequence[Generator]


def sample(tasks: Tasks, generators: Generators, n_trial: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw `n_trial` trials for each network, from its own generator, on the generators' device.

    Args:
        tasks: one per network, alike but for their boundaries.

    Returns:
        inputs (net, trial, time, channel), targets (net, trial, 1 or time, n_out_max) padded
        with 0 where a network has fewer outputs, x (net, trial, D). Memory of inputs runs along
        (net, channel, time, trial), the order in which the encoder reads it.
    """
    first, device = tasks[0], generators[0].device
    n_net, n_out = len(tasks), max(task.n_out for task in tasks)
    inputs = torch.empty(n_net, first.n_channel, first.n_step, n_trial, device=device)
    inputs = inputs.permute(0, 3, 2, 1)
    x = torch.empty(n_net, n_trial, first.n_dim, device=device)
    for net, (task, rng) in enumerate(zip(tasks, generators, strict=True)):
        task.fill(inputs[net], x[net], rng)
        own = task.targets(x[net], inputs[net])
        if net == 0:
            targets = torch.zeros(n_net, *own.shape[:2], n_out, device=device)
        targets[net, ..., : task.n_out] = own
    return inputs, targets, x


def in_a_row(values: Tensor, n: int) -> Tensor:
    """(net, n * trial, time, k) -> (net, trial, n * time, k), n trials one after the other."""
    return values if n == 1 else values.unflatten(1, (n, -1)).transpose(1, 2).flatten(2, 3)


class Batches:
    """An endless stream of fresh training batches for many networks, which can be resumed.

    A batch has `batch_sz` trials per network, or that many rows of `trial_num` trials that follow
    each other without a reset of the network.
    """

    BLOCK = 50  # batches drawn at once, to keep the generators' overhead small

    def __init__(self, tasks: Tasks, generators: Generators, batch_sz: int, trial_num: int = 1):
        self.tasks, self.generators, self.batch_sz = list(tasks), list(generators), batch_sz
        self.trial_num, self.position = trial_num, 0  # of the next batch in its block
        self.inputs: Tensor | None = None  # of the block; None: not drawn yet

    def __next__(self) -> tuple[Tensor, Tensor]:
        """Inputs and targets of one batch, see `sample`; trials in a row lie along time."""
        inputs = self.inputs_of(self.position, self.position + 1)
        targets = self.targets[:, self.position * self.batch_sz :][:, : self.batch_sz]
        self.position = (self.position + 1) % self.BLOCK
        if self.position == 0:
            self.inputs = None
        return inputs, targets

    def inputs_of(self, start: int, stop: int) -> Tensor:
        """Batches start..stop of the block, (net, trial, (stop - start) * time, channel)."""
        if self.inputs is None:
            self.before = [rng.get_state() for rng in self.generators]
            n_trial = self.trial_num * self.BLOCK * self.batch_sz
            inputs, targets, _ = sample(self.tasks, self.generators, n_trial)
            self.inputs, self.targets = (in_a_row(x, self.trial_num) for x in (inputs, targets))
        return in_a_row(self.inputs[:, start * self.batch_sz : stop * self.batch_sz], stop - start)

    def keep(self, nets: Sequence[int]) -> None:
        """Go on with these networks only."""
        self.tasks = [self.tasks[i] for i in nets]
        self.generators = [self.generators[i] for i in nets]
        if self.inputs is not None:
            self.before = [self.before[i] for i in nets]
            n_out = max(task.n_out for task in self.tasks)
            self.inputs, self.targets = self.inputs[nets], self.targets[nets][..., :n_out]

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` needs to go on at the next batch."""
        if self.inputs is None:
            self.before = [rng.get_state() for rng in self.generators]
        return {"generators": self.before, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for rng, saved in zip(self.generators, state["generators"], strict=True):
            rng.set_state(saved)
        self.position, self.inputs = state["position"], None
