"""Can one see early whether a run will generalise?"""
