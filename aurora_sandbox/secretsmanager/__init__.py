"""AWS Secrets Manager: secrets, their versions and labels, random passwords, rotation."""
