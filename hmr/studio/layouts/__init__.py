"""One writer per data set: the studio's pictures and labels in the owners' raw layout, which the readers read."""
