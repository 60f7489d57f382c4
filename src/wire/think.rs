//! The `<think>` block that open reasoning models begin their text with.
