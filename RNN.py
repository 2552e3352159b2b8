"""Recurrent networks, many side by side.

One network is an ensemble of one: the leading axis of every parameter and activation is the
network. Activations are (net, trial, time, unit); in memory time runs before trial, so that one
step of all trials is a block and (time, trial) flattens without a copy. Weights are stored
(net, in, out), the order of the products; files hold (out, in).
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from util import UserError

CACHE = 100_000  # numbers per block of networks on a CPU; half or twice as many make no difference
Noise = dict[str, Tensor]  # what is drawn anew for every batch beside its trials


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """x W + b for x (net, trial, time, in), without a copy in our memory order."""
    rows = torch.baddbmm(bias, x.transpose(1, 2).flatten(1, 2), weight)
    return rows.unflatten(1, (-1, x.shape[1])).transpose(1, 2)


def steps(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """The steps of tensors (net, time, ...), one of each side by side, as views made once."""
    return list(zip(*(x.unbind(1) for x in tensors), strict=True))


def net_blocks(x: Tensor, at_least: int = 4) -> list[slice]:
    """Slices over networks: what is made of one stays in the cache, and calls are not too many."""
    at_once = len(x) if x.is_cuda else max(at_least, CACHE // max(1, x[0].numel()))
    return [slice(start, start + at_once) for start in range(0, len(x), at_once)]


class Ensemble(nn.Module):
    """`n_net` networks side by side, each of which can be a file of its own."""

    UNUSED = ""  # pattern of keys that files may hold and nothing uses

    def __init__(self, n_net):
        super().__init__()
        self.n_net, self.linears = n_net, []  # names of linear maps
        self.file_keys = {}  # parameter -> its key in a file
        self.n_outs = None  # outputs of each network, where they differ; the others are padding
        self.fan = None  # initial weights are scaled by it; None: by a map's inputs

    def add_linear(self, name: str, n_in: int, n_out: int, key: str) -> None:
        """Add `name`_weight (net, in, out) and `name`_bias; `key` has {} for weight and bias."""
        self.linears.append(name)
        self.add_vector(f"{name}_weight", n_out, key.format("weight"), n_in)
        self.add_vector(f"{name}_bias", n_out, key.format("bias"))

    def add_vector(self, name: str, n_out: int, key: str, n_in: int = 1) -> None:
        """Add a parameter (net, n_in, out) that files hold under `key`."""
        self.register_parameter(name, nn.Parameter(torch.zeros(self.n_net, n_in, n_out)))
        self.file_keys[name] = key

    def draw(self, net: int, rng: Generator) -> None:
        """Fresh weights for one network."""
        for name in self.linears:
            self.draw_linear(name, net, rng)

    @torch.no_grad()
    def draw_linear(self, name: str, net: int, rng: Generator) -> None:
        """PyTorch's default for nn.Linear, U(-1, 1) / sqrt(fan), for one network."""
        weight, bias = (self.as_in_file(f"{name}_{part}", net) for part in ("weight", "bias"))
        draw = torch.empty(len(bias), weight.shape[1] + 1).uniform_(-1, 1, generator=rng)
        draw.div_(math.sqrt(self.fan or weight.shape[1]))
        weight.copy_(draw[:, :-1])
        bias.copy_(draw[:, -1])

    def as_in_file(self, name: str, net: int) -> Tensor:
        """A parameter of one network in the shape it has in files, as a view."""
        value, n_out = self.get_parameter(name)[net].detach(), self.n_outs and self.n_outs[net]
        return value.T[:n_out] if name.endswith("weight") else value[0, :n_out]

    def to_file(self, net: int) -> dict[str, Tensor]:
        """State dict of one network as in files, on the CPU."""
        return {k: self.as_in_file(name, net).cpu().clone() for name, k in self.file_keys.items()}

    @torch.no_grad()
    def from_file(self, net: int, state: Any) -> None:
        """Load one network from a state dict as in files; UserError where a tensor is not right."""
        if not isinstance(state, dict):
            raise UserError("is no dict of tensors")
        for key in state:
            if key not in self.file_keys.values() and not re.fullmatch(self.UNUSED, key):
                raise UserError(f"tensor {key} is not one of this network")
        for name, key in self.file_keys.items():
            value, own = state.get(key), self.as_in_file(name, net)
            if not isinstance(value, Tensor):
                raise UserError(f"tensor {key} is missing")
            if value.shape != own.shape:
                raise UserError(f"tensor {key} has shape {[*value.shape]}, not {[*own.shape]}")
            if not value.isfinite().all():
                raise UserError(f"tensor {key} holds values that are not finite")
            own.copy_(value)

    @torch.no_grad()
    def keep(self, nets: Sequence[int]) -> None:
        """Go on with these networks only; parameters become new, smaller ones."""
        self.n_outs = self.n_outs and [self.n_outs[net] for net in nets]
        width = self.n_outs and max(self.n_outs)  # the widest may have gone
        for name, parameter in list(self.named_parameters(recurse=False)):
            kept = parameter[nets][..., :width].clone()
            self.register_parameter(name, nn.Parameter(kept, parameter.requires_grad))
        self.n_net = len(nets)


aten = torch.ops.aten
ACTIVATIONS = {  # f(x, out), and its slope in terms of f's output
    "relu": (lambda x, out: torch.clamp_min(x, 0, out=out), torch.sign),
    "tanh": (lambda x, out: torch.tanh(x, out=out), lambda f: 1 - f.square()),
}


class Recurrence(torch.autograd.Function):
    """All steps of the vanilla RNN, r(t) = keep r(t-1) + alpha f(...), and their gradient.

    Going back, steps only pass the error on, in place; each weight gradient is one product.
    """

    @staticmethod
    def forward(ctx, u, w_in, bias, w_rec, noise, keep, alpha, activation):
        """States (net, time, trial, unit) for inputs u; `noise` inside f has their shape."""
        f, _ = ACTIVATIONS[activation]
        plain = keep == 0 and alpha == 1  # then the state is the value of f itself
        fs = drive_of(u, w_in, bias)  # the drive first, then the values of f
        if noise is not None:
            fs += noise
        states = fs if plain else torch.empty_like(fs)
        total, before = torch.empty_like(fs[:, 0]), None
        for now, r in steps(fs, states):
            f(now if before is None else torch.baddbmm(now, before, w_rec, out=total), now)
            if not plain:
                torch.mul(now, alpha, out=r)
                if before is not None:
                    r.add_(before, alpha=keep)
            before = r
        ctx.save_for_backward(u, w_in, w_rec, states, fs)
        ctx.settings = keep, alpha, activation, plain
        return states

    @staticmethod
    def backward(ctx, grad):
        """Errors, dL/d(drive), first hold alpha times the slope of f; then times dL/d(state)."""
        u, w_in, w_rec, states, fs = ctx.saved_tensors
        keep, alpha, activation, plain = ctx.settings
        _, slope = ACTIVATIONS[activation]
        errors, back = slope(fs), w_rec.transpose(1, 2).contiguous()
        if alpha != 1:
            errors.mul_(alpha)
        total, later = torch.empty_like(fs[:, 0]), None
        for now, error in reversed(steps(grad, errors)):
            if later is None:
                total.copy_(now)
            else:
                carried = now if plain else torch.add(now, total, alpha=keep)
                torch.baddbmm(carried, later, back, out=total)
            later = error.mul_(total)
        gradients = gradients_of(u, w_in, states, errors, ctx.needs_input_grad[0])
        return *gradients, None, None, None, None


def drive_of(u: Tensor, w_in: Tensor, bias: Tensor) -> Tensor:
    """W_in u + b of all steps, (net, time, trial, out), networks in blocks."""
    drive = u.new_empty(*u.shape[:3], w_in.shape[-1])
    for nets in net_blocks(drive):
        torch.baddbmm(bias[nets], u[nets].flatten(1, 2), w_in[nets], out=drive[nets].flatten(1, 2))
    return drive


def gradients_of(u: Tensor, w_in: Tensor, states: Tensor, errors: Tensor, wants_u: bool) -> tuple:
    """Gradients of u, w_in, bias and w_rec from the errors (net, time, trial, ...) at the drive."""
    n_trial, errors = errors.shape[2], errors.flatten(1, 2)
    before = states.flatten(1, 2)[:, :-n_trial]
    grad_rec = torch.bmm(before.transpose(1, 2), errors[:, n_trial:])
    grad_in = torch.bmm(u.flatten(1, 2).transpose(1, 2), errors)
    grad_u = torch.bmm(errors, w_in.transpose(1, 2)).view_as(u) if wants_u else None
    return grad_u, grad_in, errors.sum(1, keepdim=True), grad_rec


class Network(Ensemble):
    """What stands between encoder and readout: one of the table `model.NETWORKS`.

    Its constructor takes `n_net`, `n_in` and its `SETTINGS`. `forward` maps inputs (net, trial,
    time, channel), and `draw_noise` as keywords, to the representation (net, trial, time, unit).
    """

    SETTINGS: tuple[str, ...] = ("n_neu",)
    FIXED: dict[str, Any] = {}  # settings that it leaves no choice about
    LEFTOVER: str | None = None  # key of a second readout in the authors' files, unused

    def __init__(self, n_net, n_neu):
        super().__init__(n_net)
        self.n_neu = n_neu

    def draw_noise(self, n_trial: int, n_time: int, generators: Sequence[Generator]) -> Noise:
        """Noise for one batch, each network's numbers from its own generator."""
        return {}

    def last(self, inputs: Tensor, **noise: Tensor) -> Tensor:
        """The representation at the last step alone, (net, trial, unit)."""
        return self(inputs, **noise)[:, :, -1]


class RecurrentNetwork(Network):
    """A network whose state (`N_STATES` blocks of `n_neu` numbers) `step` maps to the next, from 0.

    Projections `inp` of the input and `rec` have `N_GATES` blocks of `n_neu` outputs. One with
    other parameters begins with `Network.__init__` and gives `draw` and `drive` too.
    """

    N_GATES, N_STATES = 1, 1
    FILES = ("{}_ih_l0", "{}_hh_l0")  # keys of the projections in a file, here as torch.nn's
    BOUNDS = (-math.inf, math.inf)  # of the representation
    JITTER = (-0.5, 0.5)  # added where a search for fixed points starts
    inp_weight: Tensor
    inp_bias: Tensor
    rec_bias: Tensor

    def __init__(self, n_net, n_in, n_neu):
        super().__init__(n_net, n_neu)
        self.fan = n_neu  # as in torch.nn
        self.add_linear("inp", n_in, self.N_GATES * n_neu, self.FILES[0])
        self.add_linear("rec", n_neu, self.N_GATES * n_neu, self.FILES[1])

    @property
    def n_state(self) -> int:
        """Numbers in a state; the first `n_neu` are the representation."""
        return self.N_STATES * self.n_neu

    def bounds(self) -> Tensor:
        """Lowest and highest that numbers of a state can be, (2, n_state)."""
        free = [(-math.inf, math.inf)] * (self.n_state - self.n_neu)
        return torch.tensor([self.BOUNDS] * self.n_neu + free).T

    def jitter(self, size: float | None = None) -> tuple[float, float]:
        """Lowest and highest jitter of that size; None: of the usual size."""
        low, high = self.JITTER
        return (low, high) if size is None else (low / high * size, size)

    def drive(self, inputs: Tensor) -> Tensor:
        """What reaches the units from outside: W_in u + b, (net, trial, time, gate * unit)."""
        return affine(inputs, self.inp_weight, self.inp_bias + self.rec_bias)

    def step(self, state: Tensor, drive: Tensor) -> Tensor:
        """State (net, trial, n_state) and drive of one step -> next state."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel)."""
        states = [inputs.new_zeros(len(inputs), inputs.shape[1], self.n_state)]
        for drive in self.drive(inputs).unbind(2):
            states.append(self.step(states[-1], drive))
        return torch.stack(states[1:], 1).transpose(1, 2)[..., : self.n_neu]


class RNN(RecurrentNetwork):
    """Vanilla RNN: r(t) = (1 - a) r(t-1) + a f(W_in u(t) + W_rec r(t-1) + b + noise)."""

    SETTINGS = ("n_neu", "leaky", "activation", "init", "n_sd_net", "tau", "dt")
    FILES = ("inp_to_rec.{}", "rec_to_rec.{}")
    LEFTOVER = "rec_to_out"
    UNUSED = r"rec_to_out\..*"
    SPARSITY = 0.15  # share of non-zero recurrent weights of init = 'sparse'

    def __init__(
        self,
        n_net,
        n_in,
        n_neu,
        leaky=True,  # False: r(t) = r(t-1) + a f(...)
        activation="relu",  # or 'tanh'
        init="default",  # of the recurrent weights; or 'ortho', 'sparse'
        n_sd_net=0.0,  # noise inside f; its standard deviation is n_sd_net / sqrt(dt)
        tau=100,  # ms, time constant; a = dt / tau
        dt=100,  # ms per step
    ):
        super().__init__(n_net, n_in, n_neu)
        self.activation, self.init, self.fan = activation, init, None
        self.alpha, self.sigma = dt / tau, n_sd_net / math.sqrt(dt)
        self.keep_r = 1 - self.alpha if leaky else 1.0
        relu = activation == "relu"
        high, size = (math.inf, 6.0) if relu else (1.0, 0.5)  # jitter U(0, 6) as in the paper
        if not leaky:  # what is added to a silent unit stays there
            high, size = math.inf, 0.01
        self.BOUNDS, self.JITTER = (0.0 if relu else -high, high), (0.0 if relu else -size, size)

    @torch.no_grad()
    def draw(self, net, rng):
        """As `Ensemble.draw`; recurrent weights as `init` says."""
        super().draw(net, rng)
        weight = self.rec_weight[net]
        if self.init == "ortho":
            nn.init.orthogonal_(weight, generator=rng)
        elif self.init == "sparse":
            n_zero = self.n_neu - round(self.SPARSITY * self.n_neu)
            weight.normal_(0, math.sqrt(2 / (self.SPARSITY * self.n_neu)), generator=rng)
            for unit in range(self.n_neu):
                weight[torch.randperm(self.n_neu, generator=rng)[:n_zero], unit] = 0

    def draw_noise(self, n_trial, n_time, generators):
        """Noise (net, trial, time, unit), standard normal."""
        if self.sigma == 0:
            return {}
        shape = n_trial, n_time, self.n_neu
        draws = [torch.randn(shape, generator=g, device=g.device) for g in generators]
        return {"noise": torch.stack(draws)}

    def step(self, state, drive):
        f = getattr(torch, self.activation)
        return self.keep_r * state + self.alpha * f(torch.baddbmm(drive, state, self.rec_weight))

    def forward(self, inputs, noise=None):
        """As `RecurrentNetwork.forward`; `noise` is scaled by `sigma` and added inside f."""
        noise = None if noise is None else self.sigma * noise.transpose(1, 2)
        u, bias = inputs.transpose(1, 2), self.inp_bias + self.rec_bias
        settings = self.keep_r, self.alpha, self.activation
        states = Recurrence.apply(u, self.inp_weight, bias, self.rec_weight, noise, *settings)
        return states.transpose(1, 2)


class Gated(torch.autograd.Function):
    """All steps of the LSTM and their gradient, as `Recurrence`."""

    @staticmethod
    def forward(ctx, u, w_in, bias, w_rec):
        """Outputs h (net, time, trial, unit); weights have a block for each gate i, f, g, o."""
        gates = drive_of(u, w_in, bias)  # the drive first, then the values of the gates
        hs = u.new_empty(*u.shape[:3], w_rec.shape[1])
        cells, squashed = torch.empty_like(hs), torch.empty_like(hs)  # c and tanh(c)
        total, h, c = torch.empty_like(gates[:, 0]), None, None
        total_g = total.chunk(4, -1)[2]
        every = steps(gates, *gates.chunk(4, -1), hs, cells, squashed)
        for now, i, f, g, o, h_now, c_now, squashed_now in every:
            if h is None:
                total.copy_(now)
            else:
                torch.baddbmm(now, h, w_rec, out=total)
            torch.sigmoid(total, out=now)  # of g too, for one pass over what lies together
            torch.tanh(total_g, out=g)
            torch.mul(i, g, out=c_now)
            if c is not None:
                c_now.addcmul_(f, c)
            torch.mul(torch.tanh(c_now, out=squashed_now), o, out=h_now)
            h, c = h_now, c_now
        ctx.save_for_backward(u, w_in, w_rec, gates, hs, cells, squashed)
        return hs

    @staticmethod
    def backward(ctx, grad):
        """Errors, dL/d(drive), first hold their multiple of dL/dc, or of dL/dh for gate o."""
        u, w_in, w_rec, gates, hs, cells, squashed = ctx.saved_tensors
        errors, back = torch.empty_like(gates), w_rec.transpose(1, 2).contiguous()
        (i, f, g, o), (by_i, by_f, by_g, by_o) = gates.chunk(4, -1), errors.chunk(4, -1)
        aten.sigmoid_backward.grad_input(g, i, grad_input=by_i)
        by_f[:, 0] = 0  # c = 0 before the first step
        aten.sigmoid_backward.grad_input(cells[:, :-1], f[:, 1:], grad_input=by_f[:, 1:])
        aten.tanh_backward.grad_input(i, g, grad_input=by_g)
        aten.sigmoid_backward.grad_input(squashed, o, grad_input=by_o)
        h_to_c = aten.tanh_backward(o, squashed)
        by_ifg = errors.unflatten(-1, (4, -1))[..., :3, :]
        d_h, d_c, later = torch.zeros_like(hs[:, 0]), torch.zeros_like(hs[:, 0]), None
        d_c_of_each = d_c.unsqueeze(-2)
        every = steps(grad, errors, by_ifg, by_o, f, h_to_c)
        for d_h_now, error, ifg, o_now, f_now, to_c in reversed(every):
            if later is None:
                d_h.copy_(d_h_now)
            else:
                torch.baddbmm(d_h_now, later, back, out=d_h)
            d_c.addcmul_(d_h, to_c)
            ifg.mul_(d_c_of_each)
            o_now.mul_(d_h)
            d_c.mul_(f_now)
            later = error
        return gradients_of(u, w_in, hs, errors, ctx.needs_input_grad[0])


class LSTM(RecurrentNetwork):
    """One layer as torch.nn.LSTM; the representation is the output h, the state (h, c)."""

    N_GATES, N_STATES = 4, 2
    BOUNDS = (-1.0, 1.0)

    def step(self, state, drive):
        h, c = state.split(self.n_neu, -1)
        i, f, g, o = torch.baddbmm(drive, h, self.rec_weight).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], -1)

    def forward(self, inputs):
        u, bias = inputs.transpose(1, 2), self.inp_bias + self.rec_bias
        return Gated.apply(u, self.inp_weight, bias, self.rec_weight).transpose(1, 2)


class GRU(RecurrentNetwork):
    """One layer as torch.nn.GRU, which the paper does not have; autograd goes back its steps."""

    N_GATES = 3
    BOUNDS = (-1.0, 1.0)

    def drive(self, inputs):
        """W_in u + b_in; the recurrent bias stands inside the reset gate's product."""
        return affine(inputs, self.inp_weight, self.inp_bias)

    def step(self, state, drive):
        r_in, z_in, n_in = drive.chunk(3, -1)
        r, z, n = torch.baddbmm(self.rec_bias, state, self.rec_weight).chunk(3, -1)
        r, z = torch.sigmoid(r_in + r), torch.sigmoid(z_in + z)
        n = torch.tanh(n_in + r * n)
        return n + z * (state - n)
