"""What a provider was sent, against that provider's own schema."""

import functools
import importlib
import json
import pathlib
import pkgutil
import typing

import anthropic.types
import jsonschema
import pydantic
from anthropic.types import message_create_params
from anthropic.types.beta import message_create_params as beta_params

SPEC = pathlib.Path(__file__).parent.parent / "fixtures" / "spec"


def any_for_one(schema):
    """OpenAI's `oneOf` overlap: a valid message fits several of them, so they are read as `anyOf`."""
    if isinstance(schema, list):
        return [any_for_one(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    read = {}
    for key, value in schema.items():
        if key == "oneOf" and isinstance(value, list):
            key = "anyOf"
        read[key] = any_for_one(value)
    # OpenAPI 3.0's word for "or null".
    if read.pop("nullable", False) is True:
        return {"anyOf": [read, {"type": "null"}]}
    return read


@functools.cache
def validator(name: str):
    if name == "gemini":
        schema = json.loads((SPEC / "vertex-generatecontent.schema.json").read_text())
        root = "#/$defs/GoogleCloudAiplatformV1GenerateContentRequest"
    else:
        schema = any_for_one(json.loads((SPEC / "openai-requests.schema.json").read_text()))
        root = {"chat": "CreateChatCompletionRequest", "responses": "CreateResponse"}[name]
        root = "#/components/schemas/" + root
    schema["$ref"] = root
    return jsonschema.Draft202012Validator(schema)


@functools.cache
def messages_adapter(beta: bool, stream: bool):
    """Anthropic's own types of a request; a member that they do not know is an error."""
    for module in pkgutil.walk_packages(anthropic.types.__path__, "anthropic.types."):
        for kind in vars(importlib.import_module(module.name)).values():
            if typing.is_typeddict(kind):
                kind.__pydantic_config__ = pydantic.ConfigDict(extra="forbid")
    params = beta_params if beta else message_create_params
    kind = params.MessageCreateParamsStreaming if stream else params.MessageCreateParamsNonStreaming
    return pydantic.TypeAdapter(kind)


def walk(value) -> None:
    """Iterables are checked only as they are read."""
    if isinstance(value, dict):
        for inner in value.values():
            walk(inner)
    elif isinstance(value, (list, tuple)) or type(value).__name__ == "ValidatorIterator":
        for inner in value:
            walk(inner)


def complaints(form: str, body: dict, beta: bool = False) -> list[str]:
    """What is wrong with a body for a provider of this format."""
    if form == "messages":
        try:
            walk(messages_adapter(beta, body.get("stream", False)).validate_python(body))
        except pydantic.ValidationError as error:
            return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()][:4]
        return []
    found = sorted(validator(form).iter_errors(body), key=lambda error: len(error.path))
    return [f"{'.'.join(map(str, error.path))}: {deepest(error)}"[:300] for error in found][:3]


def deepest(error) -> str:
    """The complaint that tells most: the one furthest inside."""
    best = jsonschema.exceptions.best_match([error])
    return f"{'.'.join(map(str, best.absolute_path))} {best.message}"[:250]


@functools.cache
def error_validator():
    schema = any_for_one(json.loads((SPEC / "openai-requests.schema.json").read_text()))
    schema["$ref"] = "#/components/schemas/ErrorResponse"
    return jsonschema.Draft202012Validator(schema)


def is_error(body: dict) -> list[str]:
    """What is wrong with an error in OpenAI's shape."""
    return [error.message for error in error_validator().iter_errors(body)]
