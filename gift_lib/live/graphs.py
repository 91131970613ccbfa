"""Networks as ONNX graphs without weights, and weights as fp16 numbers that a graph finds in a file beside it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx
import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn

from gift_lib.clip import Clip
from gift_lib.errors import DataError

#: Name of a tensor to its place in a file of weights (in numbers, not bytes) and its shape.
Layout = dict[str, tuple[int, torch.Size]]


class Call(nn.Module):
    """A module `m` seen through one function of it: what becomes a graph."""

    def __init__(self, m: nn.Module, function: Callable[..., Tensor]):
        super().__init__()
        self.m, self.function = m, function

    def forward(self, *x: Tensor) -> Tensor:
        return self.function(self.m, *x)


@dataclass(frozen=True)
class Network:
    """A graph in the making: example inputs, and whether their first axis may have any length."""

    call: Call
    inputs: tuple[Tensor, ...]
    any_length: bool = False


def drawing(pipeline: DiffusionPipeline) -> dict[str, Network]:
    """The networks that draw. The UNet takes a pair: the empty prompt and the prompt, as guidance needs them."""
    unet, words = pipeline.unet.config, pipeline.tokenizer.model_max_length
    ids = torch.zeros(2, words, dtype=torch.int64)
    z = torch.zeros(2, unet.in_channels, unet.sample_size, unet.sample_size)
    texts = torch.zeros(2, words, unet.cross_attention_dim)
    decode = Call(pipeline.vae, lambda m, z: m.decode(z / m.config.scaling_factor, return_dict=False)[0])
    denoise = Call(pipeline.unet, lambda m, z, t, texts: m(z, t, texts, return_dict=False)[0])
    return {
        "text": Network(Call(pipeline.text_encoder, lambda m, ids: m(ids).last_hidden_state), (ids,)),
        "unet": Network(denoise, (z, torch.zeros(()), texts)),
        "vae": Network(decode, (z[:1],)),
    }


def naming(clip: Clip) -> dict[str, Network]:
    """CLIP's two towers, embeddings normalised."""
    size, words = clip.preprocess.size, clip.config["text_cfg"]["context_length"]
    images = Call(clip.model, lambda m, x: m.encode_image(x, normalize=True))
    texts = Call(clip.model, lambda m, ids: m.encode_text(ids, normalize=True))
    return {
        "images": Network(images, (torch.zeros(2, 3, size, size),), True),
        "texts": Network(texts, (torch.zeros(2, words, dtype=torch.int64),), True),
    }


def export(network: Network) -> onnx.ModelProto:
    """The graph with its weights under the names of the module's own tensors (`optimize` would fold some of them)."""
    shapes = {"x": tuple({0: torch.export.Dim.DYNAMIC} for _ in network.inputs)} if network.any_length else None
    program = torch.onnx.export(
        network.call.eval(), network.inputs, dynamo=True, optimize=False, verbose=False, opset_version=21,
        input_names=[f"x{i}" for i in range(len(network.inputs))], output_names=["y"], dynamic_shapes=shapes,
    )  # fmt: skip
    return stripped(program.model_proto)


def stripped(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Without what the exporter tells of this machine: paths and lines of code, and shapes that nobody needs."""
    graph = proto.graph
    for thing in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        thing.ClearField("metadata_props")
        thing.ClearField("doc_string")
    graph.ClearField("value_info")
    return proto


def layout(tensors: Mapping[str, Tensor]) -> Layout:
    """Places for all floating tensors of a module, one after the other."""
    found, place = {}, 0
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            found[name] = (place, tensor.shape)
            place += tensor.numel()
    return found


def without_weights(proto: onnx.ModelProto, places: Layout) -> bytes:
    """The graph, its weights pointing to their places in a file "weights" of fp32 numbers."""
    lean = onnx.ModelProto()
    lean.CopyFrom(proto)
    for tensor in lean.graph.initializer:
        if (name := tensor.name.removeprefix("m.")) in places:
            start, shape = places[name]
            where = {"location": "weights", "offset": 4 * start, "length": 4 * shape.numel()}
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in where.items():
                tensor.external_data.add(key=key, value=str(value))
    return lean.SerializeToString(deterministic=True)


def halves(places: Layout, tensors: Mapping[str, Tensor]) -> bytes:
    """The weights as fp16; DataError where that is not exactly what they are."""
    parts = [tensors[name].detach().flatten() for name in places]
    if lossy := [name for name, x in zip(places, parts, strict=True) if not torch.equal(x.half().float(), x)]:
        raise DataError(f"{lossy[0]} is not fp16 at heart: the page would draw otherwise. Save the weights in fp16.")
    return torch.cat(parts).half().numpy().tobytes()


def network_files(name: str, networks: Mapping[str, Network], whole: bool = False) -> dict[str, bytes]:
    """Files of networks that share one module: a graph each, and the weights that these use, or all, under `name`."""
    protos = {k: export(n) for k, n in networks.items()}
    used = {i.name.removeprefix("m.") for proto in protos.values() for i in proto.graph.initializer}
    tensors = {k: v for k, v in next(iter(networks.values())).call.m.state_dict().items() if whole or k in used}
    places = layout(tensors)
    files = {f"{k}.graph": without_weights(proto, places) for k, proto in protos.items()}
    return files | {f"{name}.weights": halves(places, tensors)}
