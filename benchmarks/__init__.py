"""What README says about speed, as commands that anyone can run again."""
