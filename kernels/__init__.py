"""The loops themselves, one folder for each way to run them. They import nothing of ours."""
