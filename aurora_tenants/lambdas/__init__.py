"""The code of the shared stack's two functions. All of it is deployed, with what it imports from mysql/ and errors."""
