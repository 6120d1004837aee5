"""What the log adds up to: a pure fold, a batch algorithm made of steps, and the tables they fill."""
