"""Module: registration, walking, modes, hooks, moving, copying, freezing."""

from __future__ import annotations

import copy
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import etude
from etude import nn
from etude.framework.errors import EtudeError, MissingAttribute, ShapeError

BACKENDS = [name for name, reason in etude.backends.available().items() if reason is None]


class Net(nn.Module):
    """A model with everything: children, a parameter, two buffers, a shared layer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(etude.tensor(2.0))
        self.register_buffer("offset", etude.ones(3))
        self.register_buffer("mask", etude.tensor([1, 0, 1]), persistent=False)
        self.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
        self.again = self.body[0]
        self.free = "not a part"

    def forward(self, x: Any) -> Any:
        return self.again(self.body(x)) * self.scale + self.offset * self.mask


OWN = ["scale", "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias"]


def test_parts_are_found_in_order_and_each_once() -> None:
    net = Net()
    assert [name for name, _ in net.named_parameters()] == OWN
    assert len(list(net.parameters())) == 5
    assert [n for n, _ in net.named_buffers()][:3] == ["offset", "mask", "body.1.running_mean"]
    assert [n for n, _ in net.named_modules()] == ["", "body", "body.0", "body.1"]
    assert [n for n, _ in net.named_children()] == ["body", "again"]
    assert list(net.children()) == [net.body, net.again]
    assert next(net.modules()) is net
    assert [n for n, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert next(net.named_parameters("model"))[0] == "model.scale"
    everywhere = [n for n, _ in net.named_parameters(remove_duplicate=False)]
    assert everywhere == [*OWN, "again.weight", "again.bias"]
    assert len(list(net.buffers())) == 5


def test_state_dict_names_persistent_state_in_torch_s_order() -> None:
    net = Net()
    state = net.state_dict()
    assert list(state)[:2] == ["scale", "offset"]
    assert "mask" not in state
    assert list(state)[-2:] == ["again.weight", "again.bias"]
    assert not any(t.requires_grad for t in state.values())
    assert all(t.requires_grad for t in net.state_dict(keep_vars=True).values()) is False
    assert net.state_dict(keep_vars=True)["scale"] is net.scale
    assert next(iter(net.body.state_dict(prefix="body."))) == "body.0.weight"


def test_state_dict_shares_memory_and_a_deep_copy_does_not() -> None:
    layer = nn.Linear(2, 2)
    live = layer.state_dict()
    kept = copy.deepcopy(live)
    optimizer = etude.optim.SGD(layer.parameters(), lr=1.0)
    layer(etude.ones(1, 2)).sum().backward()
    optimizer.step()
    assert live["weight"].tolist() == layer.weight.tolist() != kept["weight"].tolist()
    layer.load_state_dict(kept)
    assert layer.weight.tolist() == kept["weight"].tolist()


def test_load_state_dict_changes_nothing_when_it_fails() -> None:
    net = Net()
    before = copy.deepcopy(net.state_dict())
    state = {k: v + 1 for k, v in before.items()}
    wrong = {**state, "body.0.weight": etude.zeros(2, 2)}
    for bad in (wrong, {**state, "more": etude.zeros(1)}, dict(list(state.items())[:3])):
        with pytest.raises(EtudeError, match=r"\[load_state_dict\]"):
            net.load_state_dict(bad)
    with pytest.raises(EtudeError, match=r"size mismatch body\.0\.weight"):
        net.load_state_dict(wrong, strict=False)
    for key, value in net.state_dict().items():
        assert value.tolist() == before[key].tolist()


def test_load_without_strict_says_what_it_left() -> None:
    net = Net()
    state = {"scale": etude.tensor(5.0), "head.weight": etude.zeros(1)}
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert "offset" in missing
    assert unexpected == ["head.weight"]
    assert net.scale.item() == 5.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_load_takes_arrays_other_dtypes_and_other_backends(backend: str) -> None:
    layer = nn.Linear(2, 1, backend=backend)
    layer.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": etude.tensor([3])})
    assert layer.weight.tolist() == [[1.0, 2.0]]
    assert layer.bias.tolist() == [3.0]
    assert layer.weight.backend.name == backend
    assert layer.weight.dtype is etude.float32


def test_a_parameter_that_is_none_keeps_its_place() -> None:
    layer = nn.Linear(2, 2, bias=False)
    assert layer.bias is None
    layer.bias = nn.Parameter(etude.zeros(2))
    assert [n for n, _ in layer.named_parameters()] == ["weight", "bias"]
    layer.bias = None
    assert list(layer.state_dict()) == ["weight"]


def test_an_attribute_changes_its_kind_and_goes() -> None:
    net = Net()
    net.offset = nn.Parameter(etude.zeros(3))
    assert "offset" in dict(net.named_parameters())
    assert "offset" not in dict(net.named_buffers())
    del net.offset
    assert "offset" not in net.state_dict()
    net.free = nn.ReLU()
    assert "free" in dict(net.named_children())
    net.mask = None
    assert "mask" not in dict(net.named_buffers())


def test_missing_attributes_suggest_and_are_attribute_errors() -> None:
    net = Net()
    with pytest.raises(MissingAttribute, match="did you mean 'scale'"):
        _ = net.scal
    assert not hasattr(net, "nothing")
    assert getattr(net, "nothing", 3) == 3


def test_train_and_eval_reach_every_module() -> None:
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    net.body.train()
    assert net.body[1].training
    assert not net.training


def test_frozen_parameters_get_no_gradient() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    net[0].requires_grad_(False)
    optimizer = etude.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    before = net[0].weight.tolist()
    net(etude.ones(3, 2)).sum().backward()
    optimizer.step()
    assert net[0].weight.grad is None
    assert net[0].weight.tolist() == before
    assert net[1].weight.grad is not None
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


def test_zero_grad() -> None:
    layer = nn.Linear(2, 1)
    layer(etude.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0.0, 0.0]]
    layer.zero_grad()
    assert layer.weight.grad is None


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh())).apply(
        lambda m: seen.append(type(m).__name__)
    )
    assert seen == ["ReLU", "Tanh", "Sequential", "Sequential"]


def test_get_submodule() -> None:
    net = Net()
    assert net.get_submodule("body.1") is net.body[1]
    assert net.get_submodule("again") is net.body[0]
    assert net.get_submodule("") is net


# moving ---------------------------------------------------------------------------------------
def test_to_another_backend_and_dtype_keeps_objects_and_sharing() -> None:
    net = Net()
    net(etude.ones(2, 3)).sum().backward()
    before = list(net.parameters())
    values = net.body[0].weight.tolist()
    assert net.to("python", dtype="float64") is net
    assert all(p is q for p, q in zip(net.parameters(), before, strict=True))
    assert net.again.weight is net.body[0].weight
    for t in [*net.parameters(), *net.buffers()]:
        assert t.backend.name == "python"
        assert t.dtype in (etude.float64, etude.int64)
    assert net.body[0].weight.tolist() == values
    assert net.scale.grad.backend.name == "python"
    assert net.scale.grad.dtype is etude.float64
    y = net(etude.ones(2, 3, dtype=etude.float64, backend="python"))
    y.sum().backward()
    assert net.to(etude.float32).float().scale.dtype is etude.float32
    assert net.double().mask.dtype is etude.int64
    assert net.to(etude.zeros(1)).scale.backend.name == "numpy"
    assert net.scale.dtype is etude.float32


def test_a_move_between_forward_and_backward_is_noticed() -> None:
    layer = nn.Linear(2, 1)
    loss = layer(etude.ones(1, 2)).sum()
    layer.to("numpy")  # already there: nothing happens
    loss.backward(retain_graph=True)
    layer.double()
    with pytest.raises(EtudeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("backend", BACKENDS)
def test_deep_copies_are_apart_and_keep_sharing(backend: str) -> None:
    with etude.use_backend(backend):
        net = Net()
        net(etude.ones(2, 3)).sum().backward()
    twin = copy.deepcopy(net)
    assert twin.again is twin.body[0]
    assert twin.scale is not net.scale
    assert isinstance(twin.scale, nn.Parameter)
    assert twin.scale.backend is net.scale.backend
    assert twin.scale.grad.tolist() == net.scale.grad.tolist()
    etude.optim.SGD(net.parameters(), lr=1.0).step()
    assert twin.scale.item() == 2.0 != net.scale.item()


def test_a_copied_optimizer_follows_the_copied_model() -> None:
    layer = nn.Linear(2, 1)
    optimizer = etude.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
    layer(etude.ones(1, 2)).sum().backward()
    optimizer.step()
    twin, other = copy.deepcopy((layer, optimizer))
    assert other.param_groups[0]["params"][0] is twin.weight
    for m, o in ((layer, optimizer), (twin, other)):
        m.zero_grad()
        m(etude.ones(1, 2)).sum().backward()
        o.step()
    assert twin.weight.tolist() == layer.weight.tolist()


@pytest.mark.parametrize("backend", BACKENDS)
def test_models_pickle(backend: str) -> None:
    with etude.use_backend(backend):
        net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval()
        again = pickle.loads(pickle.dumps(net))
        assert repr(again) == repr(net)
        assert again[0].weight.backend is net[0].weight.backend
        assert isinstance(again[0].weight, nn.Parameter)
        assert again[0].weight.requires_grad
        x = etude.ones(3, 2)
        assert again(x).tolist() == net(x).tolist()


# hooks ----------------------------------------------------------------------------------------
def test_hooks_see_and_replace() -> None:
    layer, seen = nn.ReLU(), []
    x = etude.tensor([-1.0, 2.0])
    handles = [
        layer.register_forward_pre_hook(lambda m, args: seen.append(("before", m is layer, args))),
        layer.register_forward_pre_hook(lambda m, args: args[0] * 10.0),
        layer.register_forward_pre_hook(lambda m, args: (args[0] + 1.0,)),
        layer.register_forward_hook(lambda m, args, y: seen.append(("after", args, y))),
        layer.register_forward_hook(lambda m, args, y: y * 2.0),
    ]
    assert layer(x).tolist() == [0.0, 42.0]
    assert seen[0][1]
    assert seen[0][2][0] is x
    assert seen[1][1][0].tolist() == [-9.0, 21.0]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert layer(x).tolist() == [0.0, 2.0]
    with layer.register_forward_hook(lambda *_: 3):
        assert layer(x) == 3
    assert layer(x).tolist() == [0.0, 2.0]


def test_a_hook_may_remove_itself() -> None:
    layer, calls = nn.Identity(), []
    handle = layer.register_forward_hook(lambda *_: (calls.append(1), handle.remove())[1])
    layer(1), layer(1)
    assert calls == [1]


def test_a_copied_module_has_hooks_of_its_own() -> None:
    layer, calls = nn.Identity(), []
    handle = layer.register_forward_hook(lambda *_: calls.append(1))
    twin = copy.deepcopy(layer)
    handle.remove()
    layer(1)
    assert calls == []
    twin(1)
    assert calls == [1]


# the rest -------------------------------------------------------------------------------------
def test_an_error_says_which_layers_it_came_through() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(3, 2)))
    with pytest.raises(ShapeError) as caught:
        net(etude.ones(2, 4))
    assert caught.value.__notes__ == [
        "in Linear(in_features=3, out_features=2, bias=True)",
        "in Sequential()",
        "in Sequential()",
    ]


def test_parameters_own_their_memory() -> None:
    x = etude.ones(2)
    p = nn.Parameter(x)
    p.grad = etude.ones(2)
    etude.optim.SGD([p], lr=1.0).step()
    assert p.tolist() == [0.0, 0.0]
    assert x.tolist() == [1.0, 1.0]
    assert not nn.Parameter(x, requires_grad=False).requires_grad
    assert type(p * 2.0) is etude.Tensor


def test_a_model_is_freed_when_it_goes_out_of_use() -> None:
    net = Net()
    gone = weakref.ref(net)
    net(etude.ones(2, 3))
    del net
    assert gone() is None


def test_keyword_arguments_reach_forward() -> None:
    class Scale(nn.Module):
        def forward(self, x: float, by: float = 1.0) -> float:
            return x * by

    scale = Scale()
    assert scale(2.0, by=3.0) == 6.0
    scale.register_forward_hook(lambda m, args, y: y + 1.0)
    assert scale(2.0, by=3.0) == 7.0


def test_batch_norm_of_integers_counts() -> None:
    layer = nn.BatchNorm1d(2)
    for _ in range(3):
        layer(etude.randn(4, 2))
    assert layer.num_batches_tracked.item() == 3
    assert layer.num_batches_tracked.dtype is etude.int64
    layer.eval()(etude.randn(4, 2))
    assert layer.num_batches_tracked.item() == 3
    layer.reset_running_stats()
    assert layer.running_var.tolist() == [1.0, 1.0]


def test_dropout_is_on_in_training_only() -> None:
    etude.manual_seed(0)
    layer, x = nn.Dropout(0.25), etude.ones(1000)
    y = layer(x)
    assert sorted(set(y.tolist())) == pytest.approx([0.0, 4 / 3])
    assert 0.2 < (y == 0.0).to(etude.float32).mean().item() < 0.3
    assert layer.eval()(x) is x


def test_embedding_from_vectors() -> None:
    vectors = etude.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(vectors)
    assert layer(etude.tensor([1, 0])).tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert not layer.weight.requires_grad
    assert nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=1).weight.requires_grad


def test_a_module_without_a_forward_says_so() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"\[Empty\] expected a forward\(\), got none"):
        Empty()(1)
    assert repr(nn.Parameter(etude.zeros(1))).startswith("Parameter containing:\ntensor([0.]")
