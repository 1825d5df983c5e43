"""Labels of pictures: one table, everything from one march."""
