"""A fit that goes on where it was killed: what it depends on is kept after every iteration.

A fit is a sequence of runs of EM. Of those that have ended the outcome is kept, and of the one under way where it
stands. A fit that begins anew, of the same rows with the same options, runs through the same sequence: it takes the
outcomes that were kept, and the run that was cut off goes on from where it stood, to the same bits.
"""
