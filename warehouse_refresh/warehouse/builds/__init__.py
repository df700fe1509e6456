"""What is recorded of builds, and when two builds are the same."""
