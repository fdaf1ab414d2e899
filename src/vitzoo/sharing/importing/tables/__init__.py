"""Tables that others wrote: cells, what columns mean, factors as a blueprint takes them, which model a row is of."""
