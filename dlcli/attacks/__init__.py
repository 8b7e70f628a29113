"""Adversarial attacks: inputs in, adversarial inputs out."""
