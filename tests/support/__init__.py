"""What several tests share: cases, small networks, references and worker scripts.

A helper that checks something is called ``assert_...``.
"""
