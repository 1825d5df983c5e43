"""Files and folders of our own, which are whole or not there, and how they are checked."""
