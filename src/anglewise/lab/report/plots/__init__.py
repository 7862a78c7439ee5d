"""The figures of a report, for the page and for a paper."""
