"""``sites="auto"`` on a public library's families, tiny and randomly initialised: what each is expected to give."""

from __future__ import annotations

import pytest
import torch

from anglewise.errors import AttachError
from anglewise.torch import RadialSuppression

transformers = pytest.importorskip("transformers")

LLAMA = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 32,
    "max_position_embeddings": 32, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
GPT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 32, "n_positions": 32}
MAMBA = {
    "num_hidden_layers": 4, "num_experts": 2, "attn_layer_period": 4, "attn_layer_offset": 2, "use_mamba_kernels": False
}  # fmt: skip
FAMILIES = {
    # class, configuration, the sites of one block in the end (None where the choice is refused), that block
    "GPT-2": ("GPT2LMHeadModel", GPT, ("attn", "mlp"), "transformer.h.0"),
    "Llama": ("LlamaForCausalLM", LLAMA, ("self_attn", "mlp"), "model.layers.0"),
    "Gemma": ("GemmaForCausalLM", LLAMA | {"head_dim": 8}, ("self_attn", "mlp"), "model.layers.1"),
    "Qwen2": ("Qwen2ForCausalLM", LLAMA, ("self_attn", "mlp"), "model.layers.1"),
    "Mixtral": ("MixtralForCausalLM", LLAMA | {"num_local_experts": 2}, ("self_attn", "mlp"), "model.layers.0"),
    "Phi": ("PhiForCausalLM", LLAMA, ("self_attn", "mlp"), "model.layers.0"),
    "Falcon": (
        "FalconForCausalLM",
        {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 32},
        ("self_attention", "mlp"),
        "transformer.h.0",
    ),
    "GPT-J": ("GPTJForCausalLM", GPT | {"rotary_dim": 4}, ("attn", "mlp"), "transformer.h.0"),
    "OPT": (
        "OPTForCausalLM",
        LLAMA | {"ffn_dim": 32, "word_embed_proj_dim": 16},
        ("self_attn", "fc2"),
        "model.decoder.layers.0",
    ),
    "BLOOM": (
        "BloomForCausalLM",
        {"hidden_size": 16, "n_layer": 2, "n_head": 2, "vocab_size": 32},
        ("self_attention.dense", "mlp.dense_4h_to_h"),
        "transformer.h.1",
    ),
    "MPT": (
        "MptForCausalLM",
        {"d_model": 16, "n_heads": 2, "n_layers": 2, "vocab_size": 32, "max_seq_len": 32},
        ("attn", "ffn.down_proj"),
        "transformer.blocks.0",
    ),
    "Jamba, Mamba layer": ("JambaForCausalLM", LLAMA | MAMBA, ("mamba", "feed_forward"), "model.layers.0"),
    "Jamba, attention layer": ("JambaForCausalLM", LLAMA | MAMBA, ("self_attn", "feed_forward"), "model.layers.2"),
    "Gemma 2": ("Gemma2ForCausalLM", LLAMA | {"head_dim": 8}, None, "post_attention_layernorm"),
    "OLMo 2": ("Olmo2ForCausalLM", LLAMA, None, "post_attention_layernorm"),
    "GLM-4": ("Glm4ForCausalLM", LLAMA | {"head_dim": 8}, None, "post_self_attn_layernorm"),
}


def made(cls, config):
    torch.manual_seed(0)
    known = getattr(transformers, cls, None)
    if known is None:
        pytest.skip(f"this release of transformers has no {cls}")
    model = known(known.config_class(**config)).train()
    for p in model.parameters():
        if p.ndim > 1:
            p.data.normal_(0, 0.3)  # so that differences show
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_sites_are_what_the_blocks_add_or_the_choice_is_refused(family):
    cls, config, parts, block = FAMILIES[family]
    model, ids = made(cls, config), torch.randint(1, 31, (2, 8))
    suppression = RadialSuppression(model)
    model(input_ids=ids)
    if parts is None:
        with pytest.raises(AttachError, match=f"the norm {block} stands before the addition"):
            suppression.penalty()
        return
    suppression.penalty().backward()
    own = [site for site in suppression.sites if site.startswith(f"{block}.")]
    assert own == [f"{block}.{part}" for part in parts]
    found = {}
    model.eval()  # without dropout the parts add up to the whole
    module = model.get_submodule(block)
    module.register_forward_pre_hook(
        lambda m, args, kwargs: found.update(x=args[0] if args else kwargs["hidden_states"]), with_kwargs=True
    )
    for name in (block, *own):
        model.get_submodule(name).register_forward_hook(
            lambda m, args, h, name=name: found.update({name: (h[0] if isinstance(h, tuple) else h).clone()})
        )
    with torch.no_grad():
        model(input_ids=ids)
    added = found[block] - found["x"]
    torch.testing.assert_close(sum(found[name].reshape(added.shape) for name in own), added, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_a_shared_layer_is_corrected_once_and_counts_at_each_call():
    config = {
        "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 32,
        "max_position_embeddings": 32, "embedding_size": 8,
    }  # fmt: skip
    model = made("AlbertForMaskedLM", config)
    suppression = RadialSuppression(model)
    layer = "albert.encoder.albert_layer_groups.0.albert_layers.0"
    counted = []
    for _ in range(2):
        model(input_ids=torch.randint(1, 31, (2, 8)))
        suppression.penalty().backward()
        assert suppression.sites == (f"{layer}.attention.dense", f"{layer}.ffn_output")
        counted.append(sorted(site for site, *_ in suppression._last))
    assert counted[0] == counted[1] and len(counted[0]) == 6  # three calls of two sites
