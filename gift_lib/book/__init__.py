"""What only pages need: tables, plots, claims, controls and the sentences that are written from records."""
