"""The search for fixed points, on maps whose fixed points are known and on networks."""

import copy
import math

import pytest
import torch
from conftest import make

import bench
import fixed_points as fp
import util


def uniform(*shape, low=-2.0, high=2.0, seed=0):
    states = torch.empty(*shape, dtype=torch.float64)
    return states.uniform_(low, high, generator=util.generator(seed))


def network_map(**settings):
    """The one-step map of small untrained networks, in float64, and the size of a state."""
    network = copy.deepcopy(make(**settings).model.network).double()
    drive = uniform(network.n_net, 1, network.N_GATES * network.n_neu)
    return lambda state: network.step(state, drive), network.n_state


KINDS = {}, {"leaky": False}, {"activation": "tanh", "tau": 300}


@pytest.mark.parametrize("settings", [*KINDS, {"network": "LSTM"}, {"network": "GRU"}])
def test_jacobian_is_that_of_finite_differences(settings):
    F, n = network_map(**settings)
    states, steps = uniform(2, 3, n), 1e-6 * torch.eye(n, dtype=torch.float64)
    slow = torch.stack([(F(states + step) - F(states - step)) / 2e-6 for step in steps], -1)
    assert slow.shape == (2, 3, n, n)
    for at_once in (5, 1000):
        torch.testing.assert_close(fp.jacobian(F, states, at_once), slow, atol=1e-8, rtol=0)


def line(n=5, slope=0.5):
    """F(r) = W r + b with a line of fixed points: eigenvalue 1 along it, `slope` across."""
    basis, _ = torch.linalg.qr(uniform(n, n))
    along, offset = basis[:, 0], basis[:, 1]
    weight = slope * torch.eye(n).double() + (1 - slope) * torch.outer(along, along)
    return (lambda state: (state - offset) @ weight + offset), along, offset


def test_a_line_attractor_is_found_as_a_line():
    F, along, offset = line()
    found = fp.find(F, uniform(2, 40, 5))
    assert found["q"].max() < 1e-26
    away = found["state"] - offset
    across = away - (away @ along)[..., None] * along
    assert across.norm(dim=-1).max() < 1e-12
    assert (away @ along).std() > 0.5  # and not as one point of it
    assert torch.equal(fp.pick_unique(found["state"][0], 1e-6), torch.ones(40, dtype=torch.bool))
    sizes = fp.eigenvalues(fp.jacobian(F, found["state"])).abs()
    torch.testing.assert_close(sizes[0, 0], torch.tensor([1, 0.5, 0.5, 0.5, 0.5]).double())
    assert (fp.run_freely(F, found["state"], 100) - found["state"]).abs().max() < 1e-10
    assert fp.local_dimension(found["state"][0]).median() == pytest.approx(1, abs=1e-6)


def test_a_limit_cycle_has_one_unstable_point():
    turn = torch.tensor([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]]).double()

    def F(state):
        return 1.2 * state @ turn.T / (1 + 0.2 * (state**2).sum(-1, keepdim=True)).sqrt()

    found = fp.find(F, uniform(1, 30, 2))
    assert found["q"].max() < 1e-26 and found["state"].abs().max() < 1e-12
    assert fp.pick_unique(found["state"][0], 1e-6).sum() == 1
    sizes = fp.eigenvalues(fp.jacobian(F, found["state"])).abs()
    torch.testing.assert_close(sizes, torch.full_like(sizes, 1.2))
    run = fp.run_freely(F, found["state"] + 1e-3, 200).norm(dim=-1)
    torch.testing.assert_close(run, torch.full_like(run, math.sqrt((1.2**2 - 1) / 0.2)))


def test_two_units_whose_points_are_known():
    """r = tanh(2 r) for each unit; rectified units that inhibit each other: one wins, or none."""
    root, zero, two = 0.9575040240772687, (0, 0), (2, 2)
    nine = torch.cartesian_prod(*2 * [torch.tensor([-root, 0, root], dtype=torch.float64)])
    slopes = (2 * (1 - nine**2)).sort(1, descending=True).values
    three = torch.tensor([[1, 0], [0, 1], [1 / 3, 1 / 3]], dtype=torch.float64)
    tanh = (lambda r: torch.tanh(2 * r)), -1.5, nine, slopes
    relu = (lambda r: torch.relu(1 - 2 * r.flip(-1))), 0, three, torch.tensor([zero, zero, two])
    for F, low, known, sizes in (tanh, relu):
        found = fp.find(F, uniform(1, 400, 2, low=low, high=1.5), low=low)
        good = found["state"][0][found["q"][0] < 1e-24]
        distances = torch.cdist(good[fp.pick_unique(good, 1e-6)], known)
        assert distances.shape == (len(known), len(known))
        assert distances.amin(0).max() < 1e-9 and distances.amin(1).max() < 1e-9
        found_sizes = fp.eigenvalues(fp.jacobian(F, known[None]))[0].abs()
        torch.testing.assert_close(found_sizes, sizes.double())


def test_a_map_without_fixed_points_is_left_at_its_slowest():
    def F(state):
        return state + torch.exp(state[..., :1] - 1).expand_as(state) + 0.1

    found = fp.find(F, uniform(1, 10, 3), low=-1)
    assert found["q"].isfinite().all()
    slowest = 0.5 * 3 * (math.exp(-2) + 0.1) ** 2
    torch.testing.assert_close(found["q"], torch.full_like(found["q"], slowest))
    assert (found["state"][..., 0] == -1).all()


def test_points_stay_within_bounds_and_q_is_that_of_the_point_returned():
    F, n = network_map(network="RNN")
    starts = uniform(2, 20, n, low=-3, high=3)
    found = fp.find(F, starts, low=0)
    assert torch.equal(starts, uniform(2, 20, n, low=-3, high=3)) and found["state"].min() >= 0
    assert torch.equal(found["q"], fp.speed(F, found["state"]))
    assert (found["q"] <= fp.speed(F, starts.clamp_min(0))).all()


@pytest.mark.parametrize("network", ["RNN", "LSTM"])
def test_starts_do_not_touch_each_other(network):
    F, n = network_map(network=network, n_neu=6)
    starts = uniform(2, 7, n)
    alone = torch.cat([fp.find(F, start, n_iter=30)["q"] for start in starts.split(1, 1)], 1)
    torch.testing.assert_close(fp.find(F, starts, n_iter=30)["q"], alone, atol=1e-20, rtol=1e-6)


def test_it_can_stop_as_soon_as_points_are_slow():
    F, _, _ = line()
    enough = torch.tensor([[1e-2], [1e-6]])
    found = fp.find(F, uniform(2, 20, 5), enough=enough)
    assert (found["q"] <= enough).all() and found["q"][0].max() > 1e-6
    assert (found["steps"][0] <= found["steps"][1]).all()


def test_it_ends_lower_than_adam():
    F, n = network_map(network="GRU")
    starts = uniform(2, 16, n, low=-1, high=1)
    ours, adams = fp.find(F, starts)["q"], bench.descend_with_adam(F, starts, 1500)
    assert ours.max() < 1e-20 and ours.median() < fp.speed(F, adams).median()


def test_starts_are_visited_states_plus_jitter():
    visited = torch.arange(12.0).view(2, 6, 1).expand(-1, -1, 4).double()
    starts = fp.draw_starts(visited, 100, (0, 0.9), [util.generator(i) for i in range(2)])
    assert starts.shape == (2, 100, 4)
    assert (starts.floor() == starts.floor()[..., :1]).all()
    assert (starts[1] >= 6).all() and starts[0].floor().unique().tolist() == [0, 1, 2, 3, 4, 5]
    assert 0.8 < (starts - starts.floor()).max() < 0.9


def test_distances_and_unique_points():
    points, others = uniform(2, 9, 3), uniform(2, 20, 3, seed=1)
    slow = (points[:, :, None] - others[:, None]).norm(dim=-1).amin(2)
    torch.testing.assert_close(fp.nearest(points, others), slow)
    values = torch.tensor([[0.0], [0.05], [0.2], [0.21], [5.0]])
    assert fp.pick_unique(values, 0.1).tolist() == [True, False, True, False, True]
    assert fp.pick_unique(values[:0], 0.1).shape == (0,)


def test_local_dimension_of_a_sheet_and_a_cube():
    for d, low, high in ((2, 1.6, 2), (3, 2.1, 3)):
        basis, _ = torch.linalg.qr(uniform(20, d))
        points = uniform(400, d) @ basis.T
        assert low < fp.local_dimension(points).median() <= high
    assert fp.local_dimension(points[:5]).isnan().all()
