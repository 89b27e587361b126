"""The operator's container image: what is in it, and the two ways to make one."""
