"""A real single-node Kubernetes on this machine, without Docker and without a registry.

Run as `python hack/cluster up`; hack/cluster/README.md says what it is made of. Standard library only, because
it runs before there is a virtual environment.
"""
