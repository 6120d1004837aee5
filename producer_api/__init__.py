"""The HTTP side: readings become events in the stream, and questions are answered from the projection."""
