"""Is the linear code used? Shift a network's state along it in a trial, and silence single units.

    python causal.py --networks trained_networks --out Data/results.csv

The theorem: once t of T samples are seen, the state says their mean mu. Shift mu by 0.1 in one
factor, and the mean of all T samples moves by 0.1 t / T. The probit of output i, at the decision,
then moves by c_i 0.1 (t / T) sqrt(T) / sigma, for every boundary c_i (appendix of the paper;
docs/beyond.md). Outputs are read at the decision, since before it training holds them at 0.5. Those
that the theorem puts within `within` probits of their boundary count, before and after the shift;
farther away a classifier's output is saturated, and its probit is free.

The state is what a step hands to the next: r of the RNN, h and c of the LSTM together. One layer of
GPT-2 hands on nothing. Its state is the residual stream of the last position between attention and
perceptron, where t = T. All directions are shifts by `size` in one factor, of the length of
`encoding`:

- evidence: no shift of the state; the first t samples themselves are shifted. What the network
  makes of real evidence, its own ceiling.
- encoding: the regression of states on mu, the tangent of the sheet that states lie on, scaled so
  that the decoder reads `size` in one factor and 0 in the others. This is the main one: states move
  along it when evidence moves them.
- decoder: the shortest vector that the decoder reads so, its pseudo-inverse, of its own length. A
  decoder weighs what tells mu best against noise, so this vector can leave the sheet for states
  that never occur.
- random: Gaussian, another one for each trial; the decoder reads something of it.
- unread: the difference of another trial's state from the mean, less what the decoder reads of it:
  states do vary in this direction, and a network that uses the code alone ignores it.
- natural: the same at its own length, that at which states vary; there a shift as long as that of
  `encoding` can lead several times farther than any state goes.

`shift_slope` is the slope of the outputs' movement on the theorem's, through 0, and `shift_size`
the root mean square of the movement over that of the theorem's: both 1 along the code, 0 across
it. (slope / size)^2 is the share of the movement that the theorem explains. For the last three the
theorem is that of `encoding`. The decoder is ridge, of mu rather than of
x*: mu is what the theorem speaks of, and a decoder of x* shrinks it towards 0.

A silenced unit is 0 after every step (GPT-2: a channel of the stream above). `silenced_accuracy` is
what the outputs then reach, `silenced_shift` how far, root mean square, the decoded mu moves.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import batches
import decoders
import settings
import table
import tasks
import theory
import util
from checkpoint import load_ensemble
from RNN import RecurrentNetwork
from table import DIRECTIONS
from transformer import GPT2
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell. More: docs/beyond.md."""

    networks: tuple[str, ...] = ("trained_networks",)  # files, folders or globs
    out: Path | None = None  # .csv table; None: results.csv beside the networks
    overwrite: bool = False  # replace rows made with other settings
    n_seen: tuple[int, ...] = (10, 20)  # samples seen before the shift; gpt-2: all of a trial's
    size: float = 0.1  # of the shift, in units of x*
    within: float = 2.0  # probits; outputs farther from their boundary are left out
    n_fit: int = 2048  # trials on which decoder and directions are fitted
    n_trial: int = 1024  # trials in which states are shifted
    n_silenced: int = 256  # trials in which each unit is silenced
    seed: int = 0  # of the trials

    def check(self) -> None:
        """Raise UserError for settings that cannot be meant."""
        util.check_least(self, {"n_fit": 256, "n_trial": 8, "n_silenced": 8, "seed": 0})
        for name in ("size", "within"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UserError(f"{name} must be a number above 0, not {getattr(self, name)}")


N_FOLD = 4  # parts of the trials, left out in turn to choose the penalty of the decoder
AT_ONCE = 256  # trials per forward pass
Change = Callable[[Tensor, int], Tensor]  # state (net, trial, n_state) after so many steps -> state


def as_it_is(state: Tensor, step: int) -> Tensor:
    """No change."""
    return state


class Networks:
    """An ensemble whose states can be changed in a trial. UserError where the theorem is silent."""

    def __init__(self, model: Any, configs: list[settings.Config], config: Config):
        first, network = configs[0], model.network
        seeds = [settings.seeds_of(c)["task"] for c in configs]
        self.tasks = [tasks.make_task(c, s) for c, s in zip(configs, seeds, strict=True)]
        self.task = task = self.tasks[0]
        steps = task.evidence_steps
        self.T, self.begin, self.last = steps.stop - steps.start, steps.start, steps.stop
        self.model, self.config, self.configs = model, config, configs
        is_layered = isinstance(network, GPT2)
        lacks = {
            f"no state to shift; {first['network']} is no RNN, LSTM, GRU or gpt-2": not isinstance(
                network, (RecurrentNetwork, GPT2)
            ),
            "no readout in their files": model.readout is None,
            "no linear boundaries": not hasattr(task, "normals"),
            "more than one rule": task.n_rule > 0,
            "no probabilities as outputs": not first["CE_loss"] or not task.n_fix,
            "no white Gaussian noise on the inputs": not theory.sigma_of(first) > 0,
            "no more units than factors": first["n_neu"] <= task.n_dim,
        }
        if wrong := [words for words, lack in lacks.items() if lack]:
            raise UserError(
                f"the theorem of shifts is not for these networks: they have {wrong[0]}"
            )
        self.n_seen = [n for n in config.n_seen if n == self.T or not is_layered]
        if not self.n_seen or not all(1 <= n <= self.T for n in self.n_seen):
            allowed = f"{self.T}" if is_layered else f"from 1 to {self.T}"
            raise UserError(f"n_seen must be {allowed} in these trials, not {config.n_seen}")
        self.normals = torch.zeros(
            len(configs), model.readout.get_parameter("out_bias").shape[-1], task.n_dim
        )
        self.known = torch.zeros(self.normals.shape[:2], dtype=torch.bool)
        for net, own in enumerate(self.tasks):
            self.normals[net, : own.n_out], self.known[net, : own.n_out] = own.normals, True

    def trials(self, n_trial: int, purpose: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Noisy trials, `AT_ONCE` of them; another `purpose` gives other trials.

        Inputs and x* as from `batches.sample`; means of the first samples (net, trial, T, D).
        """
        rngs = decoders.fit_generators(self.config, self.configs, purpose, "cpu")
        for start in range(0, n_trial, AT_ONCE):
            inputs, _, x = batches.sample(self.tasks, rngs, min(AT_ONCE, n_trial - start))
            shown = inputs[:, :, self.begin : self.last, self.task.evidence]
            yield inputs, x, shown.cumsum(2) / torch.arange(1, self.T + 1)[:, None]

    def run(self, inputs: Tensor, n_seen: int, change: Change = as_it_is) -> tuple[Tensor, Tensor]:
        """`change` gives the states that the network goes on with.

        Returns:
            states (net, trial, n_state), once `n_seen` samples are seen; logits (net, trial, task)
            of the last step.
        """
        u, network, found = self.model.encoder(inputs), self.model.network, {}

        def changed(state: Tensor, step: int) -> Tensor:
            found[step] = change(state, step)
            return found[step]

        if isinstance(network, GPT2):
            ends = network(u, end=True, change=lambda x: changed(x[:, :, 0], self.last)[:, :, None])
        else:
            state = u.new_zeros(*u.shape[:2], network.n_state)
            for step in range(u.shape[2]):
                drive = network.drive(u[:, :, step : step + 1])[:, :, 0]
                state = changed(network.step(state, drive), step + 1)
            ends = state[:, :, None, : network.n_neu]
        return found[self.begin + n_seen], self.model.readout(ends)[:, :, 0]


# ------------------------------------------------------------------ decoder and directions


def fit(states: Tensor, mean: Tensor) -> dict[str, Tensor]:
    """The decoder of mu, and the directions that are fitted.

    Args:
        states: (net, trial, n_state); mean: mu (net, trial, D).

    Returns:
        weight (net, n_state, D); encoding and decoder (net, D, n_state), their shifts by 1 in each
        factor, so that encoding @ weight = decoder @ weight = 1; unread (net, trial, n_state).
    """
    n = states.shape[1] // N_FOLD * N_FOLD
    folds = (v[:, :n].unflatten(1, (N_FOLD, -1)) for v in (states, mean))
    weight = decoders.best_ridge(decoders.quadrant_moments(*folds), range(N_FOLD))[0]
    off, shown = (v.double() - v.double().mean(1, keepdim=True) for v in (states, mean))
    tangent = torch.linalg.lstsq(shown, off).solution
    reads = tangent @ weight
    if (torch.linalg.det(reads).abs() < 1e-6).any():
        raise UserError("a network has states from which no decoder reads anything of x*")
    encoding = torch.linalg.solve(reads, tangent)
    found = {"weight": weight, "encoding": encoding, "decoder": torch.linalg.pinv(weight)}
    found["unread"] = off - off @ weight @ encoding
    return {name: value.float() for name, value in found.items()}


def fitted(nets: Networks, n_seen: int) -> dict[str, Tensor]:
    """`fit` to fresh trials."""
    trials = nets.trials(nets.config.n_fit, 0)
    both = [(nets.run(u, n_seen)[0], mean[:, :, n_seen - 1]) for u, _, mean in trials]
    return fit(*(torch.cat(each, 1) for each in zip(*both, strict=True)))


def pushes(
    own: dict[str, Tensor], size: float, factor: int, noise: Tensor, start: int
) -> dict[str, Tensor]:
    """Shifts by `size` in a factor: of states, (net, trial or 1, n_state), by direction.

    That of evidence is `size`. noise (net, trial, n_state): standard normal; start: number of the
    first of these trials.
    """
    along, away = (size * own[name][:, factor, None] for name in ("encoding", "decoder"))
    others = (start + torch.arange(noise.shape[1])) % own["unread"].shape[1]
    unread, length = own["unread"][:, others], along.norm(dim=2, keepdim=True)
    across = {"random": noise, "unread": unread}
    across = {k: v / v.norm(dim=2, keepdim=True) * length for k, v in across.items()}
    every = {"evidence": torch.tensor(size), "encoding": along, "decoder": away}
    return {**every, **across, "natural": unread}


# ------------------------------------------------------------------ shifts and silencing


def shifted(
    nets: Networks, inputs: Tensor, n_seen: int, factor: int, push: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Logits after shifts, by direction: of the samples (a number), or of the states."""
    at, found = nets.begin + n_seen, {}

    def added(by: Tensor) -> Change:
        return lambda state, step: state + by if step == at else state

    for name, by in push.items():
        if name == "evidence":
            shown = inputs.clone()
            shown[:, :, nets.begin : at, nets.task.evidence.start + factor] += by
            found[name] = nets.run(shown, n_seen)[1]
        else:
            found[name] = nets.run(inputs, n_seen, added(by))[1]
    return found


def shifts(nets: Networks, n_seen: int) -> dict[str, np.ndarray]:
    """shift_slope and shift_size (net, direction), from shifts up and down in every factor."""
    own, config, normals = fitted(nets, n_seen), nets.config, nets.normals
    rngs = decoders.fit_generators(config, nets.configs, 2, "cpu")
    gain = nets.T**0.5 / theory.sigma_of(nets.configs[0])
    sums = np.zeros((3, len(normals), len(DIRECTIONS)))  # of movement x theorem, and of squares
    for part, (inputs, _, mean) in enumerate(nets.trials(config.n_trial, 1)):
        before = decoders.probit(nets.run(inputs, n_seen)[1].double()).numpy()
        z = gain * mean[:, :, -1] @ normals.transpose(1, 2)  # the theorem's (net, trial, task)
        shape = inputs.shape[1], own["weight"].shape[1]
        noise = torch.stack([torch.randn(shape, generator=g) for g in rngs])
        for factor, sign in itertools.product(range(nets.task.n_dim), (-1, 1)):
            push = pushes(own, config.size, factor, noise, part * AT_ONCE)
            push = {name: sign * by for name, by in push.items()}
            after = shifted(nets, inputs, n_seen, factor, push)
            theirs = gain * n_seen / nets.T * sign * config.size * normals[:, None, :, factor]
            near = nets.known[:, None] & (abs(z) < config.within)
            near = (near & (abs(z + theirs) < config.within)).numpy()
            said = np.where(near, theirs.numpy(), 0)
            for i, name in enumerate(DIRECTIONS):
                ours = np.where(near, decoders.probit(after[name].double()).numpy() - before, 0)
                pairs = (ours, said), (ours, ours), (said, said)
                sums[:, :, i] += [(a * b).sum((1, 2)) for a, b in pairs]
    both, ours, said = sums
    if not said.all():
        raise UserError("no output is so near to its boundary; more n_trial, or a wider within")
    return {"shift_slope": both / said, "shift_size": np.sqrt(ours / said)}


def silence(nets: Networks) -> dict[str, np.ndarray]:
    """intact_accuracy (net,), and silenced_accuracy and silenced_shift (net, unit)."""
    weight, n_neu = fitted(nets, nets.T)["weight"], nets.configs[0]["n_neu"]
    masks = torch.ones(n_neu + 1, weight.shape[1])  # of no unit, and of each
    for unit in range(n_neu):
        masks[unit + 1, unit::n_neu] = 0  # LSTM: h and c
    sums = torch.zeros(2, len(weight), len(masks))

    def kept(mask: Tensor) -> Change:
        return lambda state, step: state * mask

    for inputs, x, _ in nets.trials(nets.config.n_silenced, 3):
        label, intact = x @ nets.normals.transpose(1, 2) > 0, nets.run(inputs, nets.T)[0]
        for i, mask in enumerate(masks):
            state, logits = nets.run(inputs, nets.T, kept(mask))
            right = ((logits > 0) == label) & nets.known[:, None]
            sums[0, :, i] += right.sum((1, 2)) / nets.known.sum(1)
            sums[1, :, i] += ((state - intact) @ weight).square().mean(2).sum(1)
    accuracy, away = (sums / nets.config.n_silenced).numpy()
    silenced = {"silenced_accuracy": accuracy[:, 1:], "silenced_shift": np.sqrt(away[:, 1:])}
    return {"intact_accuracy": accuracy[:, 0], **silenced}


def measure(nets: Networks) -> pd.DataFrame:
    """All rows of the table."""
    one = {"series": "", "sigma": theory.sigma_of(nets.configs[0])}
    with torch.no_grad():
        moments = [shifts(nets, n_seen) for n_seen in nets.n_seen]
        quiet = {name: values[None] for name, values in silence(nets).items()}
    stacked = {name: np.stack([found[name] for found in moments]) for name in moments[0]}
    when = pd.DataFrame([{**one, "t": n, "step": nets.begin + n} for n in nets.n_seen])
    ends = pd.DataFrame([{**one, "t": nets.T, "step": nets.last}])
    frames = [table.rows_of(stacked, nets.configs, when), table.rows_of(quiet, nets.configs, ends)]
    return pd.concat(frames)


def report(rows: pd.DataFrame) -> str:
    """The table, as Markdown: means over networks."""
    lines = []
    for (n_task, t), some in rows[rows["measure"].isin(table.SHIFTS)].groupby(["n_task", "t"]):
        means = some.groupby(["factor", "measure"])["value"].mean()
        cells = [
            f"{means[d, 'shift_slope']:.2f} / {means[d, 'shift_size']:.2f}" for d in DIRECTIONS
        ]
        lines.append([n_task, some["run"].nunique(), t, *cells])
    words = []
    for n_task, some in rows[~rows["measure"].isin(table.SHIFTS)].groupby("n_task"):
        value = {name: own["value"] for name, own in some.groupby("measure")}
        accuracy = (
            f"{value['silenced_accuracy'].mean():.3f}, worst {value['silenced_accuracy'].min():.3f}"
        )
        cells = [f"{value['intact_accuracy'].mean():.3f}", accuracy]
        words.append([n_task, *cells, f"{value['silenced_shift'].mean():.3f}"])
    head = ["N_task", "networks", "samples seen", *DIRECTIONS]
    quiet = ["N_task", "accuracy", "one unit silenced", "decoded mean moves by"]
    return f"{util.markdown(head, lines)}\nslope / size of shifts\n{util.markdown(quiet, words)}"


def main(config: Config) -> None:
    """Measure, print the table, save."""
    config.check()
    paths = util.find_checkpoints(config.networks)
    model, configs = load_ensemble(paths)
    nets = Networks(model, configs, config)
    out, entries = table.destination("causal", config, dict(zip(paths, configs, strict=True)))
    rows = measure(nets)
    table.put(out, rows, {key: util.provenance(config, own) for key, own in entries.items()})
    print(f"{report(rows)}\nsaved in {out}")


if __name__ == "__main__":
    util.run_script(main, Config)
