"""The recordings that the product itself plays to a caller: `<name>.wav`, and its words in `words.toml`."""
