"""Teachers in open-ended search: each niche's is meta-learned on what the niche's agent does, and teaches it to others."""
