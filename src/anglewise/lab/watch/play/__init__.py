"""The playground: a small network that trains while its sliders are moved (``anglewise watch --play``).

``settings.py`` says what may be chosen, ``worker.py`` trains in a process of its own, ``session.py`` starts and ends
that process, and ``routes.py`` connects it with the page.
"""
