//! Invites: what an event says about its online meeting, and how to say something else.

pub mod recognise;
