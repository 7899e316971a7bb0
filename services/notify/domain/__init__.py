"""Who is told what, in which words, when: pure rules without I/O and without a clock."""
