"""The command line: main.py has the parser, the other files are what its verbs do."""
