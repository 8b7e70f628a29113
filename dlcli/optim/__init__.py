"""Learning-rate schedules, parameter groups and weight averaging."""
