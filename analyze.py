"""What recurrent networks learned: trials, state space, fixed points, eigenvalues, rate maps.

    python analyze.py --network trained_networks/RNN_nTask24_run0.pth --out analysis

Writes one .npz per analysis into `out`, the networks along the first axis of every array, and for
each network a folder of pictures (PNG, PDF) and `trajectories.html`, which turns. Prints the key
numbers.

Fixed points are those of the map from one step to the next with the fixation input on and x* = 0,
searched from visited states plus jitter (SPEC 7). How fast a state moves, |F(r) - r| per step, and
all distances are in units of the network's `spread`: the root mean square distance of its states
at the last stimulus step from their mean, which is the size of the sheet if there is one.

Seen in five RNNs of N_task = 24 (train.py's defaults, runs 0 to 4, seed 0): top 3 PCs hold 94 to
98 % of the variance at the last stimulus step, 82 to 91 % over all steps. At slow points |mu| is
0.99 to 1.00, 0.96 to 0.98, and 0.20 to 0.53 for the third (medians of the networks). Their decoded
x* hit 34 to 52 % of the cells with jitter U(0, 6) (128 starts; 86 % at most), 52 to 62 % without
(64 starts; 64 % at most). They are slow rather than fixed: 0.02 to 0.03 spreads per step, about 1
spread in 100 free steps; below them q has 3 to 18 different minima. Time: 20 s of processor time
for one RNN, half of it for the pictures, 35 s for an LSTM; search from 128 starts 1 s and 7 s
(AMD EPYC, torch 2.13).
"""

import ctrl_c  # noqa: F401

# isort: split
import copy
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

import fixed_points
import tasks
import util
from RNN import LSTM, RNN, RecurrentNetwork
from study import (
    Study,
    carry_out,
    check_settings,
    classification_lines,
    decode,
    encoder_pca,
    first_three,
    fit_decoder,
    number,
    one_trial,
    pca,
    percent,
    rate_maps,
    report_space,
    run_trials,
    trajectories,
)
from util import UserError


@dataclass
class Config:
    """Settings; edit them here or override them from the shell."""

    network: tuple[str, ...]  # checkpoints of recurrent networks of one kind: files, folders, globs
    out: Path = Path("analysis")  # folder to write into
    overwrite: bool = False  # write into a folder that has files in it
    keep: tuple[str, ...] = ()  # write these .npz only, as 'pca lines'; none: all of them
    pictures: bool = True  # draw; no-pictures: only the .npz
    assume: tuple[str, ...] = ()  # what the authors' files do not say, as 'n_task=24'
    seed: int = 0  # of trials and starts
    # Trials
    n_trial: int = 256  # trials without noise, and as many with noise
    n_fit: int = 2048  # noisy trials on which the decoder of x* is fitted
    n_grid: int = 8  # rate maps and cells of the square: points per factor
    n_fine: int = 61  # classification lines: points per factor
    rule: int = 0  # networks with a rule input: which rule is cued
    # Fixed points
    n_start: int = 128  # starts per network
    jitter: float | None = None  # added to starts, U(0, jitter); None: see `jitter_of`
    jitters: tuple[float, ...] = (0, 0.1, 1, 6)  # repeated with these to see what jitter does
    n_repeat: int = 64  # starts of each repetition
    n_iter: int = 100  # steps of the search at most
    tol_fixed: float = 1e-8  # converged: moves by less per step, in spreads
    tol_slow: float = 0.05  # slow: likewise; no farther in the 20 steps of a trial than 1 spread
    tol_unique: tuple[float, ...] = (1e-6, 1e-3, 0.1)  # spreads, points this close are one
    near: float = 0.5  # spreads; the sheet is made of points this close to a visited state
    n_free: int = 100  # steps that the network runs freely from each point
    nudge: float = 0.01  # spreads; by which it is pushed first
    n_near: int = 10  # neighbours that the local dimension is measured on

    def check(self):
        """Raise UserError for settings that cannot be meant."""
        lowest = {"n_start": 1, "n_repeat": 1, "n_iter": 1, "n_free": 1, "n_near": 2}
        lowest |= {"tol_fixed": 0, "tol_slow": 0, "near": 0, "nudge": 0}
        check_settings(self, **lowest)
        for size in (*self.jitters, self.jitter or 0):
            if not 0 <= size < float("inf"):
                raise UserError(f"jitter must be a number, 0 or more, not {size}")


class RecurrentStudy(Study):
    """Networks whose state a step maps to the next.

    Attributes:
        exact: the ensemble in float64; others: as `Study`.
    """

    def __init__(self, config):
        super().__init__(config)
        if not isinstance(self.model.network, RecurrentNetwork):
            raise UserError(
                f"{self.paths[0]}: a network {self.configs[0]['network']} has no state that a step "
                "maps to the next; analyze.py is for RNN, LSTM and GRU"
            )
        self.exact = copy.deepcopy(self.model).double()

    def follow(self, inputs, encoder_noise=None):
        """States in float64, (net, trial, time, n_state), without noise inside the units."""
        u = self.exact.add_noise(self.exact.encoder(inputs.double()), encoder_noise)
        state, states = u.new_zeros(*u.shape[:2], self.exact.network.n_state), []
        for drive in self.exact.network.drive(u).unbind(2):
            state = self.exact.network.step(state, drive)
            states.append(state)
        return torch.stack(states, 2)

    def rest_map(self):
        """F: the one-step map with the fixation input on and x* = 0, states as `follow`'s."""
        task = self.tasks[0]
        u = self.exact.encoder(self.show(torch.zeros(1, 1, task.n_dim)).double())
        drive = self.exact.network.drive(u)[:, :, self.last]
        return lambda state: self.exact.network.step(state, drive)

    def bounds(self):
        """Lowest and highest that numbers of a state can be: numbers, or (n_state,)."""
        network = self.exact.network
        if isinstance(network, RNN):
            if network.activation == "relu":
                return 0.0, fixed_points.INF
            high = 1.0 if self.configs[0]["leaky"] else fixed_points.INF
            return -high, high
        high = torch.ones(network.n_state)
        if isinstance(network, LSTM):
            high[network.n_neu :] = fixed_points.INF  # c
        return -high, high

    def jitter_of(self, size=None):
        """Lowest and highest jitter of that size; None: the size for this kind of network.

        Leaky ReLU: U(0, 6), as in the paper. Non-leaky: U(0, 0.01), for what is added to a silent
        unit stays there. Units that saturate, and c of the LSTM: U(-0.5, 0.5), half of their range.
        """
        first = self.configs[0]
        relu = first["network"] == "RNN" and first["activation"] == "relu"
        if size is None:
            leaky = first["network"] != "RNN" or first["leaky"]
            size = 0.01 if not leaky else 6.0 if relu else 0.5
        return (0.0 if relu else -size), size


# ------------------------------------------------------------------ fixed points


KINDS = ("converged", "slow", "rejected")
REJECTED = KINDS.index("rejected")
STAGES = ("sheet", "bottom")


def visit(study):
    """The states that noisy trials go through.

    Returns:
        dict: visited (net, trial * time, n_state) while the fixation input is on; ends (net, trial,
        n_state), those of the last stimulus step; spread (net,).
    """
    rngs, task = study.generators(2), study.tasks[0]
    inputs, _, _ = tasks.sample(study.tasks, rngs, study.config.n_trial)
    noise = study.model.draw_noise(*inputs.shape[1:3], rngs)
    states = study.follow(inputs, noise.get("encoder_noise"))
    ends = states[:, :, study.last]
    visited = states[:, :, : task.steps["decision"].start].flatten(1, 2)
    spread = (ends - ends.mean(1, keepdim=True)).square().sum(2).mean(1).sqrt()
    few = {"visited": visited.float().numpy(), "ends": ends.float().numpy()}  # half of the memory
    return {**few, "spread": spread.numpy()}


def search(study, visits):
    """Fixed points from visited states plus jitter, and how much they depend on the jitter.

    Each start is followed to where it is slow for the first time ('sheet'), and on from there to
    the bottom of q ('bottom'). Where a sheet is nearly but not quite made of fixed points, q on it
    is small, and starts slide along it into a few minima. The first stage shows the sheet, the
    second what is fixed to the last digit. In a non-leaky network of ReLU units every state that
    keeps all units silent is a fixed point, F' = 1: there they fill a region, and no sheet.

    Returns:
        dict, (net, stage, start) unless it says otherwise: state (net, stage, start, n_state); q
        and pace, which is |F(r) - r| in spreads, at that state; kind, an index into `KINDS`;
        distance to the nearest visited state, in spreads; kept: not rejected, and near; moved: how
        far a free run leads away, in spreads; grown: by which factor it stretches a nudge; steps;
        unique (net, stage, tolerance), of points not rejected; jitter (2,); spread (net,); seconds
        of this search alone. From the repetitions jitters (size,) and jitters_state, jitters_q,
        jitters_kind, jitters_distance, jitters_kept (net, stage, size, start, ...).
    """
    config, rngs = study.config, study.generators(3)
    spread = torch.tensor(visits["spread"])
    start = time.perf_counter()
    found = descend(study, visits, [config.jitter], config.n_start, rngs)
    seconds = time.perf_counter() - start
    repeated = descend(study, visits, config.jitters, config.n_repeat, rngs)
    split = (len(config.jitters), config.n_repeat)
    names = ("state", "q", "kind", "distance", "kept")
    again = {f"jitters_{name}": repeated[name].unflatten(2, split) for name in names}
    runs = free_run(study, found["state"], spread, rngs)
    unique = count_unique(found, spread, config.tol_unique)
    arrays = found | again | runs | {"unique": unique, "spread": spread}
    return {name: value.numpy() for name, value in arrays.items()} | {
        "jitter": np.array(study.jitter_of(config.jitter)),
        "jitters": np.array(config.jitters),
        "tol_unique": np.array(config.tol_unique),
        "seconds": seconds,
    }


def descend(study, visits, jitters, n_start, rngs):
    """Both stages from starts with each of the jitters, see `search`; starts one after the other.

    Starts are states at the last stimulus step, which are spread over the sheet as x* is over the
    square.
    """
    F, bounds, config = study.rest_map(), study.bounds(), study.config
    names = "visited", "ends", "spread"
    visited, ends, spread = (torch.tensor(visits[name]).double() for name in names)
    sizes = [study.jitter_of(size) for size in jitters]
    starts = [fixed_points.draw_starts(ends, n_start, size, rngs) for size in sizes]
    slow = 0.5 * (0.999 * config.tol_slow * spread[:, None]) ** 2
    sheet = fixed_points.find(F, torch.cat(starts, 1), *bounds, config.n_iter, slow)
    bottom = fixed_points.find(F, sheet["state"], *bounds, config.n_iter)
    found = {name: torch.stack([sheet[name], bottom[name]], 1) for name in sheet}
    return found | judge(found, visited, spread, config)


def judge(found, visited, spread, config):
    """Pace, kind and distance of what was found, as in `search`."""
    pace = (2 * found["q"]).sqrt() / spread[:, None, None]
    kind = (pace > config.tol_fixed).int() + (pace > config.tol_slow).int()
    distance = fixed_points.nearest(found["state"].flatten(1, 2), visited) / spread[:, None]
    distance = distance.view_as(pace)
    kept = (kind < REJECTED) & (distance <= config.near)
    return {"pace": pace, "kind": kind, "distance": distance, "kept": kept}


def free_run(study, states, spread, rngs):
    """What happens in `n_free` steps from each point, alone and after a nudge, as in `search`."""
    F, config = study.rest_map(), study.config
    n_stage, states = states.shape[1], states.flatten(1, 2)
    draws = [torch.randn(states.shape[1:], generator=g, dtype=states.dtype) for g in rngs]
    nudge = torch.stack(draws)
    nudge *= config.nudge * spread[:, None, None] / nudge.norm(dim=2, keepdim=True)
    run, pushed = (
        fixed_points.run_freely(F, begin, config.n_free) for begin in (states, states + nudge)
    )
    moved = (run - states).norm(dim=2) / spread[:, None]
    grown = (pushed - run).norm(dim=2) / nudge.norm(dim=2)
    return {"moved": moved.unflatten(1, (n_stage, -1)), "grown": grown.unflatten(1, (n_stage, -1))}


def count_unique(found, spread, tolerances):
    """Points not rejected that differ by more than each tolerance, (net, stage, tolerance)."""
    counts = torch.zeros(*found["kind"].shape[:2], len(tolerances), dtype=torch.long)
    for net, stage, i in np.ndindex(*counts.shape):
        points = found["state"][net, stage, found["kind"][net, stage] < REJECTED]
        counts[net, stage, i] = fixed_points.pick_unique(points, tolerances[i] * spread[net]).sum()
    return counts


def jacobian_spectrum(study, points):
    """Eigenvalues of F at every point found, and the time constants they stand for.

    Returns:
        dict: eigenvalues (net, stage, start, n_state), complex, largest modulus first;
        time_constant in ms, -dt / ln|mu|, and amplification A = -dt / (tau ln|mu|), both as
        eigenvalues and negative where |mu| > 1; kept (net, stage, start); n_lead: D.
    """
    states = torch.tensor(points["state"])
    jacobians = fixed_points.jacobian(study.rest_map(), states.flatten(1, 2))
    values = fixed_points.eigenvalues(jacobians).view(states.shape).numpy()
    first = study.configs[0]
    with np.errstate(divide="ignore"):
        time_constant = -first["dt"] / np.log(np.abs(values))
    return {
        "eigenvalues": values,
        "time_constant": time_constant,
        "amplification": time_constant / first["tau"],
        "kept": points["kept"],
        "n_lead": study.tasks[0].n_dim,
    }


def sheet_of(study, decoder, points):
    """Do the kept points form a sheet, and does it cover the square?

    Returns:
        dict: decoded (net, stage, start, D), x* read off the points; kept, pace, kind (net, stage,
        start); cells (net, stage, n_grid, n_grid), points per cell of the square of the first two
        factors; covered (net, stage), share of cells with a point in; covered_at_most (net, stage),
        what as many points strewn at random over the square would be expected to cover; lowest,
        highest (net, stage, D); dimension (net, stage, start), see `local_dimensions`;
        jitters (size,), jitters_covered (net, stage, size), jitters_decoded (net, stage, size,
        start, D) and jitters_kept of the repetitions.
    """
    n_neu, n_grid, kept = study.configs[0]["n_neu"], study.config.n_grid, points["kept"]
    decoded, again = (
        decode(points[name][..., :n_neu], decoder["weight"], decoder["bias"])
        for name in ("state", "jitters_state")
    )
    cells = count_cells(decoded, kept, n_grid)
    cells_again = count_cells(again, points["jitters_kept"], n_grid)
    inside = np.where(kept[..., None], decoded, np.nan)
    return {
        "decoded": decoded,
        **{name: points[name] for name in ("kept", "pace", "kind")},
        "cells": cells,
        "covered": (cells > 0).mean((-2, -1)),
        "covered_at_most": covered_at_most(kept.sum(-1), n_grid),
        "lowest": np.fmin.reduce(inside, -2),
        "highest": np.fmax.reduce(inside, -2),
        "dimension": local_dimensions(points, study.config),
        "jitters_covered": (cells_again > 0).mean((-2, -1)),
        "jitters_decoded": again,
        **{name: points[name] for name in ("jitters", "jitters_kept")},
    }


def covered_at_most(n_point, n_grid):
    """Share of the cells that points strewn at random over the square are expected to hit."""
    return 1 - (1 - 1 / n_grid**2) ** n_point


def count_cells(x, kept, n_grid):
    """Points per cell of the square of the first two factors.

    Args:
        x: (..., point, D).
        kept: (..., point); others do not count.

    Returns:
        (..., n_grid, n_grid).
    """
    edges = np.linspace(-0.5, 0.5, n_grid + 1)
    cells = np.zeros((*kept.shape[:-1], n_grid, n_grid), int)
    for at in np.ndindex(kept.shape[:-1]):
        inside = x[at][kept[at]]
        cells[at] = np.histogram2d(inside[:, 0], inside[:, 1], bins=(edges, edges))[0]
    return cells


def local_dimensions(points, config):
    """Local dimension at the kept points, see `fixed_points.local_dimension`.

    Returns:
        (net, stage, start); NaN for points not kept, and for those closer than the middle one of
        `tol_unique` to another.
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


def points_in_space(spectrum, points, sheet):
    """Fixed points in the first three components, which `pca` returned.

    Returns:
        dict: points (net, stage, start, 3), and of these decoded (net, stage, start, D), kind,
        pace and kept (net, stage, start).
    """
    n_neu = spectrum["mean"].shape[-1]
    return {
        "points": first_three(points["state"][..., :n_neu], spectrum["mean"], spectrum["axes"]),
        "decoded": sheet["decoded"],
        **{name: points[name] for name in ("kind", "pace", "kept")},
    }


# ------------------------------------------------------------------ the key numbers


def spread_of(values):
    """'median [5 %, 95 %]' of what there is, or '-'."""
    values = np.asarray(values)[np.isfinite(values)]
    if not values.size:
        return "-"
    low, mid, high = np.percentile(values, [5, 50, 95])
    return f"{mid:.3f} [{low:.3f}, {high:.3f}]"


def share_above_1(values):
    """Share of values above 1, NaN of none."""
    return (values > 1).mean() if len(values) else np.nan


def report(study, results):
    """The tables of key numbers, as Markdown."""
    parts = report_space, report_points, report_spectrum, report_sheet, report_jitter
    return "\n\n".join(part(study, **results) for part in parts)


def stages(study, *columns):
    """Rows of a table, one per network and stage: name, stage, and columns(net, stage)."""
    return [
        [study.names[net], STAGES[stage], *[column(net, stage) for column in columns]]
        for net, stage in np.ndindex(len(study.names), len(STAGES))
    ]


def report_points(study, points, **_):
    """What the search found."""
    good = points["kind"] < REJECTED

    def counts(net, stage):
        return "/".join(str((points["kind"][net, stage] == i).sum()) for i in range(len(KINDS)))

    def middle(key, which):
        return lambda net, stage: number(points[key][net, stage, which[net, stage]])

    columns = {
        "/".join(KINDS): counts,
        "kept": lambda *at: points["kept"][at].sum(),
        "q": middle("q", good),
        "speed": middle("pace", good),
        "from visited": middle("distance", good),
        "unique at " + "/".join(f"{tol:g}" for tol in points["tol_unique"]): (
            lambda *at: "/".join(map(str, points["unique"][at]))
        ),
        "free run": middle("moved", points["kept"]),
        "nudge grows": middle("grown", points["kept"]),
    }
    return util.table(["network", "stage", *columns], stages(study, *columns.values()))


def report_spectrum(study, spectrum, **_):
    """Eigenvalues and time constants at kept points: the first, the D-th and the next."""
    kept, size = spectrum["kept"], np.abs(spectrum["eigenvalues"])
    ranks = [0, spectrum["n_lead"] - 1, spectrum["n_lead"]]

    def modulus(i):
        return lambda *at: spread_of(size[at][kept[at], i])

    def stretch(i):
        values = np.where(kept & (size[..., i] < 1), spectrum["amplification"][..., i], np.nan)
        return lambda *at: number(values[at])

    columns = {f"size of mu_{i + 1}": modulus(i) for i in ranks}
    columns["unstable"] = lambda *at: percent(share_above_1(size[at][kept[at], 0]))
    columns |= {f"A_{i + 1}": stretch(i) for i in ranks}
    return util.table(["network", "stage", *columns], stages(study, *columns.values()))


def report_sheet(study, sheet, **_):
    """The sheet of kept points, and x* read off it."""
    columns = {
        "local dimension": lambda *at: number(sheet["dimension"][at]),
        "cells hit": lambda *at: percent(sheet["covered"][at]),
        "of at most": lambda *at: percent(sheet["covered_at_most"][at]),
    }
    for i in range(sheet["lowest"].shape[-1]):
        columns[f"x{i + 1} from, to"] = lambda *at, i=i: ", ".join(
            number(sheet[end][at][i]) for end in ("lowest", "highest")
        )
    return util.table(["network", "stage", *columns], stages(study, *columns.values()))


def report_jitter(study, points, sheet, **_):
    """What other sizes of the jitter find."""

    def found(i):
        def text(net, stage):
            at = net, stage, i
            good = points["jitters_kind"][at] < REJECTED
            away = number(points["jitters_distance"][at][good])
            n_kept = points["jitters_kept"][at].sum()
            most = percent(covered_at_most(n_kept, sheet["cells"].shape[-1]))
            covered = percent(sheet["jitters_covered"][at])
            return f"{good.sum()}, {n_kept} kept, {away}, {covered} of {most}"

        return text

    columns = {f"jitter {size:g}": found(i) for i, size in enumerate(points["jitters"])}
    return util.table(["network", "stage", *columns], stages(study, *columns.values()))


def warnings(study, results):
    """A line on each network that the points say nothing about."""
    n_kept = results["points"]["kept"].sum((1, 2))
    where = f"within {study.config.near:g} spreads of the states it visits"
    lines = [
        f"{name}: no fixed and no slow point {where}"
        for name, n in zip(study.names, n_kept, strict=True)
        if n == 0
    ]
    return "".join(f"{line}\n" for line in lines)


def legend(study, results):
    """What the tables mean."""
    low, high = results["points"]["jitter"]
    config, first = study.config, study.configs[0]
    text = (
        f"{config.n_start} starts per network, jitter U({low:g}, {high:g}). sheet: where a start "
        "is slow for the first time; bottom: where q has its minimum. converged: speed up to "
        f"{config.tol_fixed:g}; slow: up to {config.tol_slow:g}; kept: these, if within "
        f"{config.near:g} of a visited state. Speed (per step), distances and free run are medians "
        "in spreads of the states at the last stimulus step. mu: eigenvalues, median [5 %, 95 %] "
        f"over kept points; A = -dt / (tau ln|mu|), dt = {first['dt']} ms, tau = {first['tau']} "
        f"ms, median of those with |mu| < 1. Free run: {config.n_free} steps; nudge: "
        f"{config.nudge:g}. Cells: {config.n_grid} x {config.n_grid}; at most: as many points at "
        f"random. Jitter: points of {config.n_repeat} starts not rejected, distance, cells. "
        f"Search for the points: {results['points']['seconds']:.1f} s."
    )
    return textwrap.fill(text, 100)


# ------------------------------------------------------------------ all of it


def analyze(study, save):
    """Every analysis in turn, each saved as soon as it is there. Returns dict name -> arrays."""
    trials = save("trials", run_trials(study))
    decoder = save("decoder", fit_decoder(study, trials))
    spaces = save("pca", pca(study, trials))
    points = save("fixed_points", search(study, save("visits", visit(study))))
    spectrum = save("spectrum", jacobian_spectrum(study, points))
    sheet = save("sheet", sheet_of(study, decoder, points))
    paths = trajectories(study, trials, spaces) | points_in_space(spaces, points, sheet)
    return {
        "trials": trials,
        "decoder": decoder,
        "pca": spaces,
        "points": points,
        "spectrum": spectrum,
        "sheet": sheet,
        "trajectories": save("trajectories", paths),
        "rate_maps": save("rate_maps", rate_maps(study)),
        "encoder": save("encoder", encoder_pca(study, trials)),
        "lines": save("lines", classification_lines(study)),
        "one_trial": save("one_trial", one_trial(study, trials, decoder)),
    }


def main(config):
    """Compute, save, draw, print."""
    config.check()
    study = RecurrentStudy(config)
    results = carry_out(study, analyze)
    print(report(study, results), legend(study, results), sep="\n\n", end="\n\n")
    print(f"{warnings(study, results)}saved in {config.out}")


if __name__ == "__main__":
    util.run_script(main, Config)
