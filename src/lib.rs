//! Waypost.
