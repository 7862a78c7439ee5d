"""The live page: follows running and finished experiments in a browser, while other processes train (extra ``watch``).

The server reads stores and writes nothing.  ``stores.py`` finds experiments, ``tail.py`` and ``thin.py`` read only what
is new and keep few points of it, ``feed.py`` makes increments of one experiment, and ``hub.py`` hands them to every
page.  ``server.py`` is the web application behind ``security.py``.  ``play/`` trains a small network on request.
"""
