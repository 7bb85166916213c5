"""The rules of the trial office's queries: a subject's record in, findings out."""
