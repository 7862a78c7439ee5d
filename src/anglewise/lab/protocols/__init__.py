"""All that the engine knows of the outside: tasks, models, methods, readings, schedules, ranges of fields."""
