"""The engine decides. It knows nothing but itself and the standard library: no clock, no I/O, no randomness, no logs.

`decide(spec, status, observation, now)` is the whole of it; `values` are the words it speaks.
"""

from tidegate.engine.decide import decide
from tidegate.engine.promise import demand, pin, promise, takes_part

__all__ = ["decide", "demand", "pin", "promise", "takes_part"]
