"""Laws that hold for every mixture, checked on random ones."""
