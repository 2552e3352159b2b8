"""The fast, batched path against the slow, obvious one."""

import copy
import math

import pytest
import torch
from conftest import make
from torch import nn

import tasks
import train
import util
from model import NETWORKS, Encoder, Model, checkpoint, load_ensemble
from transformer import dropout_mask
from util import UserError, generator

KINDS = [
    {},
    {"leaky": False},
    {"activation": "tanh"},
    {"activation": "tanh", "leaky": False},
    {"init": "ortho"},
    {"init": "sparse"},
]

OTHERS = [  # networks beside the RNN, and what is in their constructors
    ("LSTM", {}),
    ("GRU", {}),
    ("gpt-2", {"n_head": 2}),
    ("gpt-2", {"n_layer": 2, "n_head": 4}),
]


def trials(trainer):
    """A stream of a trainer's own trials, before the encoder."""
    rngs, config = [generator(s["data"]) for s in trainer.seeds], trainer.configs[0]
    return tasks.Batches(trainer.tasks, rngs, config["batch_sz"], config["trial_num"])


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


def twin(network, net):
    """One network as the library has it: a module with its weights, and its forward pass."""
    state = network.to_file(net)
    n_in, n_neu = network.get_parameter(next(iter(network.FILE_KEYS))).shape[1], network.n_neu
    if isinstance(network, NETWORKS["gpt-2"]):
        module = hugging_face(n_in, n_neu, network.n_layer, network.n_head)
    else:
        kind = {"LSTM": nn.LSTM, "GRU": nn.GRU}[type(network).__name__]
        module = kind(n_in, n_neu, batch_first=True)
    module.load_state_dict(state, strict=True)
    return module, lambda inputs: forward_of(module, inputs)


def hugging_face(n_in, n_neu, n_layer, n_head):
    """An input projection and Hugging Face's GPT-2, under the names that files have."""
    from transformers import GPT2Config, GPT2Model

    sizes = {"n_embd": n_neu, "n_layer": n_layer, "n_head": n_head, "n_positions": 22}
    config = GPT2Config(vocab_size=1, bos_token_id=None, eos_token_id=None, **sizes)
    parts = {"transformer": GPT2Model(config), "input_projection": nn.Linear(n_in, n_neu)}
    return nn.ModuleDict(parts).eval()


def forward_of(module, inputs):
    """Outputs (trial, time, unit) of a library's network."""
    if isinstance(module, nn.ModuleDict):
        embedded = module["input_projection"](inputs)
        return module["transformer"](inputs_embeds=embedded).last_hidden_state
    return module(inputs)[0]


def gradients(network, net):
    """Gradients of one network, named and laid out as its weights in a file."""
    holder = copy.deepcopy(network)
    for own, p in zip(holder.parameters(), network.parameters(), strict=True):
        own.data = p.grad
    return holder.to_file(net)


def slow_rnn(network, net, inputs, alpha=1.0):
    """States (trial, time, unit) of one network by nn.Linear, step by step."""
    state = network.to_file(net)
    inp, rec = nn.Linear(inputs.shape[-1], network.n_neu), nn.Linear(network.n_neu, network.n_neu)
    inp.load_state_dict({k[11:]: v for k, v in state.items() if k.startswith("inp_to_rec")})
    rec.load_state_dict({k[11:]: v for k, v in state.items() if k.startswith("rec_to_rec")})
    f = {"relu": torch.relu, "tanh": torch.tanh}[network.activation]
    r, states = torch.zeros(len(inputs), network.n_neu), []
    for t in range(inputs.shape[1]):
        r = network.keep_r * r + alpha * f(inp(inputs[:, t]) + rec(r))
        states.append(r)
    return torch.stack(states, 1), inp, rec


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_rnn_equals_a_plain_loop_forward_and_backward(settings, alpha):
    trainer = make(**settings)
    network = trainer.model.network
    if alpha != 1:
        network.alpha = alpha
        network.keep_r = 1 - alpha if settings.get("leaky", True) else 1.0
    inputs = trainer.model.encoder(next(trials(trainer))[0])
    states = network(inputs)
    assert states.shape == (2, 16, 22, 16)  # net, trial, time, unit
    weighting = torch.randn(states.shape, generator=generator(0))
    (states * weighting).sum().backward()
    for net in range(2):
        slow, inp, rec = slow_rnn(network, net, inputs[net], alpha)
        assert torch.allclose(states[net], slow, atol=1e-5)
        (slow * weighting[net]).sum().backward()
        for own, grad in (
            (network.inp_weight, inp.weight.grad.T),
            (network.rec_weight, rec.weight.grad.T),
            (network.inp_bias, inp.bias.grad[None]),
            (network.rec_bias, rec.bias.grad[None]),
        ):
            assert torch.allclose(own.grad[net], grad, atol=1e-4 * grad.abs().max())


@pytest.mark.parametrize("settings", [*KINDS, {"network": "LSTM"}, {"network": "GRU"}])
def test_step_is_one_step_of_the_forward_pass(settings):
    network = (trainer := make(**settings)).model.network
    inputs = trainer.model.encoder(next(trials(trainer))[0])
    states, drive = network(inputs), network.drive(inputs)
    state = torch.zeros(2, 16, network.n_state)
    for t in range(22):
        state = network.step(state, drive[:, :, t])
        assert torch.allclose(state[..., :16], states[:, :, t], atol=1e-6)


@pytest.mark.parametrize(("kind", "settings"), [("RNN", {}), *OTHERS])
def test_gradient_of_the_inputs(kind, settings):
    network = drawn(kind, n_in=3, n_neu=4, perturbed=kind != "RNN", **settings).double()
    inputs = normal(2, 3, 4, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(network, (inputs,))


@pytest.mark.parametrize(("kind", "settings"), OTHERS)
def test_networks_equal_those_of_the_libraries_forward_and_backward(kind, settings):
    network = drawn(kind, n_in=41, n_neu=16, **settings).eval()
    inputs = normal(2, 7, 22, 41).requires_grad_()
    states = network(inputs)
    assert states.shape == (2, 7, 22, 16)  # net, trial, time, unit
    weighting = normal(*states.shape, seed=1) / 22
    (states * weighting).sum().backward()
    for net in range(2):
        module, forward = twin(network, net)
        u = inputs[net].detach().requires_grad_()
        slow = forward(u)
        assert torch.allclose(states[net], slow, atol=1e-5)
        (slow * weighting[net]).sum().backward()
        assert torch.allclose(inputs.grad[net], u.grad, atol=1e-5)
        own = gradients(network, net)
        for name, p in module.named_parameters():
            if name not in ("transformer.wte.weight", "transformer.wpe.weight"):
                assert torch.allclose(own[name], p.grad, atol=1e-5 * max(1, p.grad.abs().max()))


@pytest.mark.parametrize(("kind", "settings"), [("RNN", {}), *OTHERS])
def test_files_round_trip(kind, settings):
    network, other = drawn(kind, **settings), drawn(kind, perturbed=False, **settings)
    before = other.to_file(0)
    other.from_file(1, network.to_file(0))
    same = other.to_file(1)
    assert all(torch.equal(same[key], value) for key, value in network.to_file(0).items())
    assert all(torch.equal(other.to_file(0)[key], value) for key, value in before.items())


@pytest.mark.parametrize(("kind", "settings"), OTHERS)
def test_weights_of_the_libraries_load(kind, settings):
    network = drawn(kind, **settings)
    module, forward = twin(network, 0)
    with torch.no_grad():
        for i, p in enumerate(module.parameters()):
            p += 0.1 * normal(*p.shape, seed=i)
        if kind == "gpt-2":
            module["transformer"].wpe.weight.zero_()
    network.from_file(1, module.state_dict())
    inputs = normal(2, 3, 22, 5)
    assert torch.allclose(network(inputs)[1], forward(inputs[1]), atol=1e-5)


@pytest.mark.parametrize(("kind", "settings"), [("RNN", {}), *OTHERS])
def test_what_comes_later_changes_nothing_before(kind, settings):
    network = drawn(kind, **settings)
    inputs = normal(2, 3, 22, 5)
    changed = inputs.clone()
    changed[:, :, 10] += 1
    first, second = network(inputs), network(changed)
    assert torch.allclose(first[:, :, :10], second[:, :, :10], atol=1e-6)
    assert ((first - second)[:, :, 10].abs().amax(-1) > 1e-3).all()
    alone = network(inputs[:, :, :10])
    assert torch.allclose(first[:, :, :10], alone, atol=1e-6)


@pytest.mark.parametrize(("kind", "settings"), [("RNN", {}), *OTHERS])
def test_the_last_step_alone(kind, settings):
    network = drawn(kind, **settings)
    inputs = normal(2, 3, 22, 5)
    last = network.last(inputs)
    assert last.shape == (2, 3, 8)
    assert torch.allclose(last, network(inputs)[:, :, -1], atol=1e-6)


# ------------------------------------------------------------------ dropout


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
    network = drawn("gpt-2", n_head=2, dropout=0.3)
    rngs = [generator(0), generator(1)]
    states = [rng.get_state() for rng in rngs]
    assert set(network.draw_noise(4, 6, rngs)) == {
        "embedding_mask",
        "attention_mask",
        "residual_mask",
    }
    assert not torch.equal(rngs[0].get_state(), states[0])
    rngs = [generator(0), generator(1)]
    assert network.eval().draw_noise(4, 6, rngs) == {}
    assert torch.equal(rngs[0].get_state(), states[0])  # nothing is drawn
    assert drawn("gpt-2", n_head=2, dropout=0.0).draw_noise(4, 6, rngs) == {}


@pytest.mark.parametrize(
    ("kind", "settings"), [("gpt-2", {"n_head": 2, "n_layer": 2}), ("RNN", {"n_sd_net": 1.0})]
)
def test_noise_of_a_network_comes_from_its_own_generator(kind, settings):
    network, alone = drawn(kind, n_net=3, **settings), drawn(kind, n_net=1, **settings)
    noise = network.draw_noise(4, 6, [generator(seed) for seed in (5, 6, 7)])
    own = alone.draw_noise(4, 6, [generator(6)])
    for name, value in noise.items():
        assert torch.equal(value[1], own[name][0])
        assert not torch.equal(value[0], value[1])


def slow_gpt2(state, u, n_head, embedding, attention, residual):
    """States (time, unit) of one gpt-2 in one trial, every sum written out.

    u (time, channel); masks embedding (time, unit), attention (layer, head, time, time),
    residual (2 layer, time, unit).
    """

    def linear(x, name):
        return x @ state[f"{name}.weight"] + state[f"{name}.bias"]

    def norm(x, name):
        centred = x - x.mean(1, keepdim=True)
        unit = centred / ((centred**2).mean(1, keepdim=True) + 1e-5).sqrt()
        return unit * state[f"{name}.weight"] + state[f"{name}.bias"]

    x = u @ state["input_projection.weight"].T + state["input_projection.bias"]
    x = x * embedding
    size = x.shape[1] // n_head
    for layer in range(len(attention)):
        key = f"transformer.h.{layer}"
        q, k, v = linear(norm(x, f"{key}.ln_1"), f"{key}.attn.c_attn").chunk(3, 1)
        attended = torch.zeros_like(x)
        for head in range(n_head):
            own = slice(head * size, (head + 1) * size)
            for t in range(len(u)):
                scores = [q[t, own] @ k[s, own] / math.sqrt(size) for s in range(t + 1)]
                share = torch.stack(scores).exp() / torch.stack(scores).exp().sum()
                for s in range(t + 1):
                    attended[t, own] += share[s] * attention[layer, head, t, s] * v[s, own]
        x = x + linear(attended, f"{key}.attn.c_proj") * residual[2 * layer]
        hidden = linear(norm(x, f"{key}.ln_2"), f"{key}.mlp.c_fc")
        tanh = torch.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3))
        x = x + linear(0.5 * hidden * (1 + tanh), f"{key}.mlp.c_proj") * residual[2 * layer + 1]
    return norm(x, "transformer.ln_f")


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_dropout_equals_a_slow_gpt2_with_the_same_masks(dropout):
    network = drawn("gpt-2", n_layer=2, n_head=2, dropout=dropout)
    inputs, rngs = normal(2, 3, 6, 5), [generator(0), generator(1)]
    noise = network.draw_noise(3, 6, rngs)
    states = network(inputs, **noise)
    if not dropout:
        noise = drawn("gpt-2", n_layer=2, n_head=2, dropout=0.4).draw_noise(3, 6, rngs)
        noise = {name: torch.ones_like(mask) for name, mask in noise.items()}
    for net in range(2):
        for trial in range(3):
            slow = slow_gpt2(
                network.to_file(net),
                inputs[net, trial],
                2,
                noise["embedding_mask"][net, trial],
                noise["attention_mask"][net, :, trial],
                noise["residual_mask"][net, :, trial],
            )
            assert torch.allclose(states[net, trial], slow, atol=1e-5)


# ------------------------------------------------------------------ the RNN's noise


@pytest.mark.parametrize("settings", KINDS[:4])
def test_network_noise_enters_inside_f(settings):
    network = (trainer := make(n_sd_net=2.0, tau=200, **settings)).model.network
    inputs = trainer.model.encoder(next(trials(trainer))[0])
    noise = network.draw_noise(16, 22, trainer.noise)["noise"]
    assert network.sigma == pytest.approx(0.2)
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    drive = network.drive(inputs) + 0.2 * noise
    r = torch.zeros(2, 16, 16)
    for t in range(22):
        r = network.step(r, drive[:, :, t])
    last = network(inputs, noise)[:, :, -1]
    assert torch.allclose(last, r, atol=1e-5)
    slow, fast = (torch.autograd.grad(x.sum(), network.rec_weight)[0] for x in (r, last))
    assert torch.allclose(fast, slow, atol=1e-5 * slow.abs().max())


# ------------------------------------------------------------------ encoder


class Square(nn.Module):
    def forward(self, x):
        return x * x


@pytest.mark.parametrize("activ", ["ReLU", "Quad"])
@pytest.mark.parametrize(("n_fix", "n_rule"), [(1, 0), (0, 0), (1, 2), (0, 3)])
def test_encoder_equals_its_layers(activ, n_fix, n_rule):
    encoder = Encoder(3, 4, n_fix, n_rule, activ)
    for net in range(3):
        encoder.draw(net, generator(net))
    inputs = torch.randn(3, 5, 6, n_fix + 4 + n_rule)
    out = encoder(inputs)
    assert out.shape == (3, 5, 6, n_fix + 40 + n_rule) and encoder.n_out == out.shape[-1]
    assert torch.equal(out[..., :n_fix], inputs[..., :n_fix])  # the fixation channel bypasses it
    assert torch.equal(out[..., n_fix + 40 :], inputs[..., n_fix + 4 :])  # and so does the rule
    act = {"ReLU": nn.ReLU, "Quad": Square}[activ]
    for net in range(3):
        layers = nn.Sequential(
            nn.Linear(4, 100), act(), nn.Linear(100, 100), act(), nn.Linear(100, 40)
        )
        layers.load_state_dict(encoder.to_file(net))
        slow = layers(inputs[net, ..., n_fix : n_fix + 4])
        assert torch.allclose(out[net, ..., n_fix : n_fix + 40], slow, atol=1e-6)
    encoder.keep([2])
    assert torch.allclose(encoder(inputs[2:]), out[2:], atol=1e-6)


def test_without_encoder_the_network_sees_the_raw_channels():
    encoder = Encoder(2, 3, n_rule=2, encode=False)
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
    for _ in range(tasks.Batches.BLOCK + 3):
        batch, (inputs, targets) = trainer.draw_batch(), next(stream)
        assert torch.allclose(batch["inputs"], trainer.model.encoder(inputs), atol=1e-6)
        assert torch.equal(batch["targets"], targets)
        if len(n_task) == 2 and stream.position == 20:
            trainer.keep([1])
            stream.keep([1])


def test_a_changed_encoder_is_noticed():
    encoder = Encoder(2, 2)
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
    w = make(n_neu=64, init="sparse").model.network.rec_weight[0]
    assert ((w != 0).sum(0) == 10).all()  # 15 % of 64 inputs to each unit
    assert w[w != 0].std().item() == pytest.approx(math.sqrt(2 / (0.15 * 64)), rel=0.1)
    assert torch.equal(w, make(n_neu=64, init="sparse").model.network.rec_weight[0])


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gated_networks_begin_as_those_of_torch(kind):
    for p in drawn(kind, n_net=1, n_in=41, n_neu=64, perturbed=False).parameters():
        assert p.abs().max() <= 1 / 8 and p.abs().max() > 0.98 / 8
        assert p.std().item() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.1)


@pytest.mark.parametrize("n_layer", [1, 3])
def test_gpt2_begins_as_gpt2(n_layer):
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


def test_time_constant():
    assert make(dt=50, tau=100, fixation=50, decision=50).model.network.alpha == 0.5


def test_confusion_matrix_counts_own_decisions():
    task = make(n_task=(2,)).tasks[0]
    targets = torch.tensor([[[1.0, -1.0, 0.0], [1.0, 1.0, 0.0]]])  # the third task is padding
    targets = targets[:, :, None]  # net, trial, time, task
    logits = torch.zeros(1, 2, 22, 3)
    logits[0, 0, -1] = torch.tensor([2.0, 3.0, 9.0])
    logits[0, 1, -1] = torch.tensor([-1.0, 1.0, 9.0])
    expected = torch.tensor([[[0.0, 0.25], [0.25, 0.5]]])  # rows true -, +; columns chosen -, +
    assert torch.equal(train.confusion(logits, targets, task), expected)


def test_confusion_matrix_counts_the_last_step_of_each_trial_in_a_row():
    task = make(n_task=(1,)).tasks[0]
    targets = torch.tensor([1.0, -1.0, -1.0]).view(1, 1, 3, 1)
    logits = torch.full((1, 1, 66, 1), 5.0)
    logits[0, 0, [21, 43, 65], 0] = torch.tensor([2.0, -1.0, 3.0])
    expected = torch.tensor([[[1 / 3, 1 / 3], [0.0, 1 / 3]]])
    assert torch.allclose(train.confusion(logits, targets, task), expected)


ALONE = [
    {},
    {"network": "LSTM"},
    {"network": "GRU"},
    {"network": "gpt-2"},  # with dropout
    {"n_sd_net": 1.0, "noise_enc": True, "rand_pen": True, "trial_num": 2},
]


@pytest.mark.parametrize("settings", ALONE)
def test_a_network_trains_alone_as_among_others(settings):
    among, alone = make((2, 6), (0, 1), **settings), make((6,), (1,), **settings)
    position = [(c["n_task"], c["run"]) for c in among.configs].index((6, 1))
    for _ in range(60 if settings == {} else 20):
        among.step()
        alone.step()
    for mine, others in zip(alone.model.parameters(), among.model.parameters(), strict=True):
        others = others[position, ..., : mine.shape[-1]]
        assert torch.allclose(mine[0], others, atol=2e-5)


def test_batched_adam_equals_independent_adams():
    trainer = make(n_task=(2, 5))
    model, independent = trainer.model, []
    trained = [p for p in model.parameters() if p.requires_grad]
    for net in range(2):
        copies = [p[net].detach().clone().requires_grad_() for p in trained]
        independent.append((copies, torch.optim.Adam(copies, lr=1e-3)))
    stream = trials(trainer)
    for _ in range(20):
        inputs, targets = next(stream)
        arguments = trainer.tasks[0], trainer.weights, trainer.configs[0]
        loss = train.loss_of(model(inputs), targets, *arguments)
        grads = torch.autograd.grad(loss.sum(), trained, retain_graph=True)
        for net, (copies, adam) in enumerate(independent):
            for own, grad in zip(copies, grads, strict=True):
                own.grad = grad[net].clone()
            adam.step()
        trainer.update(loss)
    for net, (copies, _) in enumerate(independent):
        for own, p in zip(copies, trained, strict=True):
            assert torch.allclose(own, p[net], atol=1e-6)


def test_seeds_depend_on_the_network_alone():
    assert util.seeds_for(0, 1, 6, 2) == util.seeds_for(0, 1, 6, 2)
    everyone = [util.seeds_for(s, r, n, 2) for s in (0, 1) for r in (0, 1) for n in (2, 3)]
    numbers = [number for seeds in everyone for number in seeds.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("kept", [[1, 3], [0, 1]])  # with and without the widest
@pytest.mark.parametrize("settings", [ALONE[0], *ALONE[3:]])
def test_keeping_some_networks_changes_nothing_for_them(kept, settings):
    both = [make(n_task=(2, 5), runs=(0, 1), **settings) for _ in range(2)]
    all_of_them, fewer = both
    for _ in range(5):
        all_of_them.step()
        fewer.step()
    for trainer in both if settings else ():  # so that a new block of trials comes soon
        for _ in range(trainer.data.BLOCK - 8):
            next(trainer.data)
    fewer.keep(kept)
    for _ in range(6 if settings else fewer.data.BLOCK + 1):  # a new block is drawn on the way
        all_of_them.step()
        fewer.step()
    for whole, part in zip(all_of_them.model.parameters(), fewer.model.parameters(), strict=True):
        assert torch.allclose(whole[kept][..., : part.shape[-1]], part, atol=2e-5)


# ------------------------------------------------------------------ files


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"network": "LSTM"},
        {"network": "GRU"},
        {"network": "gpt-2", "n_layer": 2},
        {"encode": False},
        {"activ_enc": "Quad", "leaky": False},
        {"n_task": (1,), "task": "ContextDependent"},
        {"task": "LinearClassificationBound"},
    ],
)
def test_checkpoint_round_trip(settings, tmp_path):
    trainer = make(**{"n_task": (2, 5), **settings})
    paths = []
    for net, config in enumerate(trainer.configs):
        paths.append(tmp_path / f"{net}.pth")
        content = checkpoint(trainer.model, net, config, [], [])
        assert ("rec_to_out.bias" in content["state_dict"]) == (config["network"] == "RNN")
        util.save_torch(paths[-1], content)
    model, configs = load_ensemble(paths)
    assert configs == trainer.configs
    inputs, _ = next(trials(trainer))
    assert torch.equal(model(inputs), trainer.model.eval()(inputs))
    assert isinstance(model, Model) and not model.training


def saved(path, trainer, **changed):
    """Write the first network of a trainer with another config."""
    content = checkpoint(trainer.model, 0, trainer.configs[0], [], [])
    config = {**content["config"], **changed}
    util.save_torch(path, {**content, "config": config})


def test_a_checkpoint_of_an_older_version_has_the_settings_of_its_time(tmp_path):
    trainer, path = make(n_task=(2,)), tmp_path / "old.pth"
    content = checkpoint(trainer.model, 0, trainer.configs[0], [], [])
    new = ("encode", "activ_enc", "noise_enc", "dist", "corr", "ar_coef", "bound", "rule_input")
    new += ("n_layer", "n_head", "dropout", "CE_loss", "bal_err", "pen_end", "rand_pen")
    new += ("trial_num",)
    for name in new:
        del content["config"][name]
    util.save_torch(path, content)
    _, configs = load_ensemble([path])
    assert configs == make(n_task=(2,)).configs


@pytest.mark.parametrize(
    "changed",
    [
        {"network": "CNN"},
        {"network": "LSTM"},
        {"activ_enc": "tanh"},
        {"dist": "cauchy"},
        {"trial_num": 0},
        {"n_neu": 8},
        {"encode": False},
        {"corr": 2.0, "task": "LinearClassificationCorr"},
        {"n_layer": True},
        {"task": "DenoiseQuad"},
        {"stimulus": 250},
    ],
)
def test_a_checkpoint_whose_settings_are_not_its_own(changed, tmp_path):
    path = tmp_path / "bad.pth"
    saved(path, make(n_task=(2,)), **changed)
    with pytest.raises(UserError):
        load_ensemble([path])


def test_networks_that_differ_in_kind_are_no_ensemble(tmp_path):
    paths = [tmp_path / "a.pth", tmp_path / "b.pth"]
    saved(paths[0], make(n_task=(2,)))
    saved(paths[1], make(n_task=(2,), network="GRU"))
    with pytest.raises(UserError, match="network is GRU"):
        load_ensemble(paths)


@pytest.mark.parametrize(("kind", "settings"), [("RNN", {}), *OTHERS])
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


def test_embeddings_and_causal_masks_in_a_file_of_gpt2():
    network = drawn("gpt-2", n_head=2)
    good = network.to_file(0)
    buffers = {"attn.bias": torch.ones(1, 1, 22, 22).tril(), "attn.masked_bias": torch.tensor(-1e4)}
    network.from_file(1, {**good, **{f"transformer.h.0.{k}": v for k, v in buffers.items()}})
    assert all(torch.equal(network.to_file(1)[k], v) for k, v in good.items())
    table = "transformer.wpe.weight"
    for positions in (torch.ones(22, 8), torch.full((22, 8), float("nan")), None):
        with pytest.raises(UserError, match="positional table"):
            network.from_file(1, {**good, table: positions})


def test_heads_divide_the_units():
    with pytest.raises(UserError, match="n_head = 3 does not divide n_neu = 8"):
        drawn("gpt-2", n_head=3)


def test_of_the_authors_rnn_a_part_is_unused():
    network = drawn("RNN", perturbed=False)
    state = network.to_file(0)
    network.from_file(1, {**state, "rec_to_out.weight": torch.ones(2, 8)})
    assert torch.equal(network.to_file(1)["rec_to_rec.weight"], state["rec_to_rec.weight"])
