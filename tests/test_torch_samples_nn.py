"""Activations, losses, norms, dropout and attention on all of torch's own sample inputs in float64.

test_torch_samples.py takes a selection for every function and dtype; here no sample is left out but
those of the table below.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import test_torch_samples as samples  # noqa: E402

pytestmark = pytest.mark.no_cover  # other tests reach the same lines, and tracing doubles the time

NAMES = """
relu relu6 leaky_relu prelu rrelu elu selu celu silu mish gelu softplus softsign softshrink
hardshrink tanhshrink threshold hardtanh hardsigmoid hardswish logsigmoid sigmoid tanh glu
softmax softmin log_softmax
cross_entropy nll_loss binary_cross_entropy binary_cross_entropy_with_logits kl_div
gaussian_nll_loss poisson_nll_loss mse_loss l1_loss smooth_l1_loss huber_loss
hinge_embedding_loss margin_ranking_loss soft_margin_loss multi_margin_loss multilabel_margin_loss
multilabel_soft_margin_loss cosine_embedding_loss triplet_margin_loss cosine_similarity
pairwise_distance pdist
batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm normalize
dropout dropout2d dropout3d alpha_dropout feature_alpha_dropout
embedding scaled_dot_product_attention
"""

# Samples of the functions above that are left out, and the functions that have samples and are not
# above. Complex, half and sparse samples do not come up: float64 is asked for.
LEFT_OUT: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        ["dropout", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"],
        (lambda s: s.kwargs.get("training", True) and 0 < s.kwargs.get("p", 0.5) < 1, "random"),
    ),
    "rrelu": (lambda s: s.kwargs.get("training", False), "random"),
    "scaled_dot_product_attention": (lambda s: s.kwargs.get("dropout_p", 0) > 0, "random"),
    "batch_norm": (lambda s: len(s.input.shape) < 2, "no channel axis: etude raises ShapeError"),
}
NOT_HERE = {
    "multinomial": "random; cases_activations.py works its draws out from the seed",
    "triplet_margin_with_distance_loss": "the samples' distances are torch modules",
    "ctc_loss": "not in etude",
    "embedding_bag": "not in etude",
    "linear_cross_entropy": "not in etude",
    "multi_head_attention_forward": "not in etude: nn.MultiheadAttention is",
    "bilinear": "not in etude",
}


@pytest.mark.parametrize("name", NAMES.split())
def test_every_sample(name: str) -> None:
    skip, _ = LEFT_OUT.get(name, (lambda sample: False, ""))
    ran = 0
    for op in samples.catalogue()[name]:
        if torch.float64 not in op.dtypes:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            every = list(op.sample_inputs("cpu", torch.float64, requires_grad=op.supports_autograd))
        for number, sample in enumerate(every):
            if skip(sample):
                continue
            try:
                samples.check_sample(name, op, sample, "numpy")
            except Exception as error:
                error.add_note(
                    f"{name} {op.variant_test_name}, sample {number}: {sample.summary()}"
                )
                raise
            ran += 1
    assert ran


def test_what_is_not_here_is_known_to_torch_alone_or_said_why() -> None:
    from etude import functional as F

    absent = [name for name, why in NOT_HERE.items() if why.startswith("not in etude")]
    assert [name for name in absent if hasattr(F, name)] == []
    assert set(NOT_HERE) <= set(samples.catalogue())
