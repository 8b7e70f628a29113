"""dlcli: train, evaluate, finetune, attack and explain neural networks."""
