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


CACHE = 100_000  # numbers per block of networks on a CPU; half or twice as many make no difference


def net_blocks(x):
    """Slices over networks, each so small that what is made of it stays in the cache."""
    at_once = len(x) if x.is_cuda else max(4, CACHE // max(1, x[0].numel()))
    return [slice(start, start + at_once) for start in range(0, len(x), at_once)]


class Ensemble(nn.Module):
    """`n_net` networks side by side; knows how one of them looks in a file.

    Subclasses give `FILE_KEYS`: parameter name -> key in the file. Weights are transposed there.
    """

    FILE_KEYS: dict[str, str] = {}

    def __init__(self, n_net):
        super().__init__()
        self.n_net = n_net

    def add_linear(self, name, n_in, n_out):
        """Add parameters `name`_weight (net, in, out) and `name`_bias (net, 1, out)."""
        weight = nn.Parameter(torch.zeros(self.n_net, n_in, n_out))
        bias = nn.Parameter(torch.zeros(self.n_net, 1, n_out))
        self.register_parameter(f"{name}_weight", weight)
        self.register_parameter(f"{name}_bias", bias)

    @torch.no_grad()
    def draw_linear(self, name, net, rng, n_out=None):
        """PyTorch's default for nn.Linear, U(-1, 1) / sqrt(n_in), for one network.

        With `n_out` only the first outputs are drawn; the rest is padding and stays 0.
        """
        weight = self.get_parameter(f"{name}_weight")[net]
        bias = self.get_parameter(f"{name}_bias")[net, 0]
        n_in, n_out = len(weight), len(bias) if n_out is None else n_out
        draw = torch.empty(n_out, n_in + 1)
        draw.uniform_(-1, 1, generator=rng).div_(math.sqrt(n_in))
        weight[:, :n_out] = draw[:, :n_in].T
        bias[:n_out] = draw[:, n_in]

    def to_file(self, net, n_out=None):
        """State dict of one network as in files: tensors (out, in), on the CPU."""
        state = {}
        for name, key in self.FILE_KEYS.items():
            value = self.get_parameter(name)[net].detach().cpu()
            state[key] = (value[0] if name.endswith("bias") else value.T)[:n_out].clone()
        return state

    @torch.no_grad()
    def from_file(self, net, state, n_out=None):
        """Load one network from a state dict as in files.

        With `n_out` the file holds that many outputs and the rest is padding.

        Raises:
            UserError: a tensor is missing, of the wrong shape, or not finite.
        """
        for name, key in self.FILE_KEYS.items():
            if not isinstance(state, dict) or not isinstance(state.get(key), torch.Tensor):
                raise UserError(f"tensor {key} is missing")
            value, own = state[key], self.get_parameter(name)[net][:, :n_out]
            shape = (own.shape[1],) if name.endswith("bias") else (own.shape[1], own.shape[0])
            if value.shape != shape:
                raise UserError(f"tensor {key} has shape {tuple(value.shape)}, not {shape}")
            if not value.isfinite().all():
                raise UserError(f"tensor {key} holds values that are not finite")
            own.copy_(value[None] if name.endswith("bias") else value.T)

    @torch.no_grad()
    def keep(self, nets):
        """Go on with these networks only; parameters become new, smaller ones."""
        for name, parameter in list(self.named_parameters(recurse=False)):
            kept = nn.Parameter(parameter[nets].clone(), requires_grad=parameter.requires_grad)
            self.register_parameter(name, kept)
        self.n_net = len(nets)


aten = torch.ops.aten
ACTIVATIONS = {  # f(x, out) and its gradient, written in terms of f's output: (grad, f, out)
    "relu": (
        lambda x, out: torch.clamp_min(x, 0, out=out),
        lambda grad, f, out: aten.threshold_backward.grad_input(grad, f, 0, grad_input=out),
    ),
    "tanh": (
        lambda x, out: torch.tanh(x, out=out),
        lambda grad, f, out: aten.tanh_backward.grad_input(grad, f, grad_input=out),
    ),
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
        fs = u.new_empty(*u.shape[:3], w_rec.shape[-1])
        for nets in net_blocks(fs):
            torch.baddbmm(bias[nets], u[nets].flatten(1, 2), w_in[nets], out=fs[nets].flatten(1, 2))
        if noise is not None:
            fs += noise
        states = fs if plain else torch.empty_like(fs)
        f_at, r_at = fs.unbind(1), states.unbind(1)
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
        """The error of step t is dL/d(drive t); total is dL/d(state t)."""
        u, w_in, w_rec, states, fs = ctx.saved_tensors
        keep, alpha, activation, plain = ctx.settings
        _, f_gradient = ACTIVATIONS[activation]
        errors, back = torch.empty_like(fs), w_rec.transpose(1, 2).contiguous()
        grads, f_at, errors_at = grad.unbind(1), fs.unbind(1), errors.unbind(1)
        total = grads[-1].contiguous()
        for t in reversed(range(len(grads))):
            if t < len(grads) - 1:
                carried = grads[t] if plain else torch.add(grads[t], total, alpha=keep)
                total = torch.baddbmm(carried, errors_at[t + 1], back)
            f_gradient(total if alpha == 1 else alpha * total, f_at[t], errors_at[t])
        n_trial, errors = grad.shape[2], errors.flatten(1, 2)
        before = states.flatten(1, 2)[:, :-n_trial]  # the state before the first step is 0
        grad_rec = torch.bmm(before.transpose(1, 2), errors[:, n_trial:])
        grad_in = torch.bmm(u.flatten(1, 2).transpose(1, 2), errors)
        grad_u = None
        if ctx.needs_input_grad[0]:
            grad_u = torch.bmm(errors, w_in.transpose(1, 2)).view_as(u)
        grad_bias = errors.sum(1, keepdim=True)
        return grad_u, grad_in, grad_bias, grad_rec, None, None, None, None


class RNN(Ensemble):
    """Vanilla RNN (SPEC 3): r(t) = (1 - a) r(t-1) + a f(W_in u(t) + W_rec r(t-1) + b + noise).

    Args:
        n_net: networks.
        n_in: input channels.
        n_neu: units.
        leaky: with False, r(t) = r(t-1) + a f(...).
        activation: 'relu' or 'tanh'.
        init: of the recurrent weights: 'default', 'ortho', or 'sparse' (15 % non-zero).
        alpha: a = dt / tau.
        sigma: standard deviation of the noise inside f.
    """

    FILE_KEYS = {
        f"{short}_{kind}": f"{long}.{kind}"
        for short, long in (("inp", "inp_to_rec"), ("rec", "rec_to_rec"))
        for kind in ("weight", "bias")
    }
    UNUSED_READOUT = True  # the authors' files hold a rec_to_out that nothing uses
    SPARSITY = 0.15  # share of non-zero recurrent weights of init = 'sparse'

    def __init__(
        self,
        n_net,
        n_in,
        n_neu,
        *,
        leaky=True,
        activation="relu",
        init="default",
        alpha=1.0,
        sigma=0.0,
    ):
        super().__init__(n_net)
        self.n_neu, self.activation, self.init = n_neu, activation, init
        self.alpha, self.keep_r, self.sigma = alpha, 1 - alpha if leaky else 1.0, sigma
        self.add_linear("inp", n_in, n_neu)
        self.add_linear("rec", n_neu, n_neu)

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
        """What `forward` takes as noise, each network's from its own generator.

        Returns:
            (net, trial, time, unit), or None where there is no noise.
        """
        if self.sigma == 0:
            return None
        shape = n_trial, n_time, self.n_neu
        return torch.stack([torch.randn(shape, generator=g, device=g.device) for g in generators])

    def drive(self, inputs):
        """What reaches the units from outside: W_in u + b, (net, trial, time, unit)."""
        bias = self.inp_bias + self.rec_bias
        return unflat(torch.baddbmm(bias, flat(inputs), self.inp_weight), inputs.shape[1])

    def step(self, r, drive):
        """The one-step map: state (net, trial, unit) and drive of one step -> next state."""
        f = torch.relu if self.activation == "relu" else torch.tanh
        return self.keep_r * r + self.alpha * f(torch.baddbmm(drive, r, self.rec_weight))

    def forward(self, inputs, noise=None):
        """Representation (net, trial, time, unit) for inputs (net, trial, time, channel), r(0) = 0.

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
