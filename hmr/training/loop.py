"""The training loop. Step `t` is a function of the state before it and of `t`: batches, dropout, real bodies and
learning rate are all derived from the seed and `t`, so an interrupted training ends with the very weights that an
uninterrupted one has.
"""

import contextlib
import io
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from hmr.body.model import BodyModel
from hmr.data.loader import Batch, Batches, Part, iterate
from hmr.device import pick_precision
from hmr.errors import UserError
from hmr.files import atomic_path
from hmr.losses import weighted_sum
from hmr.models.critics import Critics
from hmr.models.encoder import start_encoder
from hmr.models.hmr import Network
from hmr.params import OptimiserParams, TrainParams
from hmr.training import processes
from hmr.training.live import Live
from hmr.training.objective import Losses, RealBodies, counted, encoder_weights, step_terms
from hmr.training.optimisers import network_optimisers
from hmr.training.validation import Validation

SAVE_EVERY_S = 60.0
LOG_EVERY = 25

DrawReal = Callable[[int], RealBodies]
Objective = Callable[["State", Batch, Part], Losses]
"""What some rows of a step's batch cost, and which part of it they are."""


class Diverged(UserError):
    """A loss term, or the gradient, is not finite; the message names it and the samples of the step."""


@dataclass
class State:
    """Everything that a step changes."""

    network: nn.Module
    critics: Critics | None
    optimisers: dict[str, torch.optim.Optimizer]  # by the name of what they move, see set_rates
    step: int = 0
    log: list[dict[str, float]] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """The state as tensors and plain values."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return {"parts": parts, "step": self.step, "log": self.log}

    def restore(self, dumped: dict[str, Any]) -> None:
        """Go back to a dumped state."""
        for name, part in self._parts().items():
            part.load_state_dict(dumped["parts"][name])
        self.step, self.log = dumped["step"], dumped["log"]

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        optimisers = {f"{name} optimiser": optimiser for name, optimiser in self.optimisers.items()}
        critics = {"critics": self.critics} if self.critics is not None else {}
        return {"network": self.network, **critics, **optimisers}


def new_state(
    params: TrainParams, start: Tensor, device: torch.device, encoder: Mapping[str, Tensor] | None = None
) -> State:
    """A fresh network and fresh critics, unless their weight is zero.

    The encoder has the pre-trained weights given here, else those of the user's own file, else random ones.
    """
    torch.manual_seed(params.seed)
    network = Network(params.model, start)
    if encoder is not None:
        network.encoder.load_state_dict(encoder)
    else:
        start_encoder(network.encoder, params.model.encoder)
    processes.share_norms(network)
    network.to(device, memory_format=torch.channels_last)
    optimisers = network_optimisers(network, params.optimiser)
    if not params.adv_weight:
        return State(network, None, optimisers)
    critics = Critics(factorised=params.critics.factorised, hidden=params.critics.hidden).to(device)
    optimisers["critics"] = torch.optim.Adam(critics.parameters(), params.critics.learning_rate, fused=True)
    return State(network, critics, optimisers)


def rate_share(settings: OptimiserParams, step: int) -> float:
    """How much of its full learning rate each optimiser uses: a linear warm-up, then a cosine to the final fraction."""
    warmup = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    progress = min(1.0, max(0, step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps))
    low = settings.final_lr_fraction
    return warmup * (low + (1 - low) * 0.5 * (1 + math.cos(math.pi * progress)))


def set_rates(state: State, params: TrainParams) -> None:
    """Give all optimisers the step's learning rates. The critics' falls with the encoder's: at their full rate, while
    the encoder no longer follows, they learn to tell every body from a real one."""
    settings = params.optimiser
    full = {
        "network": settings.learning_rate,
        "kernels": settings.muon_learning_rate,
        "critics": params.critics.learning_rate,
    }
    for name, optimiser in state.optimisers.items():
        for group in optimiser.param_groups:
            group["lr"] = full[name] * rate_share(settings, state.step)


def train(
    state: State,
    params: TrainParams,
    *,
    body: BodyModel,
    batches: Batches,
    draw_real: DrawReal,
    device: torch.device,
    **options: Any,
) -> State:
    """Run the remaining steps of the paper's training; `options` as in `run`."""
    return run(
        state, params, paper_objective(params, body, draw_real), encoder_weights(params), batches, device, **options
    )


def paper_objective(params: TrainParams, body: BodyModel, draw_real: DrawReal) -> Objective:
    """What a step of the paper's training minimises."""

    def objective(state: State, batch: Batch, part: Part) -> Losses:
        real = draw_real(state.step).part(part, params.optimiser.batch_size) if state.critics is not None else None
        return step_terms(state.network, state.critics, body, batch, real, params)

    return objective


def run(
    state: State,
    params: TrainParams,
    objective: Objective,
    weights: Mapping[str, float],
    batches: Batches,
    device: torch.device,
    *,
    workers: int | None = None,
    keep: Path | None = None,
    live: Live | None = None,
    validation: Validation | None = None,
) -> State:
    """Run the remaining steps. `keep` is where the state is kept, about once a minute, for a later resume; `live` is
    shown the figures and, every few minutes, the network at work; `validation` adds its own to the curve.

    `workers` processes prepare batches, which changes no result. None is one beside a GPU; elsewhere a thread does it,
    as handing batches over from another process takes a tenth of a processor.
    """
    _check_parts(params.optimiser)
    workers = int(device.type == "cuda") if workers is None else workers
    saved = time.monotonic()
    first = processes.is_first()
    bar = tqdm(total=len(batches), initial=state.step, unit="step", mininterval=5, disable=None if first else True)
    sums: dict[str, Tensor] = {}
    with bar:
        for batch in iterate(batches, first=state.step, workers=workers):
            try:
                terms = step(state, params, objective, weights, batch.to(device), device)
            except _NotFinite as found:
                raise Diverged(_divergence(found, state.step, batches)) from None
            sums = {name: sums.get(name, 0) + term for name, term in terms.items()}
            state.step += 1
            bar.update()
            if state.step % LOG_EVERY == 0 or state.step == len(batches):
                before = _log(state, sums, bar)
                sums = {}
                if validation is not None and first and validation.is_due(before, state.step, len(batches)):
                    state.log[-1] |= validation.figures(state.network)
                if live is not None:
                    live.figures(state.log[-1])
                    live.picture(state.network, batch.to(device))
                if keep is not None and first and time.monotonic() - saved > SAVE_EVERY_S:
                    save_state(keep, state)
                    saved = time.monotonic()
    return state


def step(
    state: State,
    params: TrainParams,
    objective: Objective,
    weights: Mapping[str, float],
    batch: Batch,
    device: torch.device,
) -> dict[str, Tensor]:
    """One step of the encoder and, with the same bodies, one of the critics. All that it returns is to be summed over
    processes.

    The batch goes through in `accumulate` parts, each divided by what the whole batch counts. `batch` is this
    process's own.
    """
    own, count = processes.share(), params.optimiser.accumulate
    torch.manual_seed(params.seed * 1_000_003 + state.step + (own.index << 40))
    state.network.train()
    set_rates(state, params)
    optimisers = state.optimisers.values()
    for optimiser in optimisers:
        optimiser.zero_grad(set_to_none=True)
    parts = [batch.part(Part(k, count)) for k in range(count)]
    counts = [counted(part) for part in parts]
    whole = processes.total(torch.stack([sum(c[name] for c in counts) for name in counts[0]]))
    sums: dict[str, Tensor] = {}
    for k, (part, here) in enumerate(zip(parts, counts, strict=True)):
        share = {name: n / all_.clamp_min(1) for (name, n), all_ in zip(here.items(), whole, strict=True)}
        with _precision(params.optimiser, device):
            losses = objective(state, part, own.part(k, count))
        figures = _backward(losses, share, weights)
        sums = {name: sums.get(name, 0) + value for name, value in figures.items()}
    for optimiser in optimisers:
        processes.sum_gradients(p for group in optimiser.param_groups for p in group["params"])
    norm = _gradient_norm(state.network)
    for optimiser in optimisers:
        optimiser.step()
    return {**sums, "gradient_norm": norm / own.of}


def _backward(losses: Losses, share: Mapping[str, Tensor], weights: Mapping[str, float]) -> dict[str, Tensor]:
    """Add a part's share to the gradients; its share of every figure that is logged."""
    terms = {name: share[name] * term for name, term in losses.terms.items()}
    critics = None if losses.critics is None else share["critics"] * losses.critics
    total = weighted_sum(terms, weights)
    _check_finite(terms, weights, total, critics)
    total.backward()
    if critics is not None:
        critics.backward()
        terms["critics"] = critics
    seen = {name: share[name] * value for name, value in losses.seen.items()}
    return {name: value.detach() for name, value in {**terms, "total": total, **seen}.items()}


def _gradient_norm(network: nn.Module) -> Tensor:
    """The length of all gradients as one vector."""
    norm = torch.nn.utils.get_total_norm([p.grad for p in network.parameters() if p.grad is not None])
    if not math.isfinite(float(norm)):
        raise _NotFinite("gradient_norm", float(norm))
    return norm


def _check_parts(settings: OptimiserParams) -> None:
    if (parts := settings.accumulate * processes.share().of) > settings.batch_size or settings.accumulate < 1:
        raise UserError(
            f"train.optimiser: a batch of {settings.batch_size} cannot be cut into {parts} parts (accumulate times"
            " processes); lower accumulate, start fewer processes or raise batch_size"
        )


class _NotFinite(ArithmeticError):
    """The name of what is not finite, and its value."""


def _check_finite(
    terms: Mapping[str, Tensor], weights: Mapping[str, float], total: Tensor, critic_term: Tensor | None
) -> None:
    """Raise before anything is learned from numbers that are none. One look at a sum, as each one waits for a GPU."""
    whole = total.detach() if critic_term is None else total.detach() + critic_term.detach()
    if math.isfinite(float(whole)):
        return
    parts = {name: float(weights[name] * term.detach()) for name, term in terms.items()}
    if critic_term is not None:
        parts["critics"] = float(critic_term.detach())
    parts["total"] = float(total.detach())
    name = next((name for name, value in parts.items() if not math.isfinite(value)), "total")
    raise _NotFinite(name, parts[name])


def _divergence(found: _NotFinite, step: int, batches: Batches) -> str:
    name, value = found.args
    return (
        f"{name!r} is {value} at step {step + 1}, so training stops; the last state that was kept is whole."
        f" A lower learning rate may help, or a look at the step's samples: {', '.join(batches.sample_ids(step))}"
    )


def _precision(settings: OptimiserParams, device: torch.device) -> contextlib.AbstractContextManager:
    if pick_precision(settings.precision, device) == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def _log(state: State, sums: dict[str, Tensor], bar: tqdm) -> int:
    """Add a row to the curve; the step of the row before it."""
    count = (state.step - 1) % LOG_EVERY + 1
    whole = processes.total(torch.stack(list(sums.values()))) / count
    row = dict(zip(sums, whole.tolist(), strict=True))
    state.log.append({"step": state.step, **row})
    bar.set_postfix({name: f"{value:.3g}" for name, value in row.items()}, refresh=False)
    return state.step - count


def save_state(path: Path, state: State) -> None:
    """Keep the state for a resume, whole or not at all."""
    # By way of memory: writing a file itself, torch does not say that the disk is full.
    buffer = io.BytesIO()
    torch.save(state.dump(), buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_state(path: Path, device: torch.device) -> dict[str, Any] | None:
    """A kept state, or None where there is none to go on from. Only tensors and plain values are read."""
    if not path.is_file():
        return None
    return torch.load(path, map_location=device, weights_only=True)


def resume(state: State, kept: Path, device: torch.device, *, name: str) -> None:
    """Go on from a kept state, if there is one, and say so."""
    if (dumped := load_state(kept, device)) is not None:
        state.restore(dumped)
        if processes.is_first():
            print(f"{name}: going on from step {state.step}")
