//! The HTTP transport of the connectors.
