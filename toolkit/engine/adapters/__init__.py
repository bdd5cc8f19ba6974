"""What jobs add to a model: LoRA and its relatives, ControlNet."""
