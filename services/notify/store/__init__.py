"""SQL of notify; whole tables of people at a time where events bring them so."""
