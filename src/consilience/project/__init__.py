"""A project is a folder: settings, functions, and a store of what was read, voted and learned. On top of the flow."""
