"""A model behind the addresses that clients of OpenAI's interface ask."""
