"""Fixed points of a map, F(r) = r, from many starts at once, and what lies around them.

F maps states (net, start, n) to states of the same shape, each on its own, for any number of
starts. A fixed point is a zero of the speed q(r) = 1/2 |F(r) - r|^2. `find` goes down q with damped
Gauss-Newton steps (Levenberg-Marquardt), all starts of all networks together, each with its own
damping. The damping is proportional to |F(r) - r|, which keeps convergence quadratic where fixed
points form a line or a sheet and F' - 1 is singular (Fan & Yuan, Computing 74, 2005).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

Map = Callable[[Tensor], Tensor]
INF = float("inf")
GIVEN_UP = 1e4  # damping at which no step helps any more; 1e8 finds nothing better


def draw_starts(
    visited: Tensor, n_start: int, jitter: tuple[float, float], generators: Sequence[Generator]
) -> Tensor:
    """Some of the visited states (net, state, n), drawn at random, + U(jitter); (net, start, n)."""
    (low, high), starts = jitter, []
    for states, rng in zip(visited, generators, strict=True):
        drawn = states[torch.randint(len(states), (n_start,), generator=rng)]
        noise = torch.empty_like(drawn).uniform_(generator=rng)
        starts.append(drawn + low + (high - low) * noise)
    return torch.stack(starts)


def speed(F: Map, states: Tensor) -> Tensor:
    """q = 1/2 |F(r) - r|^2 of states (net, start, n): (net, start)."""
    return 0.5 * ((F(states) - states) ** 2).sum(-1)


def jacobian(F: Map, states: Tensor, at_once: int = 32) -> Tensor:
    """dF_i / dr_j at states (net, start, n): (net, start, n, n), `at_once` columns at a time."""

    def column(direction):
        return torch.func.jvp(F, (states,), (direction.expand_as(states).contiguous(),))[1]

    eye = torch.eye(states.shape[-1]).to(states)
    return torch.func.vmap(column, out_dims=-1, chunk_size=at_once)(eye)


def find(F: Map, starts: Tensor, low=-INF, high=INF, n_iter=100, enough=1e-28) -> dict[str, Tensor]:
    """Go down q from each start (net, start, n), in at most `n_iter` steps, until q is `enough`.

    States stay between low and high, numbers or (n,). Returns state (net, start, n), q (net, start)
    there, and steps (net, start), how many were tried.
    """
    low, high = (torch.as_tensor(x).to(starts) for x in (low, high))
    states = torch.minimum(torch.maximum(starts, low), high)
    q, damping = speed(F, states), torch.ones_like(starts[..., 0])
    steps = torch.zeros_like(q, dtype=torch.long)
    for _ in range(n_iter):
        going = (q > enough) & (damping < GIVEN_UP)
        if not (n_going := int(going.sum(1).max())):
            break
        pick = going.int().argsort(dim=1, descending=True, stable=True)[:, :n_going]
        rows = pick[..., None].expand(-1, -1, states.shape[-1])
        steps += going
        here = states.gather(1, rows), q.gather(1, pick), damping.gather(1, pick)
        new = step_down(F, *here, low, high)
        states = states.scatter(1, rows, new[0])
        q, damping = q.scatter(1, pick, new[1]), damping.scatter(1, pick, new[2])
    return {"state": states, "q": speed(F, states), "steps": steps}


def step_down(F: Map, states, q, damping, low, high) -> tuple[Tensor, Tensor, Tensor]:
    """One damped Gauss-Newton step, taken where it lowers q. Returns states, q, damping."""
    residual = (F(states) - states)[..., None]
    eye = torch.eye(states.shape[-1]).to(states)
    slope = jacobian(F, states) - eye
    uphill = (slope.mT @ residual)[..., 0]
    held = ((states <= low) & (uphill > 0)) | ((states >= high) & (uphill < 0))
    slope = slope * ~held[..., None, :]  # numbers at their bound stay there
    strength = (damping * residual.norm(dim=(2, 3)))[..., None, None]
    root, failed = torch.linalg.cholesky_ex(slope.mT @ slope + strength * eye)
    step = -torch.cholesky_solve(slope.mT @ residual, root)
    trial = torch.minimum(torch.maximum(states + step[..., 0], low), high)
    q_trial = speed(F, trial)
    hoped = q - 0.5 * ((residual + slope @ step) ** 2).sum((2, 3))
    gain = torch.where(failed == 0, (q - q_trial) / hoped.clamp_min(1e-300), -1.0).nan_to_num(-1.0)
    better = gain > 1e-4
    factor = torch.where(gain > 0.75, 0.1, torch.where(gain < 0.25, 4.0, 1.0))
    factor = torch.where(hoped < 1e-9 * q, GIVEN_UP / damping, factor)  # a minimum above 0
    states = torch.where(better[..., None], trial, states)
    return states, torch.where(better, q_trial, q), (damping * factor).clamp_min(1e-10)


def run_freely(F: Map, states: Tensor, n_step: int) -> Tensor:
    """States (net, start, n) after `n_step` steps of F."""
    for _ in range(n_step):
        states = F(states)
    return states


def eigenvalues(jacobians: Tensor) -> Tensor:
    """Eigenvalues (..., n), complex, the largest modulus first, of jacobians (..., n, n)."""
    values = torch.linalg.eigvals(jacobians)
    return values.gather(-1, values.abs().argsort(dim=-1, descending=True, stable=True))


def nearest(points: Tensor, others: Tensor) -> Tensor:
    """Distance of each point (net, point, n) to the nearest of others (net, other, n)."""
    return torch.cdist(points, others).amin(2)


def pick_unique(points: Tensor, tolerance: float) -> Tensor:
    """Which points (point, n) are farther than `tolerance` from all picked before? (point,)."""
    picked = torch.zeros(len(points), dtype=torch.bool)
    for i, close in enumerate(torch.cdist(points, points) <= tolerance):
        picked[i] = not (close & picked).any()
    return picked


def local_dimension(points: Tensor, n_near: int = 10) -> Tensor:
    """Dimension around each of different points (point, n): (point,); NaN where there are too few.

    The participation ratio (sum v)^2 / sum v^2 of the variances v along the principal axes of a
    point and its `n_near` nearest neighbours: 1 on a line, a little below 2 on a sheet.
    """
    if len(points) <= n_near:
        return points.new_full((len(points),), float("nan"))
    around = points[torch.cdist(points, points).argsort(1)[:, : n_near + 1]]
    variances = torch.linalg.svdvals(around - around.mean(1, keepdim=True)) ** 2
    return variances.sum(1) ** 2 / (variances**2).sum(1)
