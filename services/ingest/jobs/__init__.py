"""Time in: sources watched for silence, old data forgotten, folders looked into."""
