"""A stage on the local cluster: the sample app, its load, the operator as a process. For the demo and the tests."""
