"""Everything that runs wugan: the command line, the local stack, the demo city, and the settings of its servers."""
