"""How the pictures that belong to the source were made, so that they can be made again.

Each is run by hand, `python -m recipes.NAME`; nothing imports them.
"""
