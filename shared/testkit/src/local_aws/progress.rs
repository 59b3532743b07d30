//! What people are told while they wait.

/// What is being waited for.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A new step has begun, and the one before it has ended.
    Step(&'a str),
    /// Where the step is by now.
    Detail(&'a str),
}
