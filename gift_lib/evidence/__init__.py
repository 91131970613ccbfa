"""What records say: tables with intervals and tests, verdicts on claims, and a row of one's own beside them."""
