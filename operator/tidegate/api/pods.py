"""The pods of a component: a PodSpec, which is the API server's business but for the images in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from tidegate.api.grammar import IMAGE_PLACEHOLDERS, Reference, check_placeholders, placeholder_rule
from tidegate.api.schema import Model, Schema, words

_CONTAINER: Final = {
    "type": "object",
    "required": ["name", "image"],
    "properties": {
        "name": {"description": "Name of the container.", "type": "string", "minLength": 1, "maxLength": 63},
        "image": {
            "description": 'Image, as in "registry.example/app:$(version)".',
            "type": "string",
            "minLength": 1,
            "maxLength": 512,
            **words(placeholder_rule(IMAGE_PLACEHOLDERS)),
        },
    },
    "x-kubernetes-preserve-unknown-fields": True,
}

# Only what we read is described, the rest is kept as it is: a copy of all of PodSpec would be 500 KB, and soon old.
_POD_SPEC: Final = {
    "type": "object",
    "required": ["containers"],
    "properties": {
        "containers": {
            "description": "As in a Deployment. In image, $(version) and the other placeholders are filled in; "
            "elsewhere $(NAME) is the kubelet's.",
            "type": "array",
            "minItems": 1,
            "maxItems": 32,
            "x-kubernetes-list-type": "atomic",
            "items": _CONTAINER,
        },
        "initContainers": {
            "description": "As in a Deployment, with images as in containers.",
            "type": "array",
            "maxItems": 16,
            "x-kubernetes-list-type": "atomic",
            "items": _CONTAINER,
        },
    },
    "x-kubernetes-preserve-unknown-fields": True,
}


class TemplateMetadata(Model):
    """Labels and annotations of the pods; Tidegate adds its own."""

    labels: Annotated[Mapping[str, str] | None, Field(max_length=64)] = None
    """Labels of the pods. Those of tidegate.dev and app.kubernetes.io/version are added."""
    annotations: Annotated[Mapping[str, str] | None, Field(max_length=64)] = None
    """Annotations of the pods."""


class PodTemplate(Model):
    """The pods of each revision, as in a Deployment."""

    metadata: TemplateMetadata | None = None
    """Labels and annotations of the pods."""
    spec: Annotated[Mapping[str, Any], WithJsonSchema(_POD_SPEC)]
    """A PodSpec, as `kubectl explain deployment.spec.template.spec` describes it. It is checked when the revision's
    Deployment is made; what the API server says then is shown in the Release's condition."""

    @model_validator(mode="after")
    def _images(self) -> Self:
        for kind in ("containers", "initContainers"):
            containers = self.spec.get(kind)
            if kind == "containers" and not containers:
                raise ValueError("spec.containers: write at least one container with a name and an image")
            if containers is not None and not isinstance(containers, list | tuple):
                raise ValueError(f"spec.{kind}: write a list of containers")
            for index, container in enumerate(containers or ()):
                _check_name(container, f"spec.{kind}[{index}].name")
                _check_image(container, f"spec.{kind}[{index}].image")
        return self


class TemplateSource(Model):
    """Where the pod template is written, if not here."""

    deployment: Reference
    """A Deployment of this namespace that carries the label tidegate.dev/release with this Release's name. Once its
    copy has all traffic its replicas are taken to 0; it is never deleted, and is given back when the Release goes."""


class TemplateImage(Model):
    """The image of one container, instead of the one that the Deployment's template has."""

    container: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the container, or of the init container."""
    image: Annotated[str, Field(min_length=1, max_length=512), Schema(placeholder_rule(IMAGE_PLACEHOLDERS))]
    """As in "registry.example/app:$(version)": the repository that the template has, with another tag or digest."""

    @field_validator("image")
    @classmethod
    def _filled(cls, image: str) -> str:
        return check_placeholders(image, IMAGE_PLACEHOLDERS)


def _check_name(container: object, path: str) -> None:
    name = container.get("name") if isinstance(container, Mapping) else None
    if not isinstance(name, str) or not 0 < len(name) <= 63:
        raise ValueError(f"{path}: write a name of up to 63 characters")


def _check_image(container: object, path: str) -> None:
    image = container.get("image") if isinstance(container, Mapping) else None
    if not isinstance(image, str) or not image:
        raise ValueError(f"{path}: write an image, as in registry.example/app:$(version)")
    try:
        check_placeholders(image, IMAGE_PLACEHOLDERS)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
