"""How fast, how exact and how large the engine is on this machine: `make bench`.

Reads from `__main__` (what is asked for) over the parts, each in a module of its own with
`measure` and `table`, to `bars` (what was promised) and `plots`. Nothing else imports this package.
"""
