"""What came out, shown: live while it trains, a table in the terminal, one self-contained page, a picture."""
