//! What the gates read and do, on scripted HTTP.

mod scan;
