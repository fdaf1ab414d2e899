"""What comes from elsewhere and what goes there: other zoos' layouts, other libraries' formats, the hub."""
