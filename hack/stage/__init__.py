"""A stage on the local cluster: the sample app, its load, and the operator as a process. Used by the demo and the tests."""
