"""The verbs of notify: hear what happened, write messages, send them, record what became of them, let people look."""
