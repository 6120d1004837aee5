"""Archivers under random schedules: rivals, crashes, lost answers, reshards, and stretches that leave the stream unread."""
