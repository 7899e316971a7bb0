"""SQL of scoring: signals, assessments, suspicions and reassessments between rows and columns."""
