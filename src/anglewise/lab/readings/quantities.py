"""What each reading means: its theme, its axis with unit, one line; and how each array is drawn.

A reading that is not listed is shown all the same, under its own name and the theme "Other".  ``test_`` before a name
and ``_total``, ``_se``, ``_error`` behind it change the line and nothing else.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

THEMES = (
    "Geometry",
    "Gradients",
    "Motion",
    "Spectra",
    "Curvature",
    "Circuits",
    "Logits and neurons",
    "Theory",
    "Controls",
    "Other",
)
ENERGY = "radial energy"
ROOT = "/ \u221ad"


class Meaning(NamedTuple):
    """One reading: where it belongs, what its axis says, one line about it, and values worth a dotted line."""

    theme: str
    title: str
    text: str = ""
    lines: tuple[float, ...] = ()


class Drawing(NamedTuple):
    """One array: as ``curve`` (values by index), ``density`` (grid and values), ``share`` (by frequency), and so on."""

    kind: Literal["curve", "density", "share", "map", "circles", "list"]
    x: str
    y: str


def _themed(theme: str, **readings: tuple[object, ...]) -> dict[str, Meaning]:
    return {name: Meaning(theme, *told) for name, told in readings.items()}  # type: ignore[arg-type]


MEANINGS: dict[str, Meaning] = {
    **_themed(
        "Geometry",
        radius=(f"radius |h| {ROOT}", "Mean length of the activations; 1 is what a vector of unit variance has."),
        radius_std=(f"spread of the radius {ROOT}", "Standard deviation of the radius over activations."),
        radius_q05=(f"5 % quantile of the radius {ROOT}", "5 % of the activations are shorter."),
        radius_q50=(f"median radius {ROOT}", "Half of the activations are shorter."),
        radius_q95=(f"95 % quantile of the radius {ROOT}", "95 % of the activations are shorter."),
        weight_norm=("weight norm |W|", "Frobenius norm of a parameter, or of all of them as one vector."),
    ),
    **_themed(
        "Gradients",
        radial_energy=(
            ENERGY,
            "d times the radial share of the task gradient at the activations, mean; a random direction has 1.",
            (1.0,),
        ),
        radial_energy_median=(ENERGY, "The same, median: a random direction has 0.45.", (0.455,)),
        radial_energy_of_means=(ENERGY, "Mean squared radial part over the mean square, times d.", (1.0,)),
        no_gradient=("share of vectors", "Vectors whose task gradient is too short to have a direction: left out."),
        total_radial_energy=(ENERGY, "Of task and penalties together: this measures the penalty, too.", (1.0,)),
        total_radial_energy_median=(ENERGY, "Of task and penalties together, median.", (0.455,)),
        total_radial_energy_of_means=(ENERGY, "Of task and penalties together, ratio of means.", (1.0,)),
        angular_coupling=(
            "|dG / d ln r| / |G|",
            "Relative change of the angular gradient G as the radius grows.",
            (0.0,),
        ),
        angular_elasticity=("d ln |G| / d ln r", "The part of the coupling that is a mere change of speed.", (0.0,)),
    ),
    **_themed(
        "Motion",
        radial_displacement=(
            f"radial displacement {ROOT}",
            "Along the radius, since the last measurement; root mean square.",
        ),
        angular_displacement=(
            f"angular displacement {ROOT}",
            "Across the radius, since the last measurement; root mean square.",
        ),
        displacement_radial_energy=(
            "radial energy of displacement",
            "d times the radial share of the squared displacement.",
            (1.0,),
        ),
        relative_radial_displacement=("share of the radius", "Radial displacement relative to the radius."),
        angle=("angle (radians)", "By how much the same inputs' activations turned since the last measurement."),
        angular_speed=("angular speed (radians / step)", "The same per optimiser step."),
        angular_cosine=("cosine, successive turns", "1: goes on turning the same way; -1: turns back.", (0.0,)),
        update_radial_energy=(
            ENERGY,
            "Of what the optimiser's next update does to activations, to first order.",
            (1.0,),
        ),
        task_step_radial_energy=(ENERGY, "Of what a gradient step on the task loss alone does to activations.", (1.0,)),
        penalty_step_radial_energy=(ENERGY, "Of what a gradient step on the penalties alone does to them.", (1.0,)),
    ),
    **_themed(
        "Spectra",
        effective_rank=(
            "effective rank (dimensions)",
            "Exponential of the entropy of the activations' singular values.",
        ),
        effective_rank_centred=("effective rank (dimensions)", "The same with the mean activation taken off."),
        stable_rank=("stable rank (dimensions)", "|A|\u00b2 / \u03c3\u2081\u00b2 of the activations."),
        sigma_max=("\u03c3\u2081 of the activations", "Their largest singular value."),
        rank_ceiling=("dimensions", "No rank of these activations can be larger."),
        weight_effective_rank=("effective rank (dimensions)", "Of a weight matrix."),
        weight_stable_rank=("stable rank (dimensions)", "Of a weight matrix."),
        weight_sigma_max=("\u03c3\u2081 of the weights", "Largest singular value of a weight matrix."),
        singular_values=("singular value", "Singular values of the activations, largest first."),
        weight_singular_values=("singular value", "Singular values of a weight matrix, largest first."),
        penalty_sigma1_rate=("d ln \u03c3\u2081 / dt", "By the penalty alone, per unit of its strength.", (0.0,)),
        penalty_bulk_rate=("d ln \u03b2 / dt", "All other singular values, by the penalty alone.", (0.0,)),
        penalty_stable_rank_rate=("d ln (stable rank) / dt", "By the penalty alone.", (0.0,)),
        task_sigma1_rate=("d ln \u03c3\u2081 / dt", "By the task loss alone.", (0.0,)),
        task_bulk_rate=("d ln \u03b2 / dt", "All other singular values, by the task loss alone.", (0.0,)),
        task_stable_rank_rate=("d ln (stable rank) / dt", "By the task loss alone.", (0.0,)),
    ),
    **_themed(
        "Curvature",
        hessian_loss=("loss", "Of the rows that curvature looks at: compare flatness only where this is equal."),
        hessian_trace=("Tr H", "Trace of the Hessian, by Hutchinson's probes."),
        hessian_top=("\u03bb\u2081", "Largest eigenvalue of the Hessian, by Lanczos."),
        hessian_second=("\u03bb\u2082", "Second largest eigenvalue."),
        hessian_least=("smallest Ritz value", "The most negative curvature found; 0 or above at a minimum.", (0.0,)),
        hessian_eigenvalues=("eigenvalue", "Largest eigenvalues of the Hessian."),
        hessian_density=("density", "Spectral density of the Hessian, by stochastic Lanczos quadrature."),
        normalised_sharpness=("\u03bb\u2081 |\u03b8|\u00b2", "Largest eigenvalue times the squared weight norm."),
        normalised_trace=("Tr H |\u03b8|\u00b2 / N", "Trace times the mean squared weight."),
        layerwise_normalised_trace=(
            "\u03a3 Tr H |\u03b8|\u00b2 / N",
            "The same layer by layer: rescaling layers leaves it.",
        ),
        filter_sharpness=("rise of the loss", "Along random directions as long as a part of each filter."),
        filter_curvature=("curvature", "Along the same directions."),
        preconditioned_sharpness=("\u03bb\u2081 of P\u207b\u00b9H", "Largest eigenvalue as the optimiser sees it."),
        edge_threshold=("eigenvalue", "Above this the optimiser's linearised steps grow."),
        edge_ratio=("\u03bb\u2081 / threshold", "1 is the edge of stability.", (1.0,)),
        llc=("\u03bb\u0302 (parameters / 2)", "Local learning coefficient: effective number of parameters, halved."),
        llc_path=("\u03bb\u0302", "What the chains sample, step by step: flat in its second half where they settled."),
        llc_virial=("virial", "1 where the chains sample what they should.", (1.0,)),
        llc_drift=("\u03bb\u0302", "What the estimate still grew by: near 0 where the chains have settled.", (0.0,)),
        llc_negative=("share of draws", "With a lower loss than the weights': away from 0 there is no minimum."),
    ),
    **_themed(
        "Circuits",
        fourier_max=("largest coefficient", "Largest Fourier coefficient over frequencies."),
        fourier_entropy=("entropy / ln f", "1: all frequencies alike; 0: one alone."),
        fourier_gini=("Gini coefficient", "0: all frequencies alike; 1: one alone."),
        fourier_coherence=(
            "R\u00b2 of the best frequency",
            "Share of a neuron's variance that one frequency explains, mean.",
        ),
        fourier_coherence_sum=("R\u00b2 of the best frequency", "The same by waves of the answer alone."),
        own_share=("share of power", "Of all neurons' power, in each one's best frequency."),
        selectivity_entropy=("entropy / ln f", "Of a neuron's frequencies: 0 for one, 1 for all alike."),
        live_frequencies=("frequencies", "Frequencies that have neurons of their own."),
        cluster_size=("neurons", "Of a live frequency, median."),
        fourier_power=("share of power", "Of a token table, by frequency."),
        logit_fourier=("share of variance", "Of the logits along cos k(a + b - c), by frequency."),
        logit_coherence=("R\u00b2 of the logits", "Share in the span of cos k(a + b - c), all k."),
        logit_coherence_best=("R\u00b2 of the logits", "The same for the strongest few frequencies."),
        restricted_loss=("cross-entropy (nats)", "Of the key frequencies alone: falls while the circuit forms."),
        excluded_loss=("cross-entropy (nats)", "Without the key frequencies: rises as the network relies on them."),
        full_loss=("cross-entropy (nats)", "On all pairs."),
        key_frequency_count=("frequencies", "Fewest that hold most of the logits' power."),
        distance_irrelevance=("q", "0: the logit knows the distance alone (pizza); 1: it does not (clock)."),
        gradient_symmetricity=("cosine", "Of the gradients by both operands' embeddings: 1 for a pizza."),
        circularity=("share of power", "Of the best frequency in each principal component of the embedding."),
        effective_neurons=("neurons", "Fewest that predict what the whole layer predicts."),
        sparse_accuracy=("accuracy", "On test examples, of these neurons alone."),
        rest_accuracy=("accuracy", "On test examples, of the layer without them."),
        active_norm=("|w|", "Mean norm of incoming weights of these neurons."),
        inactive_norm=("|w|", "Mean norm of incoming weights of all others."),
        relevant_weight_share=("share of squared weight", "On the secret bits."),
        relevant_movement_share=("share of squared movement", "On the secret bits, since the last measurement."),
        relevant_gradient_share=("share of squared gradient", "On the secret bits."),
        relevant_gap=("gap", "1: neurons read the secret bits alone; below 0: not yet.", (0.0,)),
        relevant_gradient_gap=("gap", "The same of the gradient.", (0.0,)),
        relevant_inf=("largest |w|", "On the secret bits."),
        irrelevant_inf=("largest |w|", "On all other bits."),
    ),
    **_themed(
        "Logits and neurons",
        logit_scale=("root mean square", "Of logits about their mean over classes."),
        logit_norm=("|z|", "Mean length of the logits."),
        saturation=("share of examples", "Whose loss is exactly 0 in float32: they train no more."),
        margin=("logit difference", "Of the label over the best other class, mean.", (0.0,)),
        margin_q05=("logit difference", "5 % of the examples have a smaller margin.", (0.0,)),
        margin_min=("logit difference", "The smallest margin.", (0.0,)),
        degree=("degree", "Of homogeneity in the weights, if there is one."),
        normalised_margin=("margin / |\u03b8|^degree", "Smallest margin over the weight norm to the degree."),
        dormant=("share of neurons", "Hardly active beside the rest of their layer."),
        dead=("share of neurons", "Never active on the examples looked at."),
        coadaptation=("inner product", "Of features of examples with different labels, mean."),
        coadaptation_cosine=("cosine", "The same of their directions alone."),
        sink=("attention", "Paid to the first position, mean over heads."),
        sink_by_head=("attention", "Paid to the first position, by head."),
        sink_excess=("attention", "The same above what uniform attention would pay: 0.", (0.0,)),
        sink_rate=("share of heads", "That are attention sinks."),
        attention_entropy=("entropy / ln positions", "1: attends to all alike; 0: to one."),
        attention_entropy_by_head=("entropy / ln positions", "By head."),
        massive=("ratio", "Largest over median magnitude in the stream."),
        matrix_entropy=("entropy / ln rank", "Of the last position over examples: 1 fills all dimensions."),
        prompt_entropy=("entropy / ln rank", "Of one example's positions, mean over examples."),
    ),
    **_themed(
        "Theory",
        rho=("\u03c1 (units of the loss)", "Outward push of the loss, the same at every homogeneous layer.", (0.0,)),
        outward_force=(
            "-\u27e8h, g\u27e9",
            "Measured outward push; equals \u03c1 where Euler's identity holds.",
            (0.0,),
        ),
        euler_residual=("relative residual", "Of Euler's identity: about 1e-6 where it holds in float32."),
        balance_radius=(f"radius {ROOT}", "Where the loss's push, from \u03c1, and the penalty's pull cancel."),
        balance_radius_here=(f"radius {ROOT}", "The same from the push measured at the site."),
        inside=("share of vectors", "Within the target radius: these are pushed outward."),
        penalty_push=("force", "Of the penalties, positive outward: inflation before suppression.", (0.0,)),
        penalty_anisotropy=(
            "k |M|\u00b2 / (Tr M)\u00b2",
            "Of the penalty's decay matrix M: 1 is plain weight decay.",
            (1.0,),
        ),
        penalty_anisotropic_share=("share of |M|\u00b2", "That no plain weight decay has."),
        penalty_negative=("share", "Of M that is negative: these directions grow instead of decaying."),
        penalty_input_alignment=("cosine", "Of M and the inputs' second moment.", (0.0,)),
        input_anisotropy=("k |\u03a3|\u00b2 / (Tr \u03a3)\u00b2", "Of the layer's inputs: 1 is isotropic.", (1.0,)),
        input_anisotropy_excess=("anisotropy", "Of the inputs beyond what a finite sample gives.", (0.0,)),
        input_mean_share=("share", "Of the inputs' second moment that is their mean."),
        gauss_newton_trace=("trace", "Of the penalty's Gauss-Newton form."),
        gauss_newton_anisotropy=("anisotropy", "Of the penalty's Gauss-Newton form: 1 is isotropic.", (1.0,)),
        update_alignment=("cosine", "Of what the weights really did and what the penalty asks for.", (0.0,)),
        decay_alignment=("cosine", "Of what the weights really did and plain decay.", (0.0,)),
        penalty_spectrum=("eigenvalue of M", "Negative ones grow: most vectors are inside the sphere there."),
        input_spectrum=("eigenvalue of \u03a3", "Second moment of the layer's inputs."),
    ),
}

DRAWINGS: dict[str, Drawing] = {
    "singular_values": Drawing("curve", "rank", "singular value"),
    "weight_singular_values": Drawing("curve", "rank", "singular value"),
    "penalty_spectrum": Drawing("curve", "rank", "eigenvalue"),
    "input_spectrum": Drawing("curve", "rank", "eigenvalue"),
    "hessian_eigenvalues": Drawing("curve", "rank", "eigenvalue"),
    "hessian_density": Drawing("density", "eigenvalue", "density"),
    "llc_path": Drawing("curve", "step of the chain", "n\u03b2 (L(w) - L(w*))"),
    "sink_by_head": Drawing("curve", "head", "attention to the first position"),
    "attention_entropy_by_head": Drawing("curve", "head", "entropy / ln positions"),
    "fourier_power": Drawing("share", "frequency k", "share of power"),
    "logit_fourier": Drawing("share", "frequency k", "share of variance"),
    "fourier_map": Drawing("map", "frequency k", "neuron, by best frequency"),
    "circles": Drawing("circles", "cosine direction", "sine direction"),
    "circle_frequencies": Drawing("list", "", ""),
    "key_frequencies": Drawing("list", "", ""),
}
"""How arrays are drawn; any other is drawn as curves if it has one axis, and is left to queries if it has more."""

_PLACES = {name: k for k, name in enumerate(MEANINGS)}
_PREFIXES = {"test_": "On test examples. "}
_SUFFIXES = {
    "_total": "Of the total loss, penalties included. ",
    "_se": "Standard error. ",
    "_error": "Bound on the error. ",
}


def meaning(name: str) -> Meaning:
    """What a reading means."""
    if name in MEANINGS:
        return MEANINGS[name]
    for prefix, words in _PREFIXES.items():
        if name.startswith(prefix) and name != prefix:
            return _said(meaning(name.removeprefix(prefix)), words, name)
    for suffix, words in _SUFFIXES.items():
        if name.endswith(suffix) and name != suffix:
            return _said(meaning(name.removesuffix(suffix)), words, name)
    for stem, title, text in (
        ("angular_gradient_x", "|G|", "Angular part of the task gradient with the radius multiplied by this factor."),
        ("angular_isotropy_x", "participation / d", "Its isotropy: compare factors with each other."),
    ):
        if name.startswith(stem):
            return Meaning("Gradients", title, text)
    for ending, title, text in (
        ("_wanted", "wanted", "What the control was to match."),
        ("_got", "got", "What the control has: the same as wanted, or its result means nothing."),
    ):
        if name.startswith("match_") and name.endswith(ending):
            what = name.removeprefix("match_").removesuffix(ending).replace("_", " ")
            return Meaning("Controls", f"{what}, {title}", text)
    return Meaning("Other", name.replace("_", " "))


def place(name: str) -> tuple[int, str]:
    """A key that sorts readings as they are listed here: what is made of another's name follows it."""
    base = name
    for prefix in _PREFIXES:
        base = base.removeprefix(prefix)
    while base not in MEANINGS and any(base.endswith(suffix) for suffix in _SUFFIXES):
        for suffix in _SUFFIXES:
            base = base.removesuffix(suffix)
    return (_PLACES.get(base, len(_PLACES)), name.removeprefix("test_") + ("~" if name.startswith("test_") else ""))


def drawing(name: str, rank: int) -> Drawing | None:
    """How an array with so many axes is drawn; None for not at all."""
    found = DRAWINGS.get(name) or DRAWINGS.get(name.removesuffix("_total"))
    if found is not None:
        return found
    return Drawing("curve", "index", name.replace("_", " ")) if rank == 1 else None


def _said(told: Meaning, words: str, name: str) -> Meaning:
    if told.theme == "Other":
        return Meaning("Other", name.replace("_", " "))
    return told._replace(text=words + told.text, lines=() if words.startswith("Standard") else told.lines)
