"""The exhaustive model: every order of events in small worlds, with the real engine in them.

    make model              # everything, on all cores: about ten minutes
    make model ARGS="core"  # one world; `--list` names them, `--bugs` plants the bugs, `--reduced` is what CI runs

The world, the loop around the engine and the rules are those of the tests (tests/engine/world.py, rules.py, memory.py);
a field that is added there is in the model too. What is here:

    scenarios   which small worlds, what may happen in each, and how often
    events      every way in which a state may go on: turns, faults, edits, people, time
    states      when two states are one: clocks that are set back, counters of which only the order counts
    explore     breadth-first, until there is nothing new
    calm        from every state, once faults have stopped: the graph of what then may happen, its components, and
                whether those in which a run can stay for ever are where it should rest
    bugs        naive designs, planted in the engine: each must be caught
"""
