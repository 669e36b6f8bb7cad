"""The run folder: what a study leaves on disk, and how it resumes."""
