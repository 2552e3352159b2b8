"""Encoder, network and readout put together, saved and loaded: the one place for each."""

import torch
from torch import nn

import released
import tasks
from RNN import ACTIVATIONS, GRU, LSTM, RNN, Ensemble, flat, net_blocks, unflat
from transformer import GPT2
from util import UserError, generator, load_torch

NETWORKS = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU, "gpt-2": GPT2}


class Encoder(Ensemble):
    """The frozen random encoder in front of every network (SPEC 3).

    D -> 100 -> 100 -> 40 with a non-linearity between; fixation and rule channels bypass it.

    Args:
        n_net: networks.
        n_dim: D.
        n_fix, n_rule: channels before and after the evidence.
        activ: 'ReLU', or 'Quad', the square.
        encode: with False the network sees the raw channels.
    """

    WIDTHS = (100, 100, 40)

    def __init__(self, n_net, n_dim, n_fix=1, n_rule=0, activ="ReLU", encode=True):
        super().__init__(n_net)
        self.n_dim, self.n_fix, self.activ, self.encode = n_dim, n_fix, activ, encode
        n_features = self.WIDTHS[-1] if encode else n_dim
        self.n_out = n_fix + n_features + n_rule
        self.features = slice(n_fix, n_fix + n_features)  # outputs that carry evidence
        self.made_of, self.products = None, None
        if encode:
            self.FILE_KEYS = {
                f"layer{i}_{kind}": f"{2 * i}.{kind}"
                for i in range(3)
                for kind in ("weight", "bias")
            }
            widths = zip((n_dim, *self.WIDTHS), self.WIDTHS, strict=False)
            for i, (n_in, n_out) in enumerate(widths):
                self.add_linear(f"layer{i}", n_in, n_out)
        self.requires_grad_(False)

    def draw(self, net, rng):
        """Fresh weights for one network."""
        for i in range(3 if self.encode else 0):
            self.draw_linear(f"layer{i}", net, rng)

    def layers(self):
        """The three layers as products on columns that end with a 1, (net, out or out + 1, in + 1).

        Bias is the weight from that constant; the last row of the first two passes it on. They are
        made once and kept until a parameter changes.
        """
        made_of = [(p.data_ptr(), p._version) for p in self.parameters()]
        if made_of == self.made_of:
            return self.products
        layers = []
        for i in range(3):
            weight = self.get_parameter(f"layer{i}_weight").transpose(1, 2)
            bias = self.get_parameter(f"layer{i}_bias").transpose(1, 2)
            layer = torch.cat([weight, bias], 2)
            if i < 2:
                constant = torch.zeros_like(layer[:, :1])
                constant[..., -1] = 1
                layer = torch.cat([layer, constant], 1)
            layers.append(layer)
        self.made_of, self.products = made_of, layers
        return layers

    @torch.no_grad()
    def forward(self, inputs):
        """(net, trial, time, channel) -> (net, trial, time, n_out)."""
        if not self.encode:
            return inputs
        n_net, n_trial, n_time, _ = inputs.shape
        evidence = slice(self.n_fix, self.n_fix + self.n_dim)
        raw = inputs.new_ones(n_net, self.n_dim + 1, n_time, n_trial)
        raw[:, :-1] = inputs[..., evidence].permute(0, 3, 2, 1)
        out = inputs.new_empty(n_net, self.n_out, n_time, n_trial)
        for ours, theirs in (
            (slice(self.n_fix), slice(self.n_fix)),
            (slice(self.features.stop, None), slice(evidence.stop, None)),
        ):
            out[:, ours] = inputs[..., theirs].permute(0, 3, 2, 1)
        layers = self.layers()
        for nets in net_blocks(out):
            first, second, third = (layer[nets] for layer in layers)
            h = self.squash(torch.bmm(first, raw[nets].flatten(2)))
            h = self.squash(torch.bmm(second, h))
            out[nets, self.features] = torch.bmm(third, h).unflatten(2, (n_time, n_trial))
        return out.permute(0, 3, 2, 1)

    def squash(self, h):
        """The non-linearity, in place; it leaves the constant 1 as it is."""
        return h.square_() if self.activ == "Quad" else h.relu_()


class Readout(Ensemble):
    """Linear map from the representation to one logit per task (SPEC 3).

    Networks with fewer tasks than the widest are padded; the loss never looks at the padding.

    Args:
        n_neu: units.
        n_tasks: tasks of each network.
    """

    FILE_KEYS = {"out_weight": "0.weight", "out_bias": "0.bias"}

    def __init__(self, n_neu, n_tasks):
        super().__init__(len(n_tasks))
        self.n_tasks = list(n_tasks)
        self.add_linear("out", n_neu, max(n_tasks))

    def draw(self, net, rng):
        """Fresh weights for one network."""
        self.draw_linear("out", net, rng, self.n_tasks[net])

    def keep(self, nets):
        """As `Ensemble.keep`."""
        super().keep(nets)
        self.n_tasks = [self.n_tasks[i] for i in nets]
        for name, parameter in list(self.named_parameters()):  # the widest may have gone
            kept = parameter[..., : max(self.n_tasks)].detach().clone()
            self.register_parameter(name, nn.Parameter(kept, parameter.requires_grad))

    def forward(self, rates):
        """(net, trial, time, unit) -> logits (net, trial, time, task)."""
        return unflat(torch.baddbmm(self.out_bias, flat(rates), self.out_weight), rates.shape[1])


class Model(nn.Module):
    """Encoder, network and readout of an ensemble; the one place where they are put together.

    Args:
        configs: one dict of settings per network (see `train.Config`), alike but for `n_task`,
            `run` and `seed`.
    """

    def __init__(self, configs):
        super().__init__()
        first, n_net = configs[0], len(configs)
        task = tasks.make_task(first)
        self.encoder = Encoder(
            n_net, task.n_dim, task.n_fix, task.n_rule, first["activ_enc"], first["encode"]
        )
        kind = NETWORKS[first["network"]]
        settings = {name: first[name] for name in kind.SETTINGS}
        self.network = kind(n_net, self.encoder.n_out, **settings)
        self.readout = Readout(first["n_neu"], [config["n_task"] for config in configs])
        self.sd_enc = first["n_sd_in"] / NOISE_ENC if first["noise_enc"] else 0.0
        self.evidence_steps = task.evidence_steps  # where trials of training show evidence

    @property
    def parts(self):
        """The parts by the name under which a checkpoint keeps them."""
        parts = {"encoder": self.encoder, "state_dict": self.network, "decoder": self.readout}
        return {name: part for name, part in parts.items() if part is not None}

    def draw(self, seeds):
        """Fresh weights: `seeds` holds the dict of `util.seeds_for` of each network."""
        for net, seed in enumerate(seeds):
            self.encoder.draw(net, generator(seed["encoder"]))
            rng = generator(seed["weights"])
            self.network.draw(net, rng)
            self.readout.draw(net, rng)

    def keep(self, nets):
        """Go on with these networks only."""
        for part in self.parts.values():
            part.keep(nets)

    def draw_noise(self, n_trial, n_time, generators, trial_num=1, evidence_steps=None):
        """What is drawn anew for every batch beside its trials; keyword arguments of `forward`.

        Args:
            n_trial, n_time: trials side by side, and steps of all that follow each other.
            generators: one per network.
            trial_num: how many follow each other.
            evidence_steps: slice of each trial's steps that show evidence, where there is noise
                after the encoder; None: as in training.
        """
        noise = self.network.draw_noise(n_trial, n_time, generators)
        if self.sd_enc:
            steps = evidence_steps or self.evidence_steps
            n_step, features = n_time // trial_num, self.encoder.features
            n_feature = features.stop - features.start
            shape = n_trial, trial_num, len(range(n_step)[steps]), n_feature
            draws = [torch.randn(shape, generator=g, device=g.device) for g in generators]
            draws = torch.stack(draws)
            every = draws.new_zeros(len(draws), n_trial, trial_num, n_step, n_feature)
            every[:, :, :, steps] = draws
            noise["encoder_noise"] = every.flatten(2, 3)
        return noise

    def represent(self, inputs, encoder_noise=None, **noise):
        """inputs (net, trial, time, channel) -> representation (net, trial, time, unit).

        Args:
            encoder_noise: (net, trial, time, feature), standard normal where evidence is shown.
            noise: what the network takes.
        """
        return self.network(self.add_noise(self.encoder(inputs), encoder_noise), **noise)

    def represent_last(self, inputs, encoder_noise=None, **noise):
        """As `represent`, the last step alone: (net, trial, unit)."""
        return self.network.last(self.add_noise(self.encoder(inputs), encoder_noise), **noise)

    def add_noise(self, u, encoder_noise):
        """What the network sees, u (net, trial, time, n_in), with the noise after the encoder."""
        if encoder_noise is not None:
            u = u.clone()
            u[..., self.encoder.features] += self.sd_enc * encoder_noise
        return u

    def respond(self, u, encoder_noise=None, **noise):
        """As `forward`, for inputs that the encoder has seen already."""
        if self.readout is None:
            raise UserError("the authors' files hold no readout, which this needs")
        return self.readout(self.network(self.add_noise(u, encoder_noise), **noise))

    def forward(self, inputs, **noise):
        """inputs (net, trial, time, channel) -> logits (net, trial, time, task)."""
        return self.respond(self.encoder(inputs), **noise)


NOISE_ENC = 20  # standard deviation of noise after the encoder: n_sd_in / 20


# ------------------------------------------------------------------ checkpoints (SPEC 8)


def checkpoint(model, net, config, loss_hist, confusion_hist):
    """One network as the content of its file: tensors and plain Python values only.

    Args:
        model: the ensemble.
        net: which of its networks.
        config: that network's settings.
        loss_hist: list of up to 100 tensors (net,).
        confusion_hist: list of up to 100 tensors (net, 2, 2), shares by (true, chosen) class.
    """
    files = {
        name: part.to_file(net, config["n_task"] if name == "decoder" else None)
        for name, part in model.parts.items()
    }
    for unused in model.network.UNUSED:  # code that knows the authors' layout wants these keys
        for kind in ("weight", "bias"):
            files["state_dict"][f"{unused}.{kind}"] = files["decoder"][f"0.{kind}"].clone()
    return {
        **files,
        "loss_hist": torch.tensor([float(loss[net]) for loss in loss_hist]),
        "conf_matr_hist": torch.stack([c[net].cpu() for c in confusion_hist])
        if confusion_hist
        else torch.zeros(0, 2, 2),
        "config": config,
    }


number = (int, float)
CONFIG = {  # settings of a network: types or choices, smallest value, and what it was before it was
    "network": (tuple(NETWORKS), None),  # a setting; a checkpoint without it was made with that
    "activation": (tuple(ACTIVATIONS), None),
    "init": (("default", "ortho", "sparse"), None),
    "task": (tuple(tasks.TASKS), None),
    "leaky": (bool, None),
    "n_neu": (int, 1),
    "tau": (number, 1),
    "n_sd_net": (number, 0),
    "n_layer": (int, 1, 1),
    "n_head": (int, 1, 8),
    "dropout": (number, 0, 0.1),
    "encode": (bool, None, True),
    "activ_enc": (("ReLU", "Quad"), None, "ReLU"),
    "noise_enc": (bool, None, False),
    "n_dim": (int, 1),
    "n_sd_in": (number, 0),
    "dist": (("gauss", "gumbel"), None, "gauss"),
    "corr": (number, -1, 0.0),
    "ar_coef": (number, -1, 0.7),
    "bound": (number, 0, 5.0),
    "rule_input": (bool, None, False),
    "fixation": (int, 0),
    "stimulus": (int, 1),
    "delay": (int, 0),
    "decision": (int, 0),
    "dt": (int, 1),
    "n_batch": (int, 1),
    "batch_sz": (int, 1),
    "lr": (number, 0),
    "CE_loss": (bool, None, True),
    "bal_err": (bool, None, False),
    "pen_end": (bool, None, False),
    "rand_pen": (bool, None, False),
    "trial_num": (int, 1, 1),
    "n_task": (int, 1),
    "run": (int, 0),
    "seed": (int, 0),
}
OWN = ("n_task", "run", "seed")  # in what networks of one kind may differ


def check_config(config):
    """A network's settings, complete. UserError for what is missing or cannot be used."""
    if not isinstance(config, dict):
        raise UserError("its config is not a dict")
    later = {key: rest[0] for key, (_, _, *rest) in CONFIG.items() if rest}
    config = {**later, **config}
    for key, (kind, low, *_) in CONFIG.items():
        if key not in config:
            raise UserError(f"its config has no {key}")
        value = config[key]
        if isinstance(kind, tuple) and isinstance(kind[0], str):
            right = isinstance(value, str) and value in kind
        else:
            right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not right or (low is not None and not value >= low):
            raise UserError(f"its config has {key} = {value!r}")
    if "diverged_at" in config:
        raise UserError("this network diverged in training and was not finished")
    return config


def check_checkpoint(path, content, assumed=None):
    """The settings in a checkpoint. UserError if it is none, or they cannot be used.

    Args:
        path: for messages.
        content: what is in it; without `config` it is one of the authors' files.
        assumed: dict of settings given by the user for those.
    """
    try:
        if not isinstance(content, dict):
            raise UserError("not a checkpoint of this project")
        missing = {"state_dict", "encoder"} - set(content)
        if missing:
            raise UserError(f"not a checkpoint of this project, {sorted(missing)} missing")
        if not all(isinstance(content[part], dict) for part in ("state_dict", "encoder")):
            raise UserError("its state_dict or encoder is no dict")
        config = content.get("config")
        if config is None:
            config = released.config_of(path, content, assumed or {})
        return check_config(config)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def load_ensemble(paths, assume=()):
    """Load networks of one kind, with any N_task, as one ensemble.

    Args:
        paths: checkpoint files, ours or the authors'.
        assume: settings that the authors' files do not say, as 'n_task=24'.

    Returns:
        model (frozen, in evaluation mode; without a readout where a file has none), list of the
        networks' settings.

    Raises:
        UserError: a file that is no such checkpoint, or networks that differ in kind.
    """
    assumed = released.parse_assumed(assume, CONFIG)
    contents = [released.plain_tensors(load_torch(path)) for path in paths]
    configs = [check_checkpoint(*pair, assumed) for pair in zip(paths, contents, strict=True)]
    for path, config in zip(paths, configs, strict=True):
        for key in CONFIG:
            if key not in OWN and config[key] != configs[0][key]:
                raise UserError(
                    f"{path}: {key} is {config[key]}, in {paths[0]} it is {configs[0][key]}; "
                    "networks that are handled together differ in n_task, run and seed only"
                )
    model = Model(configs)
    if any("config" not in content for content in contents):
        model.readout = None
    for net, (path, content) in enumerate(zip(paths, contents, strict=True)):
        for name, part in model.parts.items():
            n_out = configs[net]["n_task"] if name == "decoder" else None
            try:
                part.from_file(net, content.get(name), n_out)
            except UserError as error:
                raise UserError(f"{path}: {name}: {error}") from None
    return model.requires_grad_(False).eval(), configs


def axes_of(configs):
    """The n_tasks and runs of networks, sorted: the first axes of results.

    Raises:
        UserError: two networks with the same.
    """
    names = [(c["n_task"], c["run"]) for c in configs]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        n_task, run = twice[0]
        raise UserError(f"two networks have n_task {n_task} and run {run}; name only one")
    return tuple(sorted(set(values)) for values in zip(*names, strict=True))
