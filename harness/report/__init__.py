"""What people read, made from records alone: tables for the terminal and for README."""
