"""The process around the engine: watch, observe, decide, record, act."""
