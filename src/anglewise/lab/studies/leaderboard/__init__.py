"""Which method generalises soonest, each at its best settings?"""
