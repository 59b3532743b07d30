//! What the tests of the whole workspace share: its sources, the calls they make, and its templates, each as data.

pub mod board_page;
pub mod browser;
pub mod calls;
pub mod iam;
pub mod modules;
pub mod sources;
pub mod stack;
pub mod template;
