"""Networks: raw standardised inputs in, logits out."""
