"""One folder per question: plan (may train), analysis (reads rows), show."""
