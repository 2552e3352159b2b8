"""What recurrent networks learned: trials, state space, fixed points, eigenvalues, rate maps.

    python analyze.py --network trained_networks/RNN_nTask24_run0.pth --out analysis

Writes one .npz per analysis into `out`, the networks along the first axis of every array, and for
each network a folder of pictures (PNG, PDF) and `trajectories.html`, which turns. Fixed points are
those of the one-step map with the fixation input on and x* = 0 (docs/protocol.md, Fixed points).
Distances, and the speed |F(r) - r| per step, are in units of the network's `spread`: the root mean
square distance of its states at the last stimulus step from their mean, the size of a sheet.

What was seen in five RNNs of N_task = 24: Figures/FigS2.py, and REPORT.md, on Figures 2 and S2.
Processor time: 20 s for one RNN, half of it for the pictures, 35 s for an LSTM; search from 128
starts 1 s and 7 s (AMD EPYC, torch 2.13).
"""

import copy
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import fixed_points
import study
import util
from RNN import RecurrentNetwork
from study import Arrays, number, percent


@dataclass
class Config(study.Config):
    """Settings; edit them here, the first twelve in study.py. More: docs/protocol.md."""

    n_start: int = 128  # starts per network
    jitter: float | None = None  # added to starts, U(0, jitter); None: the network's own size
    jitters: tuple[float, ...] = (0, 0.1, 1, 6)  # repeated with these to see what jitter does
    n_repeat: int = 64  # starts of each repetition
    n_iter: int = 100  # steps of the search at most
    tol_fixed: float = 1e-8  # converged: moves by less per step, in spreads
    tol_slow: float = 0.05  # slow: likewise; no farther in the 20 steps of a trial than 1 spread
    tol_unique: tuple[float, ...] = (1e-6, 1e-3, 0.1)  # spreads, points this close are one
    near: float = 0.5  # spreads; the sheet is made of points this close to a visited state
    n_free: int = 100  # steps that the network runs freely from each point
    nudge: float = 0.01  # spreads; size of a perturbation before another such run
    n_near: int = 10  # neighbours that the local dimension is measured on


class RecurrentStudy(study.Study):
    """Networks whose state a step maps to the next; `exact` is the ensemble in float64."""

    LOWEST = study.Study.LOWEST | {"n_start": 1, "n_repeat": 1, "n_iter": 1, "n_free": 1}
    LOWEST |= {"n_near": 2, "tol_fixed": 0, "tol_slow": 0, "near": 0, "nudge": 0}

    def __init__(self, config: Config):
        for size in (*config.jitters, config.jitter or 0):
            if not 0 <= size < float("inf"):
                raise util.UserError(f"jitter must be a number, 0 or more, not {size}")
        super().__init__(config)
        lack = "no state that a step maps to the next; analyze.py is for RNN, LSTM and GRU"
        self.insist(isinstance(self.model.network, RecurrentNetwork), lack)
        self.exact = copy.deepcopy(self.model).double()

    def follow(self, inputs: torch.Tensor, encoder_noise: Any = None) -> torch.Tensor:
        """States in float64, (net, trial, time, n_state), without noise inside the units."""
        u = self.exact.add_noise(self.exact.encoder(inputs.double()), encoder_noise)
        state, states = u.new_zeros(*u.shape[:2], self.exact.network.n_state), []
        for drive in self.exact.network.drive(u).unbind(2):
            state = self.exact.network.step(state, drive)
            states.append(state)
        return torch.stack(states, 2)

    def rest_map(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """F: the one-step map with the fixation input on and x* = 0, states as `follow`'s."""
        u = self.exact.encoder(self.show(torch.zeros(1, 1, self.tasks[0].n_dim)).double())
        drive = self.exact.network.drive(u)[:, :, self.last]
        return lambda state: self.exact.network.step(state, drive)


KINDS = ("converged", "slow", "rejected")
REJECTED = KINDS.index("rejected")
STAGES = ("sheet", "bottom")


def visit(nets: RecurrentStudy) -> Arrays:
    """The states that noisy trials go through."""
    inputs, _, _, noise = nets.draw(nets.generators(2), nets.config.n_trial)
    states, until = nets.follow(inputs, noise.get("encoder_noise")), nets.tasks[0].steps["decision"]
    ends = states[:, :, nets.last]
    return {  # states in float32, half of the memory
        "visited": states[:, :, : until.start].flatten(1, 2).float().numpy(),
        "ends": ends.float().numpy(),  # at the last stimulus step, (net, trial, n_state)
        "spread": (ends - ends.mean(1, keepdim=True)).square().sum(2).mean(1).sqrt().numpy(),
    }


def search(nets: RecurrentStudy, visits: Arrays) -> Arrays:
    """Fixed points from visited states plus jitter, and how much they depend on the jitter.

    Each start is followed to where it is slow for the first time ('sheet'), and on from there to
    the bottom of q ('bottom'). Where a sheet is nearly but not quite made of fixed points, q on it
    is small, and starts slide along it into a few minima. The first stage shows the sheet, the
    second what is fixed to the last digit. In a non-leaky network of ReLU units every state that
    keeps all units silent is a fixed point, F' = 1: there they fill a region, and no sheet.
    """
    config, rngs, jitters = nets.config, nets.generators(3), nets.config.jitters
    begin = time.perf_counter()
    found = descend(nets, visits, [config.jitter], config.n_start, rngs)
    seconds = time.perf_counter() - begin
    repeated = descend(nets, visits, jitters, config.n_repeat, rngs)
    for name in ("state", "q", "kind", "distance", "kept"):  # (net, stage, size, start, ...)
        found[f"jitters_{name}"] = repeated[name].unflatten(2, (len(jitters), config.n_repeat))
    spread = torch.tensor(visits["spread"])
    found |= free_run(nets, found["state"], spread, rngs)
    unique = np.zeros((*found["kind"].shape[:2], len(config.tol_unique)), int)
    for net, stage, i in np.ndindex(unique.shape):
        points = found["state"][net, stage, found["kind"][net, stage] < REJECTED]
        tolerance = config.tol_unique[i] * spread[net]
        unique[net, stage, i] = fixed_points.pick_unique(points, tolerance).sum()
    return {name: value.numpy() for name, value in found.items()} | {
        "unique": unique,  # different points among those not rejected, (net, stage, tolerance)
        "tol_unique": np.array(config.tol_unique),
        "spread": visits["spread"],
        "jitter": np.array(nets.exact.network.jitter(config.jitter)),
        "jitters": np.array(jitters),
        "seconds": seconds,
    }


def descend(nets: RecurrentStudy, visits: Arrays, jitters: Any, n_start: int, rngs: Any) -> Arrays:
    """Both stages from starts with each of the jitters, one after the other.

    Starts are states at the last stimulus step, which are spread over the sheet as x* is over the
    square. Tensors are (net, stage, start, ...); all distances in spreads.
    """
    F, config, network = nets.rest_map(), nets.config, nets.exact.network
    names = "visited", "ends", "spread"
    visited, ends, spread = (torch.tensor(visits[name]).double() for name in names)
    (low, high), sizes = network.bounds(), [network.jitter(size) for size in jitters]
    starts = [fixed_points.draw_starts(ends, n_start, size, rngs) for size in sizes]
    slow = 0.5 * (0.999 * config.tol_slow * spread[:, None]) ** 2
    sheet = fixed_points.find(F, torch.cat(starts, 1), low, high, config.n_iter, slow)
    bottom = fixed_points.find(F, sheet["state"], low, high, config.n_iter)
    found = {name: torch.stack([sheet[name], bottom[name]], 1) for name in sheet}
    pace = (2 * found["q"]).sqrt() / spread[:, None, None]
    kind = (pace > config.tol_fixed).int() + (pace > config.tol_slow).int()
    distance = fixed_points.nearest(found["state"].flatten(1, 2), visited) / spread[:, None]
    distance = distance.view_as(pace)  # to a visited state
    kept = (kind < REJECTED) & (distance <= config.near)
    return found | {"pace": pace, "kind": kind, "distance": distance, "kept": kept}


def free_run(nets: RecurrentStudy, states: torch.Tensor, spread: torch.Tensor, rngs: Any) -> Arrays:
    """How far `n_free` steps lead away, in spreads, and by which factor a perturbation grows."""
    F, config, shape = nets.rest_map(), nets.config, states.shape[1:3]
    states = states.flatten(1, 2)
    draws = [torch.randn(states.shape[1:], generator=g, dtype=states.dtype) for g in rngs]
    push = torch.stack(draws)
    push *= config.nudge * spread[:, None, None] / push.norm(dim=2, keepdim=True)
    run, pushed = (
        fixed_points.run_freely(F, begin, config.n_free) for begin in (states, states + push)
    )
    moved = (run - states).norm(dim=2) / spread[:, None]
    grown = (pushed - run).norm(dim=2) / push.norm(dim=2)
    return {"moved": moved.unflatten(1, shape), "grown": grown.unflatten(1, shape)}


def jacobian_spectrum(nets: RecurrentStudy, points: Arrays) -> Arrays:
    """Eigenvalues mu of F at every point found, and the time constants they stand for."""
    states, first = torch.tensor(points["state"]), nets.configs[0]
    jacobians = fixed_points.jacobian(nets.rest_map(), states.flatten(1, 2))
    values = fixed_points.eigenvalues(jacobians).view(states.shape).numpy()
    with np.errstate(divide="ignore"):
        time_constant = -first["dt"] / np.log(np.abs(values))
    return {
        "eigenvalues": values,  # (net, stage, start, n_state), the largest modulus first
        "time_constant": time_constant,  # -dt / ln|mu| in ms, negative where |mu| > 1
        "amplification": time_constant / first["tau"],  # A
        "kept": points["kept"],
        "n_lead": nets.tasks[0].n_dim,
    }


def sheet_of(nets: RecurrentStudy, decoder: Arrays, points: Arrays) -> Arrays:
    """Do the kept points form a sheet, and does it cover the square of the first two factors?"""
    n_neu, n_grid, kept = nets.configs[0]["n_neu"], nets.config.n_grid, points["kept"]
    decoded, again = (
        study.decode(points[name][..., :n_neu], decoder["weight"], decoder["bias"])
        for name in ("state", "jitters_state")
    )
    cells = study.count_cells(decoded, kept, n_grid)
    cells_again = study.count_cells(again, points["jitters_kept"], n_grid)
    inside = np.where(kept[..., None], decoded, np.nan)
    return {
        "decoded": decoded,  # x* read off the points, (net, stage, start, D)
        "cells": cells,  # points in each, (net, stage, n_grid, n_grid)
        "covered": (cells > 0).mean((-2, -1)),  # (net, stage)
        "covered_at_most": study.covered_by_chance(kept.sum(-1), n_grid),
        "lowest": np.fmin.reduce(inside, -2),  # (net, stage, D)
        "highest": np.fmax.reduce(inside, -2),
        "dimension": local_dimensions(points, nets.config),  # (net, stage, start)
        "jitters_covered": (cells_again > 0).mean((-2, -1)),  # (net, stage, size)
        "jitters_decoded": again,  # (net, stage, size, start, D)
        **{name: points[name] for name in ("kept", "pace", "kind", "jitters", "jitters_kept")},
    }


def local_dimensions(points: Arrays, config: Config) -> np.ndarray:
    """`fixed_points.local_dimension` at the kept points, (net, stage, start).

    NaN for points not kept, and for those closer than the middle one of `tol_unique` to another.
    """
    dimension = np.full(points["kept"].shape, np.nan)
    tolerance = sorted(config.tol_unique)[len(config.tol_unique) // 2]
    for net, stage in np.ndindex(*dimension.shape[:2]):
        rows = points["kept"][net, stage].nonzero()[0]
        some = torch.tensor(points["state"][net, stage, rows])
        alone = fixed_points.pick_unique(some, tolerance * points["spread"][net]).numpy()
        around = fixed_points.local_dimension(some[alone], config.n_near)
        dimension[net, stage, rows[alone]] = around
    return dimension


def report(nets: RecurrentStudy, results: dict[str, Arrays]) -> str:
    """The tables of key numbers, as Markdown."""
    rows = []
    for at in np.ndindex(len(nets.names), len(STAGES)):
        named = {"network": nets.names[at[0]], "stage": STAGES[at[1]]}
        rows.append([named | row for row in rows_at(results, at)])
    tables = map(study.key_numbers, map(list, zip(*rows, strict=True)))
    return "\n\n".join([study.space_numbers(nets, results), *tables])


def rows_at(results: dict[str, Arrays], at: tuple[int, ...]) -> list[study.Row]:
    """Rows of a network and stage: what was found, spectrum, sheet, other sizes of the jitter."""
    points, spectrum, sheet = (results[name] for name in ("fixed_points", "spectrum", "sheet"))
    kind, kept = points["kind"][at], points["kept"][at]
    found, tolerances = kind < REJECTED, "/".join(f"{x:g}" for x in points["tol_unique"])
    search_row = {
        "/".join(KINDS): "/".join(str((kind == i).sum()) for i in range(len(KINDS))),
        "kept": kept.sum(),
        "q": number(points["q"][at][found]),
        "speed": number(points["pace"][at][found]),
        "distance to visited": number(points["distance"][at][found]),
        f"unique at {tolerances}": "/".join(map(str, points["unique"][at])),
        "moved in a free run": number(points["moved"][at][kept]),
        "perturbation grows": number(points["grown"][at][kept]),
    }
    size, n_lead = np.abs(spectrum["eigenvalues"][at][kept]), spectrum["n_lead"]
    ranks = {
        i + 1: (size[:, i], spectrum["amplification"][at][kept, i]) for i in (0, n_lead - 1, n_lead)
    }
    spectrum_row = {f"size of mu_{rank}": spread_of(mu) for rank, (mu, _) in ranks.items()}
    spectrum_row["unstable"] = percent(np.mean(size[:, 0] > 1)) if len(size) else "-"
    spectrum_row |= {f"A_{rank}": number(A[mu < 1]) for rank, (mu, A) in ranks.items()}
    sheet_row = {
        "local dimension": number(sheet["dimension"][at]),
        "share of the grid covered": percent(sheet["covered"][at]),
        "at random": percent(sheet["covered_at_most"][at]),
    }
    for i, ends in enumerate(zip(sheet["lowest"][at], sheet["highest"][at], strict=True)):
        sheet_row[f"x{i + 1} from, to"] = ", ".join(map(number, ends))
    jitter_row, kinds = {}, points["jitters_kind"][at]
    n_kept = points["jitters_kept"][at].sum(1)
    chance = study.covered_by_chance(n_kept, sheet["cells"].shape[-1])
    for i, size in enumerate(points["jitters"]):
        found, covered = kinds[i] < REJECTED, percent(sheet["jitters_covered"][at][i])
        away = number(points["jitters_distance"][at][i][found])
        words = f"{found.sum()}, {n_kept[i]} kept, {away}, {covered} ({percent(chance[i])})"
        jitter_row[f"jitter {size:g}"] = words
    return [search_row, spectrum_row, sheet_row, jitter_row]


def spread_of(values: np.ndarray) -> str:
    """'median [5 %, 95 %]', or '-'."""
    low, mid, high = np.percentile(values, [5, 50, 95]) if len(values) else (np.nan,) * 3
    return f"{mid:.3f} [{low:.3f}, {high:.3f}]" if len(values) else "-"


def legend(nets: RecurrentStudy, results: dict[str, Arrays]) -> str:
    """What the tables mean."""
    config, first, points = nets.config, nets.configs[0], results["fixed_points"]
    low, high = points["jitter"]
    text = f"""
        {config.n_start} starts per network, jitter U({low:g}, {high:g}). sheet: where a start is
        slow for the first time; bottom: where q has its minimum. converged: speed up to
        {config.tol_fixed:g}; slow: up to {config.tol_slow:g}; kept: these, if within
        {config.near:g} of a visited state. Speed (per step), distances and free run are medians in
        spreads of the states at the last stimulus step. mu: eigenvalues, median [5 %, 95 %] over
        kept points; unstable: mu_1 above 1; A = -dt / (tau ln|mu|), dt = {first["dt"]} ms,
        tau = {first["tau"]} ms, median of those with |mu| < 1. Free run: {config.n_free} steps;
        perturbation: {config.nudge:g}. Grid of x*: {config.n_grid} x {config.n_grid}; at random:
        what as many points at random would cover. Jitter: points of {config.n_repeat} starts not
        rejected, kept, distance, share of the grid covered (at random). Search for the points:
        {points["seconds"]:.1f} s."""
    return textwrap.fill(" ".join(text.split()), 100)


def analyze(nets: RecurrentStudy, save: study.Save) -> None:
    """Every analysis in turn, each saved as soon as it is there."""
    steps = {"last stimulus step": nets.last, "all steps": slice(None)}
    trials, decoder, spaces = study.analyze(nets, save, steps)
    points = save("fixed_points", search(nets, save("visits", visit(nets))))
    save("spectrum", jacobian_spectrum(nets, points))
    sheet = save("sheet", sheet_of(nets, decoder, points))
    states = points["state"][..., : spaces["mean"].shape[-1]]
    in_space = study.first_three(states, spaces["mean"], spaces["axes"])
    shown = {name: sheet[name] for name in ("decoded", "kind", "pace", "kept")}
    paths = study.trajectories(nets, trials, spaces)
    save("trajectories", {**paths, "points": in_space, **shown})


def main(config: Config) -> None:
    """Compute, save, draw, print."""
    nets = RecurrentStudy(config)
    results = study.run_analyses(nets, analyze)
    print(report(nets, results), legend(nets, results), sep="\n\n", end="\n\n")
    for name, kept in zip(nets.names, results["fixed_points"]["kept"], strict=True):
        if not kept.any():
            where = f"within {config.near:g} spreads of the states it visits"
            print(f"{name}: no fixed and no slow point {where}")
    print(f"saved in {config.out}")


if __name__ == "__main__":
    util.run_script(main, Config)
