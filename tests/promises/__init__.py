"""What README and documentation promise of the whole: results, bits, processes, interruption, memory, safety."""
