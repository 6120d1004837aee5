"""How schemathesis is told what texts of our formats are, and which answers are right."""
