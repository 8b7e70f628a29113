"""Random changes of training inputs, keyed by example and step."""
