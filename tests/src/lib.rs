//! What the tests of the whole workspace share: its sources, the calls they make, and its template, each as data.

pub mod calls;
pub mod modules;
pub mod sources;
pub mod stack;
pub mod template;
