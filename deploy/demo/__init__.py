"""The demo: a city that was never there, and the story told with it. A client of the services like any other."""
