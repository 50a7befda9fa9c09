//! Invites: what an event says about its online meeting, and how to say something else.

pub mod event;
pub mod ical;
pub mod input;
pub mod item;
pub mod itip;
pub mod recognise;
pub mod render;
pub mod rewrite;
pub mod undo;
