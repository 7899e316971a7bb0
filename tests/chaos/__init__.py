"""A city goes through the platform while its parts break; the end must be that of an undisturbed run."""
