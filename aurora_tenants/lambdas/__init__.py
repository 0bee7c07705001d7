"""The code of the shared stack's two functions, and the tool that writes it into cfn/shared.yml."""
