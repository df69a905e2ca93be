"""Teaching policies (Such et al. 2020): observations and what to answer to them, from which fresh learners act well at once."""
