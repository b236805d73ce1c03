"""Several processes as one training: `torchrun` starts them, and each takes its share of every batch.

    torchrun --nproc-per-node 2 -m hmr train paired --data ...

A step is that of one process: losses are divided by what the whole batch counts, batch norms see the whole batch, and
gradients are summed, so all processes hold the same weights after it. Sums come in another order, so weights agree to
rounding, not to the bit. Alone, none of this does anything.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce

from hmr.data.loader import Part


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Be one of the processes that torchrun started, if it did: over gloo on processors, nccl on GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
        dist.barrier()  # nobody leaves before the first has written what all wait for
    finally:
        dist.destroy_process_group()


def share() -> Part:
    """This process's part of a batch; all of it where there is but one."""
    return Part(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else Part(0, 1)


def is_first() -> bool:
    """Whether this is the process that speaks and writes for all."""
    return share().index == 0


def total(values: Tensor) -> Tensor:
    """Summed over all processes."""
    if share().of > 1:
        values = values.clone()
        dist.all_reduce(values)
    return values


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give every process the sum of all processes' gradients, in one message."""
    if share().of == 1:
        return
    with_gradient = [p for p in parameters if p.grad is not None]
    summed = total(torch.cat([p.grad.flatten() for p in with_gradient]))
    for parameter, gradient in zip(with_gradient, summed.split([p.numel() for p in with_gradient]), strict=True):
        parameter.grad.copy_(gradient.view_as(parameter))


def share_norms(network: nn.Module) -> None:
    """Let batch norms take mean and variance over all processes; names and weights stay as they are."""
    if share().of == 1:
        return
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, _shared(child))


def _shared(norm: nn.BatchNorm2d) -> "SharedBatchNorm2d":
    made = SharedBatchNorm2d(norm.num_features, norm.eps, norm.momentum)
    made.load_state_dict(norm.state_dict())
    return made


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over the samples of all processes. torch's own, SyncBatchNorm, knows GPUs only."""

    def forward(self, features: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        if not self.training:
            return super().forward(features)
        wide = features.float()
        count = total(wide.new_tensor(float(wide.numel() // wide.shape[1])))
        mean = all_reduce(wide.sum((0, 2, 3))) / count
        centred = wide - mean[:, None, None]
        variance = all_reduce(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(features.dtype)
