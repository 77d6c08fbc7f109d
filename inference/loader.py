"""From weights to a network, recognised by its weights alone.

spandrel knows the architectures; a file's name says nothing.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from inference.errors import InvalidWeights, UnsupportedModel
from inference.halo import Cutting, cutting
from inference.network import Network
from inference.spandrel_import import spandrel
from inference.ways import Way


def load(
    state_dict: Mapping[str, Tensor],
    device: torch.device,
    way_of: Callable[[Any], Way],
    cutting_of: Callable[[Any, torch.device], Cutting] = cutting,
) -> Network:
    """Recognise an architecture by its weights and make it ready to run.

    `way_of(descriptor)` chooses how, and leaves the descriptor as it is; `cutting_of` is asked when
    a picture is first cut. Raises `UnsupportedModel` or `InvalidWeights`, and what `way_of` raises.
    """
    descriptor = describe(state_dict)
    way = way_of(descriptor)
    return Network(descriptor, device, way.dtype, way.kernels, cutting_of)


def describe(state_dict: Mapping[str, Tensor]) -> Any:
    """spandrel's descriptor of a super-resolution network, on the CPU in fp32.

    Raises `UnsupportedModel` when no network fits, `InvalidWeights` when one nearly does.
    """
    try:
        with warnings.catch_warnings():
            # About spandrel's own way of calling torch: nothing that a user could act on.
            warnings.simplefilter("ignore")
            descriptor = spandrel.ModelLoader().load_from_state_dict(dict(state_dict))
    except spandrel.UnsupportedModelError as error:
        raise UnsupportedModel(
            "No known network fits these weights.",
            "ESRGAN, Real-ESRGAN, Compact and the others that spandrel lists can be used.",
        ) from error
    except Exception as error:  # detection reads shapes and keys of a file of unknown origin
        raise InvalidWeights(
            "These weights start like a known network, but do not fit it.",
            "Get the file again from its source.",
        ) from error
    if not isinstance(descriptor, spandrel.ImageModelDescriptor) or descriptor.purpose not in (
        "SR",
        "Restoration",
    ):
        raise UnsupportedModel(
            f"{descriptor.architecture.name} is not a network for upscaling.",
            "Choose a super-resolution model.",
        )
    return descriptor
