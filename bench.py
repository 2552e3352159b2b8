"""How fast training and decoding are, as ratios measured in one run (on an idle machine).

    python bench.py > Data/bench.md && python results.py    for the table in README.md

Ours against the conventional way, written out below: one network, trials from a neurogym Dataset,
a Python loop over steps with nn.Linear, torch.optim.Adam. Rounds of both alternate, so that a
machine that changes its speed changes it for both; numbers are medians over rounds. Also the share
of the machine's matrix-product peak, measured here too, and peak memory. And every architecture
against its stock module (torch.nn, Hugging Face), looped one network at a time. And the search for
fixed points against first-order steps.
"""

import ctrl_c  # noqa: F401

# isort: split
import math
import os
import resource
import statistics
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import neurogym
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

import analyze
import fixed_points
import generalize
import tasks
import train
import util
from model import NETWORKS
from util import UserError


@dataclass
class Config:
    """Settings of the benchmark."""

    n_net: tuple[int, ...] = (1, 5, 25, 100)  # networks side by side
    n_task: int = 24  # N_task of all of them
    networks: tuple[str, ...] = tuple(NETWORKS)  # architectures against their stock modules
    n_net_stock: tuple[int, ...] = (1, 25)  # networks side by side, against the stock modules
    rounds: int = 7  # of ours and the conventional way in turn
    seconds: float = 1.0  # length of one round of each
    n_fit: int = 5  # decoders per network and split
    recurrent: Path = Path(__file__).parent / "Networks/RNN/RNN_nTask24_run0.pth"  # fixed points
    n_start: int = 128  # of their search
    n_adam: int = 10_000  # steps of the conventional search
    device: Literal["auto", "cpu", "cuda"] = "cpu"  # of our side


# ------------------------------------------------------------------ the conventional way


class PlainTask(tasks.TrialEnv):
    """The classification task as one would write it for neurogym alone."""

    def __init__(self, dt=100, n_task=24, sigma=0.2):
        super().__init__(dt=dt)
        self.timing = dict(tasks.TIMING)
        self.tan = np.tan((np.arange(n_task) + 0.5) * np.pi / n_task)
        self.sigma = sigma
        names = {"fixation": 0, "stimulus": [1, 2]}
        self.observation_space = tasks.spaces.Box(-np.inf, np.inf, shape=(3,), name=names)
        self.action_space = tasks.gymnasium.spaces.Box(-1, 1, (n_task,), np.float32)

    def _new_trial(self):
        x = self.rng.uniform(-0.5, 0.5, 2)
        self.add_period(list(tasks.PERIODS), last_period=True)
        self.add_ob(1, period=["fixation", "stimulus", "delay"], where="fixation")
        self.add_ob(x, period="stimulus", where="stimulus")
        self.add_randn(0, self.sigma, period="stimulus", where="stimulus")
        self.set_groundtruth(0)
        self.set_groundtruth(np.where(x[1] > self.tan * x[0], 1, -1), period="decision")
        return {"x": x}

    def _step(self, action):
        return self.ob_now, 0.0, False, False, {"new_trial": False}


class Conventional:
    """One network, trained or decoded one batch at a time."""

    def __init__(self, n_task, n_step=22, batch_sz=16):
        self.data = neurogym.Dataset(PlainTask(n_task=n_task), batch_size=batch_sz, seq_len=n_step)
        self.encoder = nn.Sequential(
            nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 40)
        ).requires_grad_(False)
        self.inp, self.rec = nn.Linear(41, 64), nn.Linear(64, 64)
        self.out, self.decoder = nn.Linear(64, n_task), nn.Linear(64, 2)
        trained = [*self.inp.parameters(), *self.rec.parameters(), *self.out.parameters()]
        self.adam = torch.optim.Adam(trained, lr=1e-3)
        self.decoder_adam = torch.optim.Adam(self.decoder.parameters(), lr=3e-3)

    def rates(self, inputs):
        """States of all steps, (time, trial, unit)."""
        u = torch.cat([inputs[..., :1], self.encoder(inputs[..., 1:])], -1)
        r, states = torch.zeros(inputs.shape[1], 64), []
        for u_t in u:
            r = torch.relu(self.inp(u_t) + self.rec(r))
            states.append(r)
        return torch.stack(states)

    def batch(self):
        """One batch as tensors."""
        return [torch.as_tensor(x, dtype=torch.float32) for x in self.data()]

    def train(self):
        """One batch of training."""
        inputs, targets = self.batch()
        output = torch.sigmoid(self.out(self.rates(inputs)))
        loss = nn.functional.binary_cross_entropy(output, (targets + 1) / 2)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()

    def decode(self):
        """One batch of a decoder's training; the target stands in for x*."""
        inputs, targets = self.batch()
        with torch.no_grad():
            h = self.rates(inputs)[-1]
        loss = nn.functional.mse_loss(self.decoder(h), targets[-1, :, :2])
        self.decoder_adam.zero_grad()
        loss.backward()
        self.decoder_adam.step()


class Hugging(nn.Module):
    """Hugging Face's GPT-2 on continuous inputs."""

    def __init__(self, n_in=41, n_neu=64, n_step=22):
        super().__init__()
        from transformers import GPT2Config, GPT2Model

        sizes = {"n_embd": n_neu, "n_layer": 1, "n_head": 8, "n_positions": n_step}
        settings = GPT2Config(vocab_size=1, bos_token_id=None, eos_token_id=None, **sizes)
        self.project, self.gpt2 = nn.Linear(n_in, n_neu), GPT2Model(settings)

    def forward(self, u):
        """(trial, time, channel) -> representation, as a recurrent module's first output."""
        return self.gpt2(inputs_embeds=self.project(u), use_cache=False).last_hidden_state, None


STOCK = {
    "RNN": lambda: nn.RNN(41, 64, nonlinearity="relu", batch_first=True),
    "LSTM": lambda: nn.LSTM(41, 64, batch_first=True),
    "GRU": lambda: nn.GRU(41, 64, batch_first=True),
    "gpt-2": Hugging,
}


class Stock:
    """One network around a stock module; its trials come from our sampler, as ours do."""

    def __init__(self, network, n_task):
        task = tasks.LinearClassificationCentOut(n_task=n_task)
        self.data = tasks.Batches([task], [util.generator(0)], 16)
        self.encoder = nn.Sequential(
            nn.Linear(2, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 40)
        ).requires_grad_(False)
        self.body, self.out = STOCK[network](), nn.Linear(64, n_task)
        self.adam = torch.optim.Adam([*self.body.parameters(), *self.out.parameters()], lr=1e-3)

    def train(self):
        """One batch of training."""
        inputs, targets = (x[0] for x in next(self.data))
        u = torch.cat([inputs[..., :1], self.encoder(inputs[..., 1:])], -1)
        logits = self.out(self.body(u)[0])
        goal = torch.full_like(logits, 0.5)
        goal[:, -1:] = (targets + 1) / 2
        loss = nn.functional.binary_cross_entropy_with_logits(logits, goal)
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


# ------------------------------------------------------------------ measuring


def seconds_per_call(call, seconds):
    """Mean time of `call` over about `seconds`."""
    start, n = time.perf_counter(), 0
    while n == 0 or time.perf_counter() - start < seconds:
        call()
        n += 1
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    return (time.perf_counter() - start) / n


def matrix_peak(device, n=2048):
    """Multiplications and additions per second of a large float32 matrix product."""
    a, b = torch.randn(2, n, n, device=device)
    return max(2 * n**3 / seconds_per_call(lambda: a @ b, 0.2) for _ in range(5))


def useful_operations(n_task, n_dim=2, batch_sz=16):
    """Multiplications and additions of one training batch of one RNN: its matrix products.

    Encoder in the 20 stimulus steps, forward only; input, recurrence and readout in 22 steps,
    forward, gradient of the weights, and gradient of the states where there is one.
    """
    encoder = 20 * (n_dim * 100 + 100 * 100 + 100 * 40)
    network = 22 * (2 * 41 * 64 + 3 * 64 * 64 + 3 * 64 * n_task)
    return 2 * batch_sz * (encoder + network)


def trainer(n_net, n_task, device, network="RNN"):
    """An ensemble with default settings."""
    settings = train.Config(network=network, n_task=(n_task,), runs=tuple(range(n_net)))
    return train.Trainer(train.network_configs(settings), device)


class Ours:
    """The training of an ensemble as train.py does it; `n_worker` as its --workers."""

    def __init__(self, n_net, n_task, device, network="RNN", n_worker=0):
        self.trainer = trainer(n_net, n_task, device, network)
        self.engine = train.share(self.trainer, n_worker)
        self.done = 0
        self.advance(1)

    def advance(self, n_batch):
        """Train so many batches more."""
        self.done += n_batch
        self.engine.advance(self.done, 0)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def seconds(self, at_least):
        """Seconds per network and batch, measured for `at_least` seconds."""
        n_batch, spent = 1, 0.0
        while spent < at_least:
            n_batch *= 2 if spent < at_least / 4 else 1.1 * at_least / spent
            n_batch = math.ceil(n_batch)
            begin = time.perf_counter()
            self.advance(n_batch)
            spent = time.perf_counter() - begin
        return spent / n_batch / len(self.trainer.configs)

    def close(self):
        """End its processes. Returns peak memory in GB, of all of them together at most."""
        workers = getattr(self.engine, "processes", ())
        peak = sum(peak_memory(pid) for pid in ("self", *(worker.pid for worker in workers)))
        self.engine.close()
        return peak


def peak_memory(pid="self"):
    """Of one process, in GB; where there is no /proc, of this one only."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6 if pid == "self" else 0.0
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6


def against(plain, config, sizes, n_net):
    """Seconds of a plain way, and per network and batch of ours with workers and in one process.

    Args:
        plain: function that trains one network for one batch.
        sizes: arguments of `Ours` after `n_net`.

    Returns:
        arrays (round,) by name, with the peak of matrix products, and peak memory in GB.
    """
    ways = {"ours": Ours(n_net, *sizes)}
    is_shared = ways["ours"].engine is not ways["ours"].trainer
    if is_shared:
        ways["one process"] = Ours(n_net, *sizes, n_worker=1)
    for way in ways.values():
        way.seconds(config.seconds / 2)
    seconds_per_call(plain, config.seconds / 2)
    found = {name: [] for name in ("peak", "plain", *ways)}
    for _ in range(config.rounds):
        found["peak"].append(matrix_peak(sizes[1]))
        found["plain"].append(seconds_per_call(plain, config.seconds))
        for name, way in ways.items():
            found[name].append(way.seconds(config.seconds))
    memory = ways["ours"].close()
    found = {name: np.array(values) for name, values in found.items()}
    return {"one process": found["ours"], **found}, memory


def milliseconds(found):
    """Columns of a table: ours, ours in one process, the plain way, and the ratio to ours."""
    times = [f"{np.median(found[name]) * 1e3:.3f}" for name in ("ours", "one process", "plain")]
    return [*times, f"{np.median(found['plain'] / found['ours']):.1f}"]


def bench_training(config, device, conventional):
    """Rows of the training table."""
    rows = []
    operations = useful_operations(config.n_task)
    for n_net in config.n_net:
        found, memory = against(conventional.train, config, (config.n_task, device), n_net)
        share = np.median(operations / found["ours"] / found["peak"])
        rows.append([n_net, *milliseconds(found), f"{share:.0%}", f"{memory:.2f}"])
    return rows


def bench_architectures(config, device):
    """Rows of the table against the stock modules."""
    rows = []
    for network in config.networks:
        for n_net in config.n_net_stock:
            stock, sizes = Stock(network, config.n_task), (config.n_task, device, network)
            found, _ = against(stock.train, config, sizes, n_net)
            rows.append([network, n_net, *milliseconds(found)])
    return rows


def bench_decoding(config, device, conventional):
    """Rows of the decoding table: ID and OOD, 4 splits x n_fit fits, of the largest ensemble.

    Adam is timed on one chunk of batches; ridge on all it does, shown per decoder.
    """
    n_net = min(25, max(config.n_net))
    settings = generalize.Config(n_batch=generalize.CHUNK, n_fit=config.n_fit)
    ours = trainer(n_net, config.n_task, device)
    model = ours.model.requires_grad_(False).eval()
    source = generalize.States(model, ours.configs, generalize.Splits(2))
    n_decoder = n_net * config.n_fit * 8

    def decode(fit):
        rngs = [
            generalize.fit_generators(settings, ours.configs, f, device)
            for f in range(config.n_fit)
        ]
        fit(source, ours.configs, settings, device, rngs, tqdm(disable=True))

    decode(generalize.fit_adam)
    adam, ridge, plain = [], [], []
    for _ in range(config.rounds):
        plain.append(seconds_per_call(conventional.decode, config.seconds))
        seconds = seconds_per_call(lambda: decode(generalize.fit_adam), 0)
        adam.append(seconds / n_decoder / generalize.CHUNK)
        ridge.append(seconds_per_call(lambda: decode(generalize.fit_ridge), 0) / n_decoder)
    memory = f"{peak_memory():.2f}"
    ratio = statistics.median(p / t for p, t in zip(plain, adam, strict=True))
    adam, ridge, plain = (statistics.median(t) * 1e3 for t in (adam, ridge, plain))
    full = n_decoder * adam * 2000 / 1e3
    rows = [
        ["adam", n_decoder, f"{adam:.4f} a batch", f"{plain:.2f}", f"{ratio:.0f}", f"{full:.0f}"],
        ["ridge", n_decoder, f"{ridge:.2f} in all", "", "", f"{n_decoder * ridge / 1e3:.0f}"],
    ]
    return rows, memory


def descend_with_adam(F, starts, n_step, lr=0.01):
    """Fixed points the conventional way: first-order steps down q, all starts (net, start, n)."""
    states = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([states], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_step)
    for _ in range(n_step):
        fixed_points.speed(F, states).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
    return states.detach()


def bench_fixed_points(config):
    """Rows of the table of fixed points: q where either search ends, from the same starts."""
    study = analyze.RecurrentStudy(analyze.Config(network=(str(config.recurrent),)))
    with torch.no_grad():
        ends = torch.tensor(analyze.visit(study)["ends"]).double()
        jitter, rngs = study.jitter_of(), study.generators(0)
        starts = fixed_points.draw_starts(ends, config.n_start, jitter, rngs)
        F = study.rest_map()

    def ours():
        with torch.no_grad():
            return fixed_points.find(F, starts, *study.bounds())["state"]

    rows = []
    for name, search in (
        ("damped Gauss-Newton", ours),
        (f"Adam, {config.n_adam} steps", lambda: descend_with_adam(F, starts, config.n_adam)),
    ):
        begin = time.perf_counter()
        q = fixed_points.speed(F, search())
        seconds = time.perf_counter() - begin
        ends_at = [f"{q.quantile(share):.1e}" for share in (0.25, 0.5, 0.75)]
        rows.append([name, config.n_start, f"{seconds:.1f}", *ends_at])
    return rows


def main(config):
    """Measure and print."""
    util.flush_denormals()
    warnings.filterwarnings("ignore", category=UserWarning, module="gymnasium")
    unknown = set(config.networks) - set(NETWORKS)
    if unknown:
        raise UserError(f"no network {unknown.pop()}; networks: {', '.join(NETWORKS)}")
    if (
        min(*config.n_net, *config.n_net_stock) < 1
        or min(config.rounds, config.n_fit, config.n_start, config.n_adam) < 1
    ):
        raise UserError("n_net, rounds, n_fit, n_start and n_adam must be at least 1")
    device = util.pick_device(config.device)
    load = os.getloadavg()[0]
    print(f"{util.machine()}; load before the start {load:.2f}")
    if load > 0.5:
        print("this machine is busy; the numbers below are not to be trusted")
    print(f"matrix peak {matrix_peak(device) / 1e9:.0f} Gflop/s (float32, 2048 x 2048)")
    conventional = Conventional(config.n_task)
    print(f"\nTraining, N_task = {config.n_task}, 22 steps, batch 16, {config.rounds} rounds\n")
    ours = ["ms per network and batch", "in one process"]
    header = ["networks", *ours, "conventional ms", "times as fast"]
    header += ["share of peak", "peak memory so far, GB"]
    print(util.table(header, bench_training(config, device, conventional)))
    print("\nTraining, against the stock module looped one network at a time\n")
    header = ["architecture", "networks", *ours, "stock ms", "times as fast"]
    print(util.table(header, bench_architectures(config, device)))
    print(f"\nDecoding, ID and OOD, 4 splits x {config.n_fit} fits\n")
    header = ["decoder", "side by side", "ms per decoder", "conventional ms", "times as fast"]
    header += ["s for all (adam: 2000 batches)"]
    rows, memory = bench_decoding(config, device, conventional)
    print(f"{util.table(header, rows)}\n\npeak memory {memory} GB")
    print(f"\nFixed points of {config.recurrent.stem}, float64, all starts at once\n")
    header = ["search", "starts", "seconds", "q: lower quartile", "median", "upper quartile"]
    print(util.table(header, bench_fixed_points(config)))


if __name__ == "__main__":
    util.run_script(main, Config)
