"""Programs that are sent over SSH and run by a guest's own Python: 3.7 or newer, standard library only."""
