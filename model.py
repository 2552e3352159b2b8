"""Encoder, network and readout of an ensemble, put together."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

import tasks
from controls import EncoderLast, EncoderMean, InputMean
from RNN import GRU, LSTM, RNN, Ensemble, Network, Noise, affine, net_blocks
from transformer import GPT2
from util import UserError, generator

NETWORKS: dict[str, type[Network]] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU, "gpt-2": GPT2}
NETWORKS |= {"encoder-mean": EncoderMean, "encoder-last": EncoderLast}  # controls
NETWORKS["input-mean"] = InputMean
NOISE_ENC = 20  # standard deviation of noise after the encoder: n_sd_in / 20


class Encoder(Ensemble):
    """The frozen random encoder in front of every network (appendix of the paper).

    D -> 100 -> 100 -> 40 with a non-linearity between; fixation and rule channels of the task
    bypass it. Without `encode` the network sees the raw channels. `activ` is one of `ACTIVATIONS`:

    - 'ReLU', as in the paper, or 'Quad', the square.
    - 'Fourier' (ours): the first layer is cos(W x + b) with W ~ N(0, 1 / scale^2), b ~ U(0, 2 pi),
      the next non-linearity ReLU. It mixes the factors the more, the smaller its length scale is.
    - 'ScaledReLU' (ours): 'ReLU', the last layer multiplied so that features vary over the square
      as much as those of 'Fourier' do, as a control for their size.
    """

    WIDTHS, N_SCALE = (100, 100, 40), 4096
    ACTIVATIONS = ("ReLU", "Quad", "Fourier", "ScaledReLU")
    SETTINGS = ("activ_enc", "encode", "enc_scale")

    def __init__(self, n_net, task, activ="ReLU", encode=True, scale=0.12):
        super().__init__(n_net)
        self.task, self.evidence, self.encode = task, task.evidence, encode
        self.activ, self.scale = activ, scale
        n_dim = self.evidence.stop - self.evidence.start
        self.n_features = self.WIDTHS[-1] if encode else n_dim
        self.n_out = task.n_channel - n_dim + self.n_features
        self.features = slice(self.evidence.start, self.evidence.start + self.n_features)
        for i, widths in enumerate(pairwise((n_dim, *self.WIDTHS)) if encode else ()):
            self.add_linear(f"layer{i}", *widths, f"{2 * i}.{{}}")
        self.made_of, self.products = [], []
        self.requires_grad_(False)

    @torch.no_grad()
    def draw(self, net: int, rng: Generator) -> None:
        """Fresh weights for one network."""
        super().draw(net, rng)
        if self.encode and self.activ == "Fourier":
            weight, bias = (self.as_in_file(f"layer0_{part}", net) for part in ("weight", "bias"))
            weight.copy_(torch.randn(weight.shape, generator=rng) / self.scale)
            bias.uniform_(0, 2 * math.pi, generator=rng)
        if self.encode and self.activ == "ScaledReLU":
            own, wanted = Encoder(1, self.task), Encoder(1, self.task, "Fourier", scale=self.scale)
            own.from_file(0, self.to_file(net))
            wanted.draw(0, rng)
            x = torch.zeros(1, self.N_SCALE, 1, self.task.n_channel)
            x[..., self.evidence].uniform_(-0.5, 0.5, generator=rng)
            plain, mixed = (e(x)[..., self.features].var((0, 1, 2)).mean() for e in (own, wanted))
            for part in ("weight", "bias"):
                self.as_in_file(f"layer2_{part}", net).mul_((mixed / plain).sqrt())

    def layers(self) -> list[Tensor]:
        """The three layers as products on columns that end with a 1, (net, out or out + 1, in + 1).

        The last column is the bias; the last row of the first two passes the 1 on. They are kept
        until a parameter changes.
        """
        made_of = [(p.data_ptr(), p._version) for p in self.parameters()]
        if made_of != self.made_of:
            parameters = [p.transpose(1, 2) for p in self.parameters()]  # weight, bias, weight, ...
            layers = [torch.cat(parameters[i : i + 2], 2) for i in (0, 2, 4)]
            for i in range(2):
                layers[i] = nn.functional.pad(layers[i], (0, 0, 0, 1))
                layers[i][:, -1, -1] = 1
            self.made_of, self.products = made_of, layers
        return self.products

    @torch.no_grad()
    def forward(self, inputs: Tensor) -> Tensor:
        """(net, trial, time, channel) -> (net, trial, time, n_out)."""
        if not self.encode:
            return inputs
        columns = inputs.permute(0, 3, 2, 1)
        n_net, _, n_time, n_trial = columns.shape
        evidence = columns[:, self.evidence]
        raw = inputs.new_ones(n_net, evidence.shape[1] + 1, n_time, n_trial)
        raw[:, :-1] = evidence
        out = inputs.new_empty(n_net, self.n_out, n_time, n_trial)
        out[:, : self.features.start] = columns[:, : self.evidence.start]
        out[:, self.features.stop :] = columns[:, self.evidence.stop :]
        squash = torch.square_ if self.activ == "Quad" else torch.relu_  # leaves the constant 1
        squash_first = (lambda h: h[:, :-1].cos_()) if self.activ == "Fourier" else squash
        layers = self.layers()
        for nets in net_blocks(out):
            first, second, third = (layer[nets] for layer in layers)
            h = torch.bmm(first, raw[nets].flatten(2))
            squash_first(h)
            h = squash(torch.bmm(second, h))
            out[nets, self.features] = torch.bmm(third, h).unflatten(2, (n_time, n_trial))
        return out.permute(0, 3, 2, 1)


class Readout(Ensemble):
    """Linear map from the representation to one logit per task, padded to the most tasks."""

    def __init__(self, n_neu, n_tasks):
        super().__init__(len(n_tasks))
        self.n_outs = list(n_tasks)
        self.add_linear("out", n_neu, max(n_tasks), "0.{}")

    def forward(self, rates: Tensor) -> Tensor:
        """(net, trial, time, unit) -> logits (net, trial, time, task)."""
        return affine(rates, self.get_parameter("out_weight"), self.get_parameter("out_bias"))


class Model(nn.Module):
    """Encoder, network and readout of an ensemble, from the settings of each network."""

    def __init__(self, configs):
        super().__init__()
        first, n_net = configs[0], len(configs)
        task, kind = tasks.make_task(first), NETWORKS[first["network"]]
        self.encoder = Encoder(n_net, task, *(first[name] for name in Encoder.SETTINGS))
        settings = {name: first[name] for name in kind.SETTINGS}
        self.network = kind(n_net, self.encoder.n_out, **settings)
        self.readout = Readout(first["n_neu"], [config["n_task"] for config in configs])
        self.sd_enc = first["n_sd_in"] / NOISE_ENC if first["noise_enc"] else 0.0
        self.evidence_steps = task.evidence_steps  # where trials of training show evidence

    @property
    def parts(self) -> dict[str, Ensemble]:
        """The parts by the name under which a checkpoint keeps them."""
        parts = {"encoder": self.encoder, "state_dict": self.network, "decoder": self.readout}
        return {name: part for name, part in parts.items() if part is not None}

    def draw(self, seeds: Sequence[dict[str, int]]) -> None:
        """Fresh weights: `seeds` holds what `settings.seeds_of` gives for each network."""
        for net, seed in enumerate(seeds):
            self.encoder.draw(net, generator(seed["encoder"]))
            rng = generator(seed["weights"])
            self.network.draw(net, rng)
            self.readout.draw(net, rng)

    def keep(self, nets: Sequence[int]) -> None:
        """Go on with these networks only."""
        for part in self.parts.values():
            part.keep(nets)

    def draw_noise(
        self, n_trial: int, n_time: int, rngs: Sequence[Generator], trial_num=1, evidence_steps=None
    ) -> Noise:
        """What is drawn anew for every batch beside its trials; keyword arguments of `forward`.

        `n_time` steps hold `trial_num` trials in a row. Noise after the encoder comes in the
        `evidence_steps` of each, a slice; None: as in training.
        """
        noise = self.network.draw_noise(n_trial, n_time, rngs)
        if self.sd_enc:
            steps, n_step = evidence_steps or self.evidence_steps, n_time // trial_num
            shape = n_trial, trial_num, len(range(n_step)[steps]), self.encoder.n_features
            draws = [torch.randn(shape, generator=g, device=g.device) for g in rngs]
            every = draws[0].new_zeros(len(draws), *shape[:2], n_step, shape[-1])
            every[:, :, :, steps] = torch.stack(draws)
            noise["encoder_noise"] = every.flatten(2, 3)
        return noise

    def add_noise(self, u: Tensor, encoder_noise: Tensor | None = None) -> Tensor:
        """u (net, trial, time, n_in) with noise (net, trial, time, feature) after the encoder."""
        if encoder_noise is not None:
            u = u.clone()
            u[..., self.encoder.features] += self.sd_enc * encoder_noise
        return u

    def represent(self, inputs: Tensor, encoder_noise=None, **noise: Tensor) -> Tensor:
        """inputs (net, trial, time, channel) -> representation (net, trial, time, unit)."""
        return self.network(self.add_noise(self.encoder(inputs), encoder_noise), **noise)

    def represent_last(self, inputs: Tensor, encoder_noise=None, **noise: Tensor) -> Tensor:
        """As `represent`, the last step alone: (net, trial, unit)."""
        return self.network.last(self.add_noise(self.encoder(inputs), encoder_noise), **noise)

    def respond(self, u: Tensor, encoder_noise=None, **noise: Tensor) -> Tensor:
        """As `forward`, for inputs that the encoder has seen already."""
        if self.readout is None:
            raise UserError("the authors' files hold no readout, which this needs")
        return self.readout(self.network(self.add_noise(u, encoder_noise), **noise))

    def forward(self, inputs: Tensor, **noise: Tensor) -> Tensor:
        """inputs (net, trial, time, channel) -> logits (net, trial, time, task)."""
        return self.respond(self.encoder(inputs), **noise)
