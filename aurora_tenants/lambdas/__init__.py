"""The code of the shared stack's two functions. All of it is deployed, with what it imports of mysql/ and errors."""
