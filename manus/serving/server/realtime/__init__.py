"""A spoken or written conversation over one WebSocket, as OpenAI's realtime clients hold it."""
