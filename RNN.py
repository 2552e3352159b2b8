"""Recurrent networks, many side by side.

One network is an ensemble of one: the leading axis of every parameter and activation is the
network. Activations are (net, trial, time, unit); in memory time runs before trial, so that one
step of all trials is a block and (time, trial) flattens without a copy.
Weights are stored (net, in, out), the order of the products; files hold (out, in).
"""

import math

import torch
from torch import nn

from util import UserError


def flat(x):
    """(net, trial, time, unit) -> (net, time * trial, unit), a view for our memory order."""
    return x.transpose(1, 2).flatten(1, 2)


def unflat(x, n_trial):
    """(net, time * trial, unit) -> (net, trial, time, unit)."""
    return x.unflatten(1, (-1, n_trial)).transpose(1, 2)


def steps(*tensors):
    """Each tensor (net, time, ...) as a tuple of its steps, views made once."""
    return [x.unbind(1) for x in tensors]


CACHE = 100_000  # numbers per block of networks on a CPU; half or twice as many make no difference


def net_blocks(x, at_least=4):
    """Slices over networks, each so small that what is made of it stays in the cache.

    None is smaller than `at_least` networks, below which the overhead of a call would show.
    """
    at_once = len(x) if x.is_cuda else max(at_least, CACHE // max(1, x[0].numel()))
    return [slice(start, start + at_once) for start in range(0, len(x), at_once)]


class Ensemble(nn.Module):
    """`n_net` networks side by side; knows how one of them looks in a file.

    Subclasses give `FILE_KEYS`: parameter name -> key in the file. Weights are (out, in) there, but
    for those in `STORED_IN_OUT`. Keys that begin with a name in `UNUSED` are passed over.
    """

    FILE_KEYS: dict[str, str] = {}
    STORED_IN_OUT: tuple[str, ...] = ()
    UNUSED: tuple[str, ...] = ()

    def __init__(self, n_net):
        super().__init__()
        self.n_net = n_net

    def add_linear(self, name, n_in, n_out):
        """Add parameters `name`_weight (net, in, out) and `name`_bias (net, 1, out)."""
        weight = nn.Parameter(torch.zeros(self.n_net, n_in, n_out))
        self.register_parameter(f"{name}_weight", weight)
        self.add_vector(f"{name}_bias", n_out)

    def add_vector(self, name, n_out):
        """Add a parameter (net, 1, out)."""
        self.register_parameter(name, nn.Parameter(torch.zeros(self.n_net, 1, n_out)))

    @torch.no_grad()
    def draw_linear(self, name, net, rng, n_out=None, fan=None):
        """PyTorch's default for nn.Linear, U(-1, 1) / sqrt(n_in), for one network.

        With `n_out` only the first outputs are drawn; the rest is padding and stays 0.
        `fan` takes the place of n_in under the root.
        """
        weight = self.get_parameter(f"{name}_weight")[net]
        bias = self.get_parameter(f"{name}_bias")[net, 0]
        n_in, n_out = len(weight), len(bias) if n_out is None else n_out
        draw = torch.empty(n_out, n_in + 1)
        draw.uniform_(-1, 1, generator=rng).div_(math.sqrt(fan or n_in))
        weight[:, :n_out] = draw[:, :n_in].T
        bias[:n_out] = draw[:, n_in]

    def as_in_file(self, name, net, n_out=None):
        """A parameter of one network in the shape it has in files, as a view; see `n_out` below."""
        value = self.get_parameter(name)[net].detach()
        if len(value) == 1 and not name.endswith("weight"):
            return value[0, :n_out]
        return value if name in self.STORED_IN_OUT else value.T[:n_out]

    def to_file(self, net, n_out=None):
        """State dict of one network as in files, on the CPU; the first `n_out` outputs of it."""
        names = self.FILE_KEYS.items()
        return {key: self.as_in_file(name, net, n_out).cpu().clone() for name, key in names}

    @torch.no_grad()
    def from_file(self, net, state, n_out=None):
        """Load one network from a state dict as in files.

        With `n_out` the file holds that many outputs and the rest is padding.

        Raises:
            UserError: a tensor is missing, unknown, of the wrong shape, or not finite.
        """
        if not isinstance(state, dict):
            raise UserError("is no dict of tensors")
        unknown = [k for k in state if k not in self.FILE_KEYS.values() and not self.is_unused(k)]
        if unknown:
            raise UserError(f"tensor {unknown[0]} is not one of this network")
        for name, key in self.FILE_KEYS.items():
            if not isinstance(state.get(key), torch.Tensor):
                raise UserError(f"tensor {key} is missing")
            value, own = state[key], self.as_in_file(name, net, n_out)
            if value.shape != own.shape:
                shapes = f"{tuple(value.shape)}, not {tuple(own.shape)}"
                raise UserError(f"tensor {key} has shape {shapes}")
            if not value.isfinite().all():
                raise UserError(f"tensor {key} holds values that are not finite")
            own.copy_(value)

    def is_unused(self, key):
        """Is this a tensor that files may hold and nothing uses?"""
        return key.split(".")[0] in self.UNUSED

    @torch.no_grad()
    def keep(self, nets):
        """Go on with these networks only; parameters become new, smaller ones."""
        for name, parameter in list(self.named_parameters(recurse=False)):
            kept = nn.Parameter(parameter[nets].clone(), requires_grad=parameter.requires_grad)
            self.register_parameter(name, kept)
        self.n_net = len(nets)


aten = torch.ops.aten
ACTIVATIONS = {  # f(x, out), and its slope in terms of f's output
    "relu": (lambda x, out: torch.clamp_min(x, 0, out=out), torch.sign),
    "tanh": (lambda x, out: torch.tanh(x, out=out), lambda f: 1 - f.square()),
}


class Recurrence(torch.autograd.Function):
    """All steps of the vanilla RNN, with back-propagation through time written out.

    Autograd would make one weight gradient per step and add them up; here the steps only pass the
    error back, in place, and each weight gradient is one product at the end.
    `RNN.step` is the same map one step at a time; tests/ compares the two, gradients included.
    """

    @staticmethod
    def forward(ctx, u, w_in, bias, w_rec, noise, keep, alpha, activation):
        """One buffer holds the drive first, then the values of f.

        Args:
            u: inputs (net, time, trial, channel).
            w_in, bias, w_rec: (net, channel, unit), (net, 1, unit), (net, unit, unit).
            noise: None, or what is added inside f, as the states.
            keep, alpha: r(t) = keep r(t-1) + alpha f(...).

        Returns:
            states (net, time, trial, unit).
        """
        f, _ = ACTIVATIONS[activation]
        plain = keep == 0 and alpha == 1  # then the state is the value of f itself
        fs = drive_of(u, w_in, bias)
        if noise is not None:
            fs += noise
        states = fs if plain else torch.empty_like(fs)
        f_at = fs.unbind(1)
        r_at = f_at if plain else states.unbind(1)
        f(f_at[0], f_at[0])  # r(0) = 0
        if not plain:
            torch.mul(f_at[0], alpha, out=r_at[0])
        total = u.new_empty(r_at[0].shape)
        for now, r, r_next in zip(f_at[1:], r_at, r_at[1:], strict=False):
            f(torch.baddbmm(now, r, w_rec, out=total), now)
            if not plain:
                torch.mul(now, alpha, out=r_next).add_(r, alpha=keep)
        ctx.save_for_backward(u, w_in, w_rec, states, fs)
        ctx.settings = keep, alpha, activation, plain
        return states

    @staticmethod
    def backward(ctx, grad):
        """The error of step t is dL/d(drive t); total is dL/d(state t).

        Errors first hold alpha times the slope of f, of all steps at once; the steps then multiply
        each with its total.
        """
        u, w_in, w_rec, states, fs = ctx.saved_tensors
        keep, alpha, activation, plain = ctx.settings
        _, slope = ACTIVATIONS[activation]
        errors, back = slope(fs), w_rec.transpose(1, 2).contiguous()
        if alpha != 1:
            errors.mul_(alpha)
        total, later = torch.empty_like(fs[:, 0]), None
        for now, error in reversed(list(zip(*steps(grad, errors), strict=True))):
            if later is None:
                total.copy_(now)
            else:
                carried = now if plain else torch.add(now, total, alpha=keep)
                torch.baddbmm(carried, later, back, out=total)
            later = error.mul_(total)
        gradients = gradients_of(u, w_in, states, errors, ctx.needs_input_grad[0])
        return *gradients, None, None, None, None


def drive_of(u, w_in, bias):
    """W_in u + b of all steps, (net, time, trial, out), networks in blocks."""
    drive = u.new_empty(*u.shape[:3], w_in.shape[-1])
    for nets in net_blocks(drive):
        torch.baddbmm(bias[nets], u[nets].flatten(1, 2), w_in[nets], out=drive[nets].flatten(1, 2))
    return drive


def gradients_of(u, w_in, states, errors, wants_u):
    """Gradients of u, w_in, bias and w_rec from the errors at the drive, all steps in one product.

    u, states, errors: (net, time, trial, ...); the state before the first step is 0.
    """
    n_trial, errors = errors.shape[2], errors.flatten(1, 2)
    before = states.flatten(1, 2)[:, :-n_trial]
    grad_rec = torch.bmm(before.transpose(1, 2), errors[:, n_trial:])
    grad_in = torch.bmm(u.flatten(1, 2).transpose(1, 2), errors)
    grad_u = torch.bmm(errors, w_in.transpose(1, 2)).view_as(u) if wants_u else None
    return grad_u, grad_in, errors.sum(1, keepdim=True), grad_rec


class Network(Ensemble):
    """What stands between encoder and readout: one of the table `model.NETWORKS`.

    Subclasses give `SETTINGS`, the settings of `train.Config` that they take as arguments after
    `n_net` and `n_in`; `draw` fresh weights; and `forward` from inputs (net, trial, time, channel)
    to the representation (net, trial, time, unit).
    """

    SETTINGS: tuple[str, ...] = ("n_neu",)
    N_BATCH = 100_000  # batches of a training in the paper

    def draw(self, net, rng):
        """Fresh weights for one network."""
        raise NotImplementedError

    def draw_noise(self, n_trial, n_time, generators):
        """Keyword arguments of `forward` that are drawn anew for every batch.

        Each network's numbers come from its own generator. Dropout is drawn in training mode only.
        """
        return {}

    def last(self, inputs, **noise):
        """The representation at the last step alone, (net, trial, unit)."""
        return self(inputs, **noise)[:, :, -1]


class RecurrentNetwork(Network):
    """A network with an input projection `inp` and a recurrent one `rec`, r(0) = 0.

    Subclasses give `N_GATES`, the blocks of `n_neu` outputs of both; and `step`, the one-step map.
    """

    N_GATES = 1

    def __init__(self, n_net, n_in, n_neu):
        super().__init__(n_net)
        self.n_neu = n_neu
        self.add_linear("inp", n_in, self.N_GATES * n_neu)
        self.add_linear("rec", n_neu, self.N_GATES * n_neu)

    @property
    def n_state(self):
        """Numbers in the state that `step` maps."""
        return self.n_neu

    def drive(self, inputs):
        """What reaches the units from outside: W_in u + b, (net, trial, time, unit)."""
        bias = self.inp_bias + self.rec_bias
        return unflat(torch.baddbmm(bias, flat(inputs), self.inp_weight), inputs.shape[1])

    def step(self, state, drive):
        """The one-step map: state (net, trial, n_state) and drive of one step -> next state.

        The first `n_neu` numbers of a state are the representation.
        """
        raise NotImplementedError


class RNN(RecurrentNetwork):
    """Vanilla RNN (SPEC 3): r(t) = (1 - a) r(t-1) + a f(W_in u(t) + W_rec r(t-1) + b + noise).

    Args:
        n_net: networks.
        n_in: input channels.
        n_neu: units.
        leaky: with False, r(t) = r(t-1) + a f(...).
        activation: 'relu' or 'tanh'.
        init: of the recurrent weights: 'default', 'ortho', or 'sparse' (15 % non-zero).
        n_sd_net: noise inside f; standard deviation n_sd_net / sqrt(dt).
        tau, dt: time constant and step in ms; a = dt / tau.
    """

    SETTINGS = ("n_neu", "leaky", "activation", "init", "n_sd_net", "tau", "dt")
    FILE_KEYS = {
        f"{short}_{kind}": f"{long}.{kind}"
        for short, long in (("inp", "inp_to_rec"), ("rec", "rec_to_rec"))
        for kind in ("weight", "bias")
    }
    UNUSED = ("rec_to_out",)  # in the authors' files
    SPARSITY = 0.15  # share of non-zero recurrent weights of init = 'sparse'

    def __init__(
        self,
        n_net,
        n_in,
        n_neu,
        leaky=True,
        activation="relu",
        init="default",
        n_sd_net=0.0,
        tau=100,
        dt=100,
    ):
        super().__init__(n_net, n_in, n_neu)
        self.activation, self.init = activation, init
        self.alpha, self.sigma = dt / tau, n_sd_net / math.sqrt(dt)
        self.keep_r = 1 - self.alpha if leaky else 1.0

    @torch.no_grad()
    def draw(self, net, rng):
        """Fresh weights for one network."""
        self.draw_linear("inp", net, rng)
        self.draw_linear("rec", net, rng)
        weight = self.rec_weight[net]
        if self.init == "ortho":
            nn.init.orthogonal_(weight, generator=rng)
        elif self.init == "sparse":
            n_zero = self.n_neu - round(self.SPARSITY * self.n_neu)
            weight.normal_(0, math.sqrt(2 / (self.SPARSITY * self.n_neu)), generator=rng)
            for unit in range(self.n_neu):
                weight[torch.randperm(self.n_neu, generator=rng)[:n_zero], unit] = 0

    def draw_noise(self, n_trial, n_time, generators):
        """As `Network.draw_noise`: noise (net, trial, time, unit), standard normal."""
        if self.sigma == 0:
            return {}
        shape = n_trial, n_time, self.n_neu
        noise = [torch.randn(shape, generator=g, device=g.device) for g in generators]
        return {"noise": torch.stack(noise)}

    def step(self, state, drive):
        """As `RecurrentNetwork.step`; the state is r."""
        f = torch.relu if self.activation == "relu" else torch.tanh
        return self.keep_r * state + self.alpha * f(torch.baddbmm(drive, state, self.rec_weight))

    def forward(self, inputs, noise=None):
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel).

        Args:
            noise: standard normal, shaped as the output; scaled by `sigma` and added inside f.
        """
        if noise is not None:
            noise = self.sigma * noise.transpose(1, 2)
        states = Recurrence.apply(
            inputs.transpose(1, 2),
            self.inp_weight,
            self.inp_bias + self.rec_bias,
            self.rec_weight,
            noise,
            self.keep_r,
            self.alpha,
            self.activation,
        )
        return states.transpose(1, 2)


def parts(x, n):
    """The last axis in n equal parts, as views."""
    return x.unflatten(-1, (n, -1)).unbind(-2)


class Gated(torch.autograd.Function):
    """All steps of the LSTM, with back-propagation through time written out, as `Recurrence`.

    `LSTM.step` is the same map one step at a time; tests/ compares both with torch.nn.LSTM.
    """

    @staticmethod
    def forward(ctx, u, w_in, bias, w_rec):
        """One buffer holds the drive first, then the values of the gates i, f, g, o.

        Args:
            u: inputs (net, time, trial, channel).
            w_in, bias, w_rec: (net, channel, 4 unit), (net, 1, 4 unit), (net, unit, 4 unit).

        Returns:
            outputs h (net, time, trial, unit).
        """
        gates = drive_of(u, w_in, bias)
        hs = u.new_empty(*u.shape[:3], w_rec.shape[1])
        cells, squashed = torch.empty_like(hs), torch.empty_like(hs)  # c and tanh(c)
        total, h, c = torch.empty_like(gates[:, 0]), None, None
        total_g = parts(total, 4)[2]
        every = (gates, *parts(gates, 4), hs, cells, squashed)
        for now, i, f, g, o, h_now, c_now, squashed_now in zip(*steps(*every), strict=True):
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
        """errors are dL/d(drive), one block per gate; d_h and d_c are dL/dh and dL/dc.

        What an error is as a multiple of d_c, or of d_h for gate o, is known for all steps at
        once; the steps then only multiply.
        """
        u, w_in, w_rec, gates, hs, cells, squashed = ctx.saved_tensors
        errors, back = torch.empty_like(gates), w_rec.transpose(1, 2).contiguous()
        (i, f, g, o), (by_i, by_f, by_g, by_o) = parts(gates, 4), parts(errors, 4)
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
        for d_h_now, error, ifg, o, f, to_c in reversed(list(zip(*every, strict=True))):
            if later is None:
                d_h.copy_(d_h_now)
            else:
                torch.baddbmm(d_h_now, later, back, out=d_h)
            d_c.addcmul_(d_h, to_c)
            ifg.mul_(d_c_of_each)
            o.mul_(d_h)
            d_c.mul_(f)
            later = error
        return gradients_of(u, w_in, hs, errors, ctx.needs_input_grad[0])


class TorchLayout(RecurrentNetwork):
    """A recurrent network with the parameters, file layout and initialisation of torch.nn's."""

    FILE_KEYS = {
        f"{short}_{kind}": f"{kind}_{end}"
        for short, end in (("inp", "ih_l0"), ("rec", "hh_l0"))
        for kind in ("weight", "bias")
    }

    def draw(self, net, rng):
        """U(-1, 1) / sqrt(n_neu) for all parameters."""
        self.draw_linear("inp", net, rng, fan=self.n_neu)
        self.draw_linear("rec", net, rng, fan=self.n_neu)


class LSTM(TorchLayout):
    """One layer as torch.nn.LSTM; the representation is the output h (SPEC 3).

    Args:
        n_net, n_in, n_neu: networks, input channels, units.
    """

    N_GATES = 4

    @property
    def n_state(self):
        """h and c."""
        return 2 * self.n_neu

    def step(self, state, drive):
        """As `RecurrentNetwork.step`; the state is (h, c)."""
        h, c = state.split(self.n_neu, -1)
        i, f, g, o = parts(torch.baddbmm(drive, h, self.rec_weight), 4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.cat([torch.sigmoid(o) * torch.tanh(c), c], -1)

    def forward(self, inputs):
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel)."""
        bias = self.inp_bias + self.rec_bias
        u = inputs.transpose(1, 2)
        return Gated.apply(u, self.inp_weight, bias, self.rec_weight).transpose(1, 2)


class GRU(TorchLayout):
    """One layer as torch.nn.GRU, which the paper does not have; steps are left to autograd.

    Args:
        n_net, n_in, n_neu: networks, input channels, units.
    """

    N_GATES = 3

    def drive(self, inputs):
        """W_in u + b_in; the recurrent bias stands inside the reset gate's product."""
        drive = torch.baddbmm(self.inp_bias, flat(inputs), self.inp_weight)
        return unflat(drive, inputs.shape[1])

    def step(self, state, drive):
        """As `RecurrentNetwork.step`; the state is h."""
        (r_in, z_in, n_in) = parts(drive, 3)
        r, z, n = parts(torch.baddbmm(self.rec_bias, state, self.rec_weight), 3)
        r, z = torch.sigmoid(r_in + r), torch.sigmoid(z_in + z)
        n = torch.tanh(n_in + r * n)
        return n + z * (state - n)

    def forward(self, inputs):
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel)."""
        states = [inputs.new_zeros(len(inputs), inputs.shape[1], self.n_neu)]
        for drive in self.drive(inputs).unbind(2):
            states.append(self.step(states[-1], drive))
        return torch.stack(states[1:], 1).transpose(1, 2)
