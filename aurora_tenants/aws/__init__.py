"""AWS's own words: clients, stacks and change sets."""
