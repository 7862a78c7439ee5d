"""The paper's tables and figures, theirs beside ours."""
