"""The trial: facts about the study, pure functions of resources."""
