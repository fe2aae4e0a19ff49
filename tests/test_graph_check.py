"""The contract's shapes as forms and rules: what etude records passes, what is wrong does not."""

from __future__ import annotations

import inspect

import pytest
from cases import CASES
from recorded_cases import program_of

from etude.backends.base import RANDOM, Backend, Constant, Expression, Register, Step, Value
from etude.framework.graph.check import TAKES, infer, parameters, refusal
from etude.framework.graph.cost import label, operations, traffic
from etude.framework.graph.forms import FORMS, Misfit
from etude.framework.graph.program import flops, spec
from etude.framework.graph.rules import RULES

IN_PLACE = {"put_strided", "assign", "sgd_step", "sgd_steps", "adam_step", "adam_steps"}
IN_PLACE |= {"amsgrad_step", "rmsprop_step", "rmsprop_steps", "adagrad_step", "adagrad_steps"}
IN_PLACE |= {"linear_grad_sgd", "linear_grad_adam"}
NO_COMPUTATION = {"from_host", "share", "to_host", "dtype", "empty", "keep", "synchronize", "load"}
NO_COMPUTATION |= {"set_threads", "release_memory", "arena", "in_arena"}
NO_COMPUTATION |= {"lend", "borrow", "interface", "generated"}


def v(*shape, dtype="float32", number=0):
    return Value(number, shape, dtype)


@pytest.mark.no_cover  # long, and every line is reached by others
def test_every_recorded_instruction_passes_with_the_inferred_results_and_its_op_s_cost():
    seen = set()
    for case in CASES:
        for dtype in case.dtypes:
            for i in program_of(case, dtype)[0].instructions:
                if i.method in RANDOM or i.method == "empty":
                    continue
                seen.add(i.method)
                found = infer(i.method, i.arguments[: len(parameters(i.method))])
                assert found == [(r.shape, r.dtype) for r in i.outputs], (case.name, str(i))
                if i.op is not None:
                    specs = [[spec(x) for x in part] for part in (i.inputs, i.outputs)]
                    assert flops(i) == i.op.flops(*specs), (case.name, str(i))
    assert len(seen) > 50


def test_every_method_of_the_contract_has_a_form_or_a_rule_or_is_no_part_of_programs():
    methods = {n for n, _ in inspect.getmembers(Backend, inspect.isfunction) if n[0] != "_"}
    assert methods - {*FORMS, *RULES} == IN_PLACE | NO_COMPUTATION | {*RANDOM}
    for method in (*FORMS, *RULES):
        assert not refusal(method)
        assert {str(p.annotation) for p in parameters(method).values()} <= {*TAKES}


SQUARE = Expression(("float32",), (Step("binary", "mul", (Register(0),) * 2, "float32"),), (1,))
BIG = Expression(
    ("int32",), (Step("binary", "add", (Register(0), Constant(2**40)), "int32"),), (1,)
)
LARGE = 2**46
WRONG = [
    ("strided", (v(4), (3,), (1,), 2), "positions"),
    ("strided", (v(4), (3,), (-1,), 1), "positions"),
    ("strided", (v(4), (3,), (2**61,), 0), "positions"),
    ("strided", (v(0), (1,), (1,), 0), "positions"),
    ("strided", (v(4), (2, 2), (1,), 0), "2 strides"),
    ("strided", (v(4), (2,), (2**70,), 0), "strides as"),
    ("strided", (v(4), (2,), (1,), -1), "positions"),
    ("strided", (v(4), (LARGE, LARGE), (0, 0), 0), "fits into memory"),
    ("strided", (v(4), (1,) * 65, (0,) * 65, 0), "shape as"),
    ("unstrided", (v(4), (3,), (1,), 0), "positions"),
    ("unstrided", (v(2, 3), (6,), (1, 1), 0), "no position twice"),
    ("unstrided", (v(2), (4,), (0,), 0), "no position twice"),
    ("reshape", (v(2, 3), (7,)), "6 elements"),
    ("reshape", (v(2, 3), (-1,)), "shape as"),
    ("expand", (v(2), (3,)), "do not broadcast"),
    ("expand", (v(3), (1,)), "broadcasts to"),
    ("transpose", (v(2, 3), (0, 0)), "an order of"),
    ("transpose", (v(2, 3), (0,)), "an order of"),
    ("cat", ((v(2, 3), v(2, 4)), 0), "equal sizes"),
    ("cat", ((v(2, 3), v(2, 3, dtype="int64")), 0), "one dtype"),
    ("cat", ((v(2, 3),), 2), "an axis"),
    ("cat", ((), 0), "xs as"),
    ("pad", (v(2), ((1, -1),), 0.0), "padding as"),
    ("pad", (v(2), ((1, 1), (1, 1)), 0.0), "1 pairs"),
    ("pad", (v(2, dtype="int32"), ((1, 1),), 2**40), "fits int32"),
    ("full", ((2,), 1.5, "int64"), "a whole number"),
    ("full", ((2,), float("nan"), "int64"), "a whole number"),
    ("full", ((2,), 0, "float16"), "a dtype"),
    ("full", ((2**60,), 0, "float32"), "shape as"),
    ("full", ((True,), 0, "float32"), "shape as"),
    ("cast", (v(2), "complex"), "a dtype"),
    ("gather", (v(2, 3), v(2)), "int64"),
    ("gather", (v(2), v(2, dtype="int64")), "R M"),
    ("gather", (v(2, 3), v(2, 2, dtype="int64")), "K"),
    ("scatter_add", (v(2, 3), v(3, dtype="int64"), 4), "K"),
    ("scatter_add", (v(2, 3), v(2, dtype="int64"), -4), "rows from 0"),
    ("scatter_add", (v(2, 3), v(2, dtype="int64"), 2**50), "rows from 0"),
    ("unary", ("exec", v(2)), "no such function"),
    ("unary", ("add", v(2)), "no such function"),
    ("unary", ("exp", v(2, dtype="int64")), "floats for exp"),
    ("unary", ("neg", v(2, dtype="bool")), "numbers for neg"),
    ("binary", ("add", v(2), v(3)), "do not broadcast"),
    ("binary", ("add", v(2), v(2, dtype="float64")), "one dtype"),
    ("binary", ("add", 1.0, 2.0), "at most one plain number"),
    ("binary", ("add", v(2), None), "b as Buffer | Number"),
    ("binary", ("add", v(2, dtype="int64"), 2**70), "fits int64"),
    ("binary", ("add", v(2, dtype="bool"), 1), "True or False"),
    ("full", ((2,), 2, "bool"), "True or False"),
    ("reduce", ("any", v(2, 3), (0,)), "bools for any"),
    ("binary", ("relu_grad", v(2, dtype="int64"), v(2, dtype="int64")), "floats for"),
    ("where", (v(2), v(2), v(2)), "a bool condition"),
    ("where", (v(2, dtype="bool"), 1.0, 2.0), "at most one"),
    ("reduce", ("sum", v(2, 3), (2,)), "axes of"),
    ("reduce", ("sum", v(2, 3), (0, 0)), "axes of"),
    ("reduce", ("sum", v(2, 3), ()), "axes of"),
    ("reduce", ("median", v(2, 3), (0,)), "name among"),
    ("reduce", ("max", v(0, 3), (0,)), "at least one element"),
    ("arg_reduce", ("argmax", v(2, 0), 1), "at least one element"),
    ("arg_reduce", ("argmax", v(2, 3), 2), "an axis"),
    ("scan", ("cumsum", v(), 0), "an axis"),
    ("scan", ("cumsum", v(2), -1), "an axis"),
    ("softmax", (v(2, 3), 5), "an axis"),
    ("softmax", (v(2, 3), True), "axis as int"),
    ("softmax", (v(2, 3, dtype="int32"), 0), "floats"),
    ("matmul", (v(2, 3), v(2, 3)), "equal inner sizes"),
    ("matmul", (v(3), v(3)), "two axes"),
    ("matmul", (v(2, 2, 3), v(3, 3, 4)), "do not broadcast"),
    ("matmul", (v(2, 3), v(3, 2), 1), "transpose_a as bool"),
    ("linear", (v(2, 3), v(4, 5), None), "K"),
    ("linear", (v(2, 3), v(4, 3), v(1)), "N"),
    ("linear", (v(2, 3), v(4, 3), None, "exp"), "activation among"),
    ("bias_activation", (v(2, 3), v(2, 3), "relu"), "N"),
    ("bias_activation", (v(2, 3), v(3), "isnan"), "name among"),
    ("linear_grad", (v(2, 4), v(2, 3), v(4, 3), (True, True)), "needs as"),
    ("linear_grad", (v(2, 4), v(3, 3), v(4, 3), (True, True, True)), "M K"),
    ("unfold", (v(1, 2, 5), (3, 3), (1, 1), ((0, 0),) * 2, (1, 1)), "4 axes"),
    ("unfold", (v(1, 2, 5), (3,), (0,), ((0, 0),), (1,)), "numbers from 1"),
    ("unfold", (v(1, 2, 5), (6,), (1,), ((0, 0),), (1,)), "to fit the input"),
    ("unfold", (v(1, 2, 5), (2**40,), (1,), ((2**45, 0),), (1,)), "numbers from 1"),
    ("unfold", (v(1, 2, 5), (3,), (1,), ((2**40, 0),), (1,)), "smaller padding"),
    ("unfold", (v(1, 2), (), (), (), ()), "numbers of each"),
    ("fold", (v(1, 6, 4), (1, 2, 5), (3,), (1,), ((0, 0),), (1,)), "columns"),
    ("max_pool_pick", (v(1, 2, 4, 4), v(1, 3, 2, 2, dtype="int64")), "N C"),
    ("max_pool_grad", (v(1, 2, 4), v(1, 2, 5, dtype="int64"), (1, 2, 9)), "P"),
    ("max_pool_grad", (v(1, 2, 4), v(1, 2, 4, dtype="int64"), (1, 3, 9)), "3 axes"),
    ("sum_pool_grad", (v(1, 2, 5), (1, 2, 9), (2,), (2,), ((0, 0),), 1.0), r"g \(1, 2, 4\)"),
    ("batch_norm", (v(2, 3, 4), v(1), None, 1e-5), "C"),
    ("layer_norm", (v(2, 3), None, v(2), 1e-5), "D"),
    ("group_norm", (v(2, 6), None, None, 4, 1e-5), "divide 6"),
    ("local_response_norm", (v(2, 3), 0, 1.0, 1.0, 1.0), "size from 1"),
    ("cross_entropy", (v(2, 3), v(3, dtype="int64")), "N"),
    ("cross_entropy", (v(2, 3), v(2)), "int64"),
    ("lstm", (v(5, 2, 12), v(16, 3), v(2, 3), v(2, 3)), "4H H"),
    ("lstm_cell", (v(2, 9), v(2, 3)), "4H"),
    ("rnn", (v(5, 2, 3), v(3, 3), v(2, 3), "exp"), "name among"),
    ("gru", (v(5, 2, 9), v(9, 3), v(8), v(2, 3)), "3H"),
    ("fused", (SQUARE, (v(2), v(2)), (2,)), "inputs"),
    ("fused", (SQUARE, (v(2),), (3,)), "broadcast to"),
    ("fused", (BIG, (v(2, dtype="int32"),), (2,)), "fits int32"),
    ("scale_all", ([v(2)], v(1)), "one number"),
    ("sum_squares", ([v(2, dtype="int64")],), "floats"),
    ("empty", ((2,), "float32"), "no computation"),
    ("uniform", (0, 0, (2,), "float32"), "random"),
    ("sgd_steps", (), "in place"),
    ("_reduce", (), "no such method"),
    ("__init__", (), "no such method"),
    ("name", (), "no such method"),
    ("softmax", (v(2, 3),), "2 to 2 arguments"),
    ("softmax", (v(2, 3), 0, v(2, 3)), "2 to 2 arguments"),
]
CONV = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
CONV_WRONG = [
    ({"groups": 2}, "O, C/groups"),
    ({"groups": 0}, "O, C/groups"),
    ({"groups": -1}, "O, C/groups"),
    ({"stride": (1, 1)}, "1 numbers of each"),
    ({"stride": (0,)}, "numbers from 1"),
    ({"dilation": (9,)}, "to fit the input"),
    ({"padding": ((0, 0), (0, 0))}, "1 numbers of each"),
    ({"padding": ((0, 0, 0),)}, "padding as"),
]


@pytest.mark.parametrize("method, arguments, message", WRONG)
def test_wrong_instructions(method, arguments, message):
    with pytest.raises(Misfit, match=message):
        infer(method, arguments)


@pytest.mark.parametrize("change, message", CONV_WRONG)
def test_wrong_convolutions(change, message):
    geometry = {**CONV, **change}.values()
    x, w, g = v(2, 4, 8), v(6, 4, 3), v(2, 6, 6)
    for method, arguments in (
        ("conv", (x, w, None)),
        ("conv_input_grad", (g, w, x.shape)),
        ("conv_weight_grad", (x, g, w.shape)),
    ):
        infer(method, (*arguments, *CONV.values()))
        with pytest.raises(Misfit, match=message):
            infer(method, (*arguments, *geometry))


def test_wrong_gradients_of_convolution():
    with pytest.raises(Misfit, match="expected g"):
        infer("conv_input_grad", (v(2, 6, 7), v(6, 4, 3), (2, 4, 8), *CONV.values()))
    with pytest.raises(Misfit, match="a bias"):
        infer("conv", (v(2, 4, 8), v(6, 4, 3), v(4), *CONV.values()))


def test_cost_of_what_ops_do_not_call():
    assert operations("fused", (SQUARE, [v(6)], (6,)), [(6,)]) == 6
    assert operations("sgd_steps", ([v(6), v(2)],), [(6,), (2,)]) == 80
    given = v(5, 3), v(5, 4), v(3, 4), (True, True, True)
    alone = operations("linear_grad", given, [(5, 4), (3, 4), (3,)])
    assert operations("linear_grad_adam", given, [(5, 4), (3, 4), (3,)]) == alone + 120
    assert operations("linear", (v(2, 3), v(4, 3), v(4), "relu"), [(2, 4)]) == 8 * 8
    assert operations("normal", (0, 0, (5,), "float32"), [(5,)]) == 50


def test_a_part_moves_as_much_as_it_has():
    assert traffic("gather", [4000, 16], [40]) == 96
    assert traffic("scatter_add", [40, 16], [4000]) == 4056
    assert traffic("reshape", [40], [40]) == 0
    assert traffic("binary", [40, 40], [40]) == 120


def test_labels_say_which_function():
    assert label("binary", ("add", v(2), 1.0)) == "binary add"
    assert label("fused", (SQUARE, [v(2)], (2,))) == "fused mul"
    assert label("conv", (v(2),)) == "conv"
