"""Targets, by the member of `spec.components[]` that asks for them. A new one is a folder here and a line below."""

from collections.abc import Callable, Mapping
from typing import Final

from tidegate.kube import Cluster, Key
from tidegate.targets.kubernetes import KubernetesTarget
from tidegate.targets.port import App, Kept, Problem, Sight, Size, Target

REGISTRY: Final[Mapping[str, Callable[[Cluster, Callable[[Key], None]], Target]]] = {"kubernetes": KubernetesTarget}

__all__ = ["REGISTRY", "App", "Kept", "KubernetesTarget", "Problem", "Sight", "Size", "Target"]
