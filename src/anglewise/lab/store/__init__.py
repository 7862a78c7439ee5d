"""What was trained, on disk: written by one process, read by any number, surviving a kill at any moment.

A *store* is a plain folder.  :class:`Store` writes it, :class:`Reader` answers SQL over it, and a laptop
without JAX can read what an accelerator wrote.
"""

from anglewise.lab.store.provenance import Provenance, collect
from anglewise.lab.store.reader import Reader
from anglewise.lab.store.text import to_text
from anglewise.lab.store.writer import Store

__all__ = ["Provenance", "Reader", "Store", "collect", "to_text"]
