"""Does a method reproduce its own paper's number?"""
