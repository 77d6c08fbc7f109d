"""All tables of the app's database, in one place for those who need the whole.

Importing this module is what makes `Base.metadata` complete.
"""

from db import people, upkeep, work
from db.base import Base

METADATA = Base.metadata

__all__ = ["METADATA", "people", "upkeep", "work"]
