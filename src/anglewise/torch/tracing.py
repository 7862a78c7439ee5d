"""Which modules feed the non-linearities of a model that is no Transformer, found by tracing a copy of it.

The forward runs on symbols.  A forward may keep what it computes, count its calls, or draw random numbers.  So a copy
of the model runs it.  The copy shares the parameters of the model, which nothing writes to, and nothing else.
"""

from __future__ import annotations

import copy
from typing import Any

from torch import nn

_NOT_HIDDEN = {"MultiheadAttention", "Softmax", "Softmax2d", "LogSoftmax", "Softmin"}
_FUNCTIONS = {"relu", "relu_", "relu6", "leaky_relu", "gelu", "silu", "elu", "selu", "celu", "mish"}
_FUNCTIONS |= {"tanh", "sigmoid", "softplus", "hardswish"}
_TRANSPARENT = (nn.Dropout, nn.Identity, nn.Flatten, nn.Unflatten)


def pre_activations(model: nn.Module) -> tuple[list[nn.Module | None], str]:
    """What feeds each non-linearity that some Linear comes after; or why that is unknown.

    Args:
        model: Any module; it is left as it is.

    Returns:
        Modules of `model`, None where a non-linearity comes after no Linear or norm; and a reason, empty where the
        model could be traced.
    """
    import torch.fx

    try:
        twin = copy.deepcopy(model, {id(p): p for p in model.parameters()})
        with torch.random.fork_rng(devices=[]):
            graph = torch.fx.Tracer().trace(twin)
    except Exception as error:  # whatever stops the copy or the tracer: control flow, unpacking, a lock
        return [], f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no text'}"
    modules = dict(model.named_modules())

    def module(node: Any) -> nn.Module | None:
        return modules[node.target] if node.op == "call_module" else None

    def non_linear(node: Any) -> bool:
        kind = type(module(node))
        if kind.__module__ == "torch.nn.modules.activation":
            return kind.__name__ not in _NOT_HIDDEN
        called = getattr(node.target, "__name__", node.target)
        return node.op in ("call_function", "call_method") and called in _FUNCTIONS

    sources: list[nn.Module | None] = []
    linear_maps: set[Any] = set()  # nodes that some Linear comes after
    for node in reversed(graph.nodes):
        if isinstance(module(node), nn.Linear) or node in linear_maps:
            linear_maps.update(node.all_input_nodes)
        if non_linear(node) and node in linear_maps:
            source = node.all_input_nodes[0]
            while isinstance(module(source), _TRANSPARENT):
                source = source.all_input_nodes[0]
            known = isinstance(module(source), (nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm))
            sources.append(module(source) if known else None)
    return sources, ""
