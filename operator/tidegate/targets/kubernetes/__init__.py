"""Where traffic goes in a cluster: each revision its own Deployment and Service, split by an HTTPRoute's weights."""

from tidegate.targets.kubernetes.target import KubernetesTarget

__all__ = ["KubernetesTarget"]
