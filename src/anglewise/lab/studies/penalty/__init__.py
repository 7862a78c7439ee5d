"""What does the penalty add to a tuned method, at equal settings?"""
