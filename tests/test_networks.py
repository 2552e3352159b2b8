"""The fast, batched path against the slow, obvious one; networks in files."""

import copy
import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from conftest import make
from torch import nn
from transformers import GPT2Config, GPT2Model

import batches
import training
import util
from checkpoint import checkpoint, is_trained, load_ensemble
from model import NETWORKS, Encoder
from settings import seeds_of
from transformer import dropout_mask
from util import UserError, generator

LEAKLESS, TANH = {"leaky": False}, {"activation": "tanh"}
KINDS = [{}, LEAKLESS, TANH, LEAKLESS | TANH, {"init": "ortho"}, {"init": "sparse"}]
OTHERS = [("LSTM", {}), ("GRU", {}), ("gpt-2", {"n_head": 2})]
OTHERS += [("gpt-2", {"n_layer": 2, "n_head": 4})]
every = pytest.mark.parametrize(("kind", "settings"), [("RNN", {}), *OTHERS])


def trials(trainer):
    """A stream of a trainer's own trials, before the encoder."""
    rngs, config = [generator(s["data"]) for s in trainer.seeds], trainer.configs[0]
    return batches.Batches(trainer.tasks, rngs, config["batch_sz"], config["trial_num"])


def encoded(trainer):
    """One batch as the networks see it."""
    return trainer.model.encoder(next(trials(trainer))[0])


def drawn(kind, n_net=2, n_in=5, n_neu=8, perturbed=True, **settings):
    """Networks with random weights; perturbed: biases and LayerNorms are random too."""
    network = NETWORKS[kind](n_net, n_in, n_neu, **settings)
    for net in range(n_net):
        network.draw(net, generator(net))
    for i, p in enumerate(network.parameters() if perturbed else ()):
        p.data += 0.3 * torch.randn(p.shape, generator=generator(100 + i))
    return network


def normal(*shape, seed=0):
    """Random numbers."""
    return torch.randn(shape, generator=generator(seed))


def twin(network, net, leaky=True, tau=100, activation="relu", **_):
    """One network as a loop or a library has it: a module with its weights, its forward pass."""
    n_in, n_neu = network.get_parameter(next(iter(network.file_keys))).shape[1], network.n_neu
    if isinstance(network, NETWORKS["RNN"]):
        maps = {"inp_to_rec": nn.Linear(n_in, n_neu), "rec_to_rec": nn.Linear(n_neu, n_neu)}
        (module := nn.ModuleDict(maps)).load_state_dict(network.to_file(net), strict=True)

        def forward(inputs):
            r, states = torch.zeros(len(inputs), n_neu), []
            for u in inputs.unbind(1):
                f = getattr(torch, activation)(maps["inp_to_rec"](u) + maps["rec_to_rec"](r))
                r = (1 - 100 / tau if leaky else 1) * r + 100 / tau * f
                states.append(r)
            return torch.stack(states, 1)

        return module, forward
    if not isinstance(network, NETWORKS["gpt-2"]):
        module = getattr(nn, type(network).__name__)(n_in, n_neu, batch_first=True)
        module.load_state_dict(network.to_file(net), strict=True)
        return module, lambda inputs: module(inputs)[0]
    sizes = {"n_embd": n_neu, "n_layer": network.n_layer, "n_head": network.n_head}
    fixed = {"vocab_size": 1, "n_positions": 22, "attn_implementation": "eager"}
    gpt2 = GPT2Model(GPT2Config(bos_token_id=None, eos_token_id=None, **sizes, **fixed))
    module = nn.ModuleDict({"transformer": gpt2, "input_projection": nn.Linear(n_in, n_neu)})
    module.eval().load_state_dict(network.to_file(net), strict=True)
    project = module["input_projection"]
    return module, lambda inputs: gpt2(inputs_embeds=project(inputs)).last_hidden_state


def gradients(network, net):
    """Gradients of one network, named and laid out as its weights in a file."""
    holder = copy.deepcopy(network)
    for own, p in zip(holder.parameters(), network.parameters(), strict=True):
        own.data = p.grad
    return holder.to_file(net)


@pytest.mark.parametrize("settings", [*KINDS, {"network": "LSTM"}, {"network": "GRU"}])
def test_step_is_one_step_of_the_forward_pass_and_stays_within_bounds(settings):
    network = (trainer := make(**settings)).model.network
    inputs = encoded(trainer)
    states, drive = network(inputs), network.drive(inputs)
    state, (low, high) = torch.zeros(2, 16, network.n_state), network.bounds()
    for t in range(22):
        state = network.step(state, drive[:, :, t])
        assert torch.allclose(state[..., :16], states[:, :, t], atol=1e-6)
        assert (state >= low).all() and (state <= high).all()


def test_bounds_and_jitter_of_states():
    relu, silent, tanh, both = (drawn("RNN", **settings) for settings in KINDS[:4])
    bounds = [network.bounds()[:, 0].tolist() for network in (relu, silent, tanh, both)]
    assert bounds == [[0, math.inf], [0, math.inf], [-1, 1], [-math.inf, math.inf]]
    assert drawn("LSTM").bounds()[1].tolist() == [1] * 8 + [math.inf] * 8  # h and c
    assert (relu.jitter(), silent.jitter(), relu.jitter(0.1)) == ((0, 6), (0, 0.01), (0, 0.1))
    assert (tanh.jitter(), both.jitter(), both.jitter(6)) == ((-0.5, 0.5), (-0.01, 0.01), (-6, 6))


RNNS = [("RNN", {**settings, "tau": tau}) for settings in KINDS for tau in (100, 300)]


@pytest.mark.parametrize(("kind", "settings"), [*RNNS, *OTHERS])
def test_networks_equal_plain_ones_forward_and_backward(kind, settings):
    network = drawn(kind, n_in=41, n_neu=16, perturbed=kind != "RNN", **settings).eval()
    twins = [twin(network, net, **settings) for net in range(2)]
    for net, (module, _) in enumerate(twins):
        for i, p in enumerate(module.parameters()):
            p.data += (0.01 if kind == "RNN" else 0.1) * normal(*p.shape, seed=i)
        if kind == "gpt-2":
            module["transformer"].wpe.weight.data.zero_()
        network.from_file(net, module.state_dict())
    inputs = normal(2, 7, 22, 41).requires_grad_()
    states = network(inputs)
    assert states.shape == (2, 7, 22, 16)  # net, trial, time, unit
    weighting = normal(*states.shape, seed=1) / 22
    (states * weighting).sum().backward()
    for net, (module, forward) in enumerate(twins):
        u = inputs[net].detach().requires_grad_()
        slow = forward(u)
        (slow * weighting[net]).sum().backward()
        pairs, own = [(states[net], slow), (inputs.grad[net], u.grad)], gradients(network, net)
        used = [k for k in own if k not in ("transformer.wte.weight", "transformer.wpe.weight")]
        pairs += [(own[name], module.get_parameter(name).grad) for name in used]
        for mine, plain in pairs:
            assert torch.allclose(mine, plain, atol=1e-5 * max(1, plain.abs().max().item()))


@every
def test_files_round_trip(kind, settings):
    network, other = drawn(kind, **settings), drawn(kind, perturbed=False, **settings)
    files = network.to_file(0), other.to_file(0)
    other.from_file(1, files[0])
    for before, after in zip(files, (other.to_file(1), other.to_file(0)), strict=True):
        assert all(torch.equal(after[key], value) for key, value in before.items())


@every
def test_what_comes_later_changes_nothing_before(kind, settings):
    network = drawn(kind, **settings)
    inputs = normal(2, 3, 22, 5)
    changed = inputs.clone()
    changed[:, :, 10] += 1
    first, second = network(inputs), network(changed)
    assert torch.allclose(first[:, :, :10], second[:, :, :10], atol=1e-6)
    assert ((first - second)[:, :, 10].abs().amax(-1) > 1e-3).all()
    assert torch.allclose(first[:, :, :10], network(inputs[:, :, :10]), atol=1e-6)
    last = network.last(inputs)
    assert last.shape == (2, 3, 8) and torch.allclose(last, first[:, :, -1], atol=1e-6)


# ------------------------------------------------------------------ dropout and noise


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout_masks(share):
    mask, other = dropout_mask((301, 1001), share, [generator(0), generator(1)])
    assert torch.equal(other, dropout_mask((301, 1001), share, [generator(1)])[0])
    assert len(mask.unique()) == 2 and mask.min() == 0
    assert mask.max().item() == pytest.approx(1 / (1 - share), rel=1e-3 * share)
    n_sd = 4 * math.sqrt(share * (1 - share) / mask.numel())
    assert abs((mask == 0).float().mean().item() - share) < n_sd + 2**-17
    assert mask.mean().item() == pytest.approx(1, abs=n_sd / (1 - share))  # the mean is preserved
    assert abs(torch.corrcoef(mask.T[:5]).triu(1)).max() < 0.25  # neighbours are independent
    assert dropout_mask((3,), 1 - 1e-9, [generator(0)]).isfinite().all()


def test_dropout_is_off_in_eval_mode():
    network, none = (drawn("gpt-2", n_head=2, dropout=share) for share in (0.3, 0.0))
    rngs = [generator(0), generator(1)]
    assert network.draw_noise(4, 6, rngs) and none.draw_noise(4, 6, rngs) == {}
    before = rngs[0].get_state()
    assert network.eval().draw_noise(4, 6, rngs) == {}
    assert torch.equal(rngs[0].get_state(), before)  # nothing is drawn


@pytest.mark.parametrize("settings", [{"n_head": 2, "n_layer": 2}, {"n_sd_net": 1.0}])
def test_noise_of_a_network_comes_from_its_own_generator(settings):
    network = drawn("gpt-2" if "n_head" in settings else "RNN", n_net=3, **settings)
    noise = network.draw_noise(4, 6, [generator(seed) for seed in (5, 6, 7)])
    own = network.draw_noise(4, 6, [generator(6)])
    for name, value in noise.items():
        assert torch.equal(value[1], own[name][0]) and not torch.equal(value[0], value[1])


def test_dropout_equals_hugging_face_with_the_same_masks(monkeypatch):
    network = drawn("gpt-2", n_layer=2, n_head=2, dropout=0.4)
    inputs = normal(2, 3, 6, 5)
    masks = network.draw_noise(3, 6, [generator(0), generator(1)])
    states = network(inputs, **masks)
    for net in range(2):
        given = [masks["input_mask"][net]]
        for layer, mask in enumerate(masks["attention_mask"][net]):
            given += [mask, *masks["residual_mask"][net, 2 * layer : 2 * layer + 2]]
        forward, given = twin(network, net)[1], iter(given)
        with monkeypatch.context() as patch:
            patch.setattr(nn.functional, "dropout", lambda x, *_, g=given, **__: x * next(g))
            slow = forward(inputs[net])
        assert torch.allclose(states[net], slow, atol=1e-5) and next(given, None) is None
        assert not torch.allclose(states[net], forward(inputs[net]), atol=0.1)


@pytest.mark.parametrize("settings", KINDS[:4])
def test_network_noise_enters_inside_f(settings):
    network = (trainer := make(n_sd_net=2.0, tau=200, **settings)).model.network
    inputs = encoded(trainer)
    noise = network.draw_noise(16, 22, trainer.noise)["noise"]
    assert network.sigma == pytest.approx(0.2) and network.alpha == 0.5  # dt / tau
    assert make(dt=50, fixation=50, decision=50).model.network.alpha == 0.5
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    drive, r = network.drive(inputs) + 0.2 * noise, torch.zeros(2, 16, 16)
    for t in range(22):
        r = network.step(r, drive[:, :, t])
    last = network(inputs, noise)[:, :, -1]
    assert torch.allclose(last, r, atol=1e-5)
    slow, fast = (torch.autograd.grad(x.sum(), network.rec_weight)[0] for x in (r, last))
    assert torch.allclose(fast, slow, atol=1e-5 * slow.abs().max())


# ------------------------------------------------------------------ encoder


def layout(n_dim, n_fix=1, n_rule=0):
    """What the encoder needs to know of a task."""
    return SimpleNamespace(evidence=slice(n_fix, n_fix + n_dim), n_channel=n_fix + n_dim + n_rule)


ACTIVATIONS = {"ReLU": (torch.relu, torch.relu), "Quad": (torch.square, torch.square)}
ACTIVATIONS |= {"Fourier": (torch.cos, torch.relu), "ScaledReLU": (torch.relu, torch.relu)}


@pytest.mark.parametrize("activ", ACTIVATIONS)
@pytest.mark.parametrize(("n_fix", "n_rule"), [(1, 0), (0, 0), (1, 2), (0, 3)])
def test_encoder_equals_its_layers(activ, n_fix, n_rule):
    encoder = Encoder(3, layout(4, n_fix, n_rule), activ)
    for net in range(3):
        encoder.draw(net, generator(net))
    inputs = normal(3, 5, 6, n_fix + 4 + n_rule)
    out = encoder(inputs)
    assert out.shape == (3, 5, 6, n_fix + 40 + n_rule) and encoder.n_out == out.shape[-1]
    assert torch.equal(out[..., :n_fix], inputs[..., :n_fix])  # the fixation channel bypasses it
    assert torch.equal(out[..., n_fix + 40 :], inputs[..., n_fix + 4 :])  # and so does the rule
    for net in range(3):
        file, slow = encoder.to_file(net), inputs[net, ..., n_fix : n_fix + 4]
        for i in (0, 2, 4):
            slow = nn.functional.linear(slow, file[f"{i}.weight"], file[f"{i}.bias"])
            slow = slow if i == 4 else ACTIVATIONS[activ][i // 2](slow)
        assert torch.allclose(out[net, ..., n_fix : n_fix + 40], slow, atol=1e-6)
    encoder.keep([2])
    assert torch.allclose(encoder(inputs[2:]), out[2:], atol=1e-6)


def test_encoders_that_mix_are_drawn_as_they_say():
    encoders = [Encoder(20, layout(2), activ, scale=0.25) for activ in ACTIVATIONS]
    for encoder, net in itertools.product(encoders, range(20)):
        encoder.draw(net, generator(net))
    plain, _, mixed, scaled = encoders
    weight, bias = mixed.layer0_weight, mixed.layer0_bias
    assert weight.std().item() == pytest.approx(4, rel=0.05) and abs(weight.mean()) < 0.2
    assert 0 <= bias.min() < 0.1 and 6.2 < bias.max() < 2 * math.pi
    assert abs(bias.mean() - math.pi) < 0.15 and mixed.layer1_weight.abs().max() <= 0.1
    x = torch.rand(20, 5000, 1, 3) - 0.5
    plain, mixed, scaled = (e(x)[..., 1:].double() for e in (plain, mixed, scaled))
    sd_mixed, sd_scaled = (v.var(1).mean((1, 2)).sqrt() for v in (mixed, scaled))
    factor = (scaled * plain).sum((1, 2, 3)) / (plain * plain).sum((1, 2, 3))
    assert torch.allclose(scaled, factor.view(20, 1, 1, 1) * plain, atol=1e-5)  # as a whole
    assert sd_scaled.mean().item() == pytest.approx(sd_mixed.mean().item(), rel=0.1)


def test_without_encoder_the_network_sees_the_raw_channels():
    encoder = Encoder(2, layout(3, n_rule=2), encode=False)
    inputs = torch.randn(2, 5, 6, 6)
    assert torch.equal(encoder(inputs), inputs) and encoder.n_out == 6
    assert encoder.to_file(0) == {} and not list(encoder.parameters())
    trainer = make(encode=False)
    inputs, _ = next(trials(trainer))
    assert trainer.model.network.inp_weight.shape == (2, 3, 16)
    assert torch.equal(trainer.model.represent(inputs), trainer.model.network(inputs))


@pytest.mark.parametrize("settings", [{}, {"trial_num": 2}, {"encode": False}])
@pytest.mark.parametrize("n_task", [(2, 5), (2, 3, 4, 5, 6)])
def test_batches_are_encoded_as_one_by_one(settings, n_task):
    trainer = make(n_task=n_task, n_neu=2, **settings)
    stream = trials(trainer)
    for _ in range(stream.BLOCK + 3):
        batch, (inputs, targets) = trainer.draw_batch(), next(stream)
        assert torch.allclose(batch["inputs"], trainer.model.encoder(inputs), atol=1e-6)
        assert torch.equal(batch["targets"], targets)
        if len(n_task) == 2 and stream.position == 20:
            trainer.keep([1])
            stream.keep([1])


def test_a_changed_encoder_is_noticed():
    encoder = Encoder(2, layout(2))
    inputs = torch.randn(2, 3, 4, 3)
    assert (encoder(inputs)[..., 1:] == 0).all()
    encoder.draw(0, generator(0))
    assert encoder(inputs)[0, ..., 1:].any() and not encoder(inputs)[1, ..., 1:].any()
    encoder.from_file(1, encoder.to_file(0))
    assert encoder(inputs)[1, ..., 1:].any()


# ------------------------------------------------------------------ fresh weights


def test_initialisations():
    model = make(n_task=(24,), n_neu=64).model
    for weight, n_in in ((model.network.inp_weight, 41), (model.readout.out_weight, 64)):
        assert weight.abs().max() <= n_in**-0.5
        assert weight.std().item() == pytest.approx((3 * n_in) ** -0.5, rel=0.05)
    w = make(init="ortho").model.network.rec_weight[0]
    assert torch.allclose(w @ w.T, torch.eye(16), atol=1e-5)
    w, again = (make(n_neu=64, init="sparse").model.network.rec_weight[0] for _ in range(2))
    assert torch.equal(w, again)
    assert ((w != 0).sum(0) == 10).all()  # 15 % of 64 inputs to each unit
    assert w[w != 0].std().item() == pytest.approx(math.sqrt(2 / (0.15 * 64)), rel=0.1)
    gated = [drawn(kind, 1, 41, 64, perturbed=False).parameters() for kind in ("LSTM", "GRU")]
    for p in (p for parameters in gated for p in parameters):  # as in torch.nn
        assert 0.98 / 8 < p.abs().max() <= 1 / 8
        assert p.std().item() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize("n_layer", [1, 3])
def test_gpt2_begins_as_gpt2_and_its_heads_divide_its_units(n_layer):
    state = drawn("gpt-2", n_in=41, n_neu=64, perturbed=False, n_layer=n_layer).to_file(1)
    n_matrix = 0
    for key, value in state.items():
        if ".wte" in key or ".wpe" in key or key.endswith("bias"):
            assert not value.any()
        elif ".ln_" in key:
            assert (value == 1).all()
        else:
            sd = 0.02 / math.sqrt(2 * n_layer) if key.endswith("c_proj.weight") else 0.02
            assert value.std().item() == pytest.approx(sd, rel=0.05)
            assert abs(value.mean().item()) < 4 * sd / math.sqrt(value.numel())
            n_matrix += 1
    assert n_matrix == 1 + 4 * n_layer
    with pytest.raises(UserError, match="n_head = 3 does not divide n_neu = 8"):
        drawn("gpt-2", n_head=3)


# ------------------------------------------------------------------ networks in training


def test_confusion_matrix_counts_own_decisions():
    task = make(n_task=(2,)).tasks[0]
    targets = torch.tensor([[[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]])  # the third task is padding
    targets, logits = targets[:, :, None], torch.zeros(1, 2, 22, 3)  # net, trial, time, task
    logits[0, :, -1] = torch.tensor([[2.0, 3.0, 9.0], [-1.0, 1.0, 9.0]])
    expected = torch.tensor([[[0.0, 0.25], [0.25, 0.5]]])  # rows true -, +; columns chosen -, +
    assert torch.equal(training.confusion(logits, targets, task), expected)
    targets = torch.tensor([1.0, -1.0, -1.0]).view(1, 1, 3, 1)  # three trials in a row
    logits = torch.full((1, 1, 66, 1), 5.0)
    logits[0, 0, [21, 43, 65], 0] = torch.tensor([2.0, -1.0, 3.0])
    expected = torch.tensor([[[1 / 3, 1 / 3], [0.0, 1 / 3]]])
    assert torch.allclose(training.confusion(logits, targets, task), expected)


NOISY = {"n_sd_net": 1.0, "noise_enc": True, "rand_pen": True, "trial_num": 2}
ALONE = [{}, *({"network": name} for name in ("LSTM", "GRU", "gpt-2")), NOISY]


@pytest.mark.parametrize("settings", ALONE)
def test_a_network_trains_the_same_alone_and_among_others(settings):
    among, narrow, wide = (make((2, 6), (0, 1), **settings) for _ in range(3))
    alone = make((6,), (1,), **settings)
    for step in range(60 if settings == {} else 20):
        for trainer in (among, narrow, wide, alone):
            for _ in range(trainer.data.BLOCK - 12 if step == 5 else 0):
                next(trainer.data)  # so that a new block of trials comes soon
            if step == 5 and trainer in (narrow, wide):
                trainer.keep([0, 1] if trainer is narrow else [1, 3])
            trainer.step()
    for trainer, nets in ((narrow, [0, 1]), (wide, [1, 3]), (alone, [3])):
        for own, p in zip(trainer.model.parameters(), among.model.parameters(), strict=True):
            assert torch.allclose(own, p[nets][..., : own.shape[-1]], atol=2e-5)


def test_batched_adam_equals_independent_adams():
    trainer = make(n_task=(2, 5))
    trained, stream = [p for p in trainer.model.parameters() if p.requires_grad], trials(trainer)
    copies = [[p[net].detach().clone().requires_grad_() for p in trained] for net in range(2)]
    adams = [torch.optim.Adam(own, lr=1e-3) for own in copies]
    for _ in range(20):
        inputs, targets = next(stream)
        arguments = targets, trainer.tasks[0], trainer.weights, trainer.configs[0]
        loss = training.loss_of(trainer.model(inputs), *arguments)
        grads = torch.autograd.grad(loss.sum(), trained, retain_graph=True)
        for net, adam in enumerate(adams):
            for own, grad in zip(copies[net], grads, strict=True):
                own.grad = grad[net].clone()
            adam.step()
        trainer.update(loss)
    for net, own in enumerate(copies):
        assert all(torch.allclose(a, b[net], atol=1e-6) for a, b in zip(own, trained, strict=True))


def test_seeds_depend_on_the_network_alone():
    one = {"seed": 0, "run": 1, "n_task": 6, "n_dim": 2}
    assert seeds_of(one) == seeds_of({**one, "network": "LSTM", "n_neu": 8})
    others = [(s, r, n) for s in (0, 1) for r in (0, 1) for n in (2, 3)]
    everyone = [seeds_of({"seed": s, "run": r, "n_task": n, "n_dim": 2}) for s, r, n in others]
    numbers = [number for seeds in everyone for number in seeds.values()]
    assert len(set(numbers)) == len(numbers)


# ------------------------------------------------------------------ files


def saved(path, trainer, net=0, left_out=(), **changed):
    """Write a network of a trainer with another config."""
    content = checkpoint(trainer.model, net, trainer.configs[net], [], [])
    config = {k: v for k, v in content["config"].items() if k not in left_out}
    util.save_torch(path, {**content, "config": {**config, **changed}})
    return path


FILES = [*ALONE[:3], {"network": "gpt-2", "n_layer": 2}, {"encode": False}]
FILES += [{"n_task": (1,), "task": "ContextDependent"}, {"task": "LinearClassificationBound"}]
FILES += [{"activ_enc": "Quad", "leaky": False}]


@pytest.mark.parametrize("settings", FILES)
def test_checkpoint_round_trip(settings, tmp_path):
    trainer = make(**{"n_task": (2, 5), **settings})
    content = checkpoint(trainer.model, 0, trainer.configs[0], [], [])
    is_rnn = trainer.configs[0]["network"] == "RNN"
    assert ("rec_to_out.bias" in content["state_dict"]) == is_rnn
    paths = [saved(tmp_path / f"{net}.pth", trainer, net) for net in range(len(trainer.configs))]
    model, configs = load_ensemble(paths)
    inputs, _ = next(trials(trainer))
    assert torch.equal(model(inputs), trainer.model.eval()(inputs))
    assert configs == trainer.configs and not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert is_trained(paths[0], configs[0]) and not is_trained(tmp_path / "no.pth", configs[0])
    with pytest.raises(UserError, match=r"there already, trained with lr = .* choose another"):
        is_trained(paths[0], {**configs[0], "lr": 0.5})


def test_a_checkpoint_of_an_older_version_has_the_settings_of_its_time(tmp_path):
    trainer = make(n_task=(2,))
    new = "encode activ_enc noise_enc dist corr ar_coef bound rule_input n_layer n_head dropout "
    new += "CE_loss bal_err pen_end rand_pen trial_num"
    _, configs = load_ensemble([saved(tmp_path / "old.pth", trainer, left_out=new.split())])
    assert configs == trainer.configs


def test_a_checkpoint_whose_settings_are_not_its_own(tmp_path):
    trainer, corr = make(n_task=(2,)), {"corr": 2.0, "task": "LinearClassificationCorr"}
    wrong = {"activ_enc": "tanh", "dist": "cauchy", "trial_num": 0, "n_neu": 8, "encode": False}
    wrong |= {"n_layer": True, "task": "DenoiseQuad", "stimulus": 250, "diverged_at": 100}
    every = [{"network": "CNN"}, {"network": "LSTM"}, corr, {"left_out": ["n_task"]}]
    for changed in [*every, *({name: value} for name, value in wrong.items())]:
        with pytest.raises(UserError, match=r"^[^\n]+$"):  # one line
            load_ensemble([saved(tmp_path / "bad.pth", trainer, **changed)])


def test_networks_that_are_no_ensemble(tmp_path):
    first = saved(tmp_path / "a.pth", make(n_task=(2,)))
    with pytest.raises(UserError, match="network is GRU"):
        load_ensemble([first, saved(tmp_path / "b.pth", make(n_task=(2,), network="GRU"))])
    with pytest.raises(UserError, match="two networks have n_task 2 and run 0; name only one"):
        load_ensemble([first, saved(tmp_path / "c.pth", make(n_task=(2,)))])


@every
def test_files_that_do_not_fit(kind, settings):
    network = drawn(kind, **settings)
    good = network.to_file(0)
    key = next(key for key in good if key.endswith(("rec.weight", "c_attn.weight", "hh_l0")))
    bad = good[key].clone()
    bad[0, 0] = float("nan")
    for state, words in (
        ({**good, "extra.weight": torch.zeros(3)}, "extra.weight is not one"),
        ({**good, "transformer.h.0.c_attn.bias": torch.zeros(3)}, "is not one"),
        ({k: v for k, v in good.items() if k != key}, f"{key} is missing"),
        ({**good, key: "no tensor"}, f"{key} is missing"),
        ({**good, key: good[key][:-1]}, "has shape"),
        ({**good, key: good[key][None]}, "has shape"),
        ({**good, key: bad}, "not finite"),
        ([], "no dict"),
        (None, "no dict"),
    ):
        with pytest.raises(UserError, match=words):
            network.from_file(1, state)


def test_what_files_hold_and_nothing_uses():
    network = drawn("gpt-2", n_head=2)
    good = network.to_file(0)
    buffers = {"attn.bias": torch.ones(1, 1, 22, 22).tril(), "attn.masked_bias": torch.tensor(-1e4)}
    network.from_file(1, {**good, **{f"transformer.h.0.{k}": v for k, v in buffers.items()}})
    assert all(torch.equal(network.to_file(1)[k], v) for k, v in good.items())
    for positions in (torch.ones(22, 8), torch.full((22, 8), float("nan")), None):
        with pytest.raises(UserError, match="positional table"):
            network.from_file(1, {**good, "transformer.wpe.weight": positions})
    network = drawn("RNN", perturbed=False)  # the authors' has a second readout
    state = network.to_file(0)
    network.from_file(1, {**state, "rec_to_out.weight": torch.ones(2, 8)})
    assert torch.equal(network.to_file(1)["rec_to_rec.weight"], state["rec_to_rec.weight"])
