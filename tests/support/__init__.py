"""What tests share: waiting on a condition, processes under test, a stack of their own on LocalStack."""
