//! Commands and contexts of widgets with mistakes in them.

use fuzz::used;
use runtime::Request as _;

use crate::request::Request;

#[test]
fn events_and_commands() {
    fuzz::events("report-operations", |payload| used(runtime::event(payload).and_then(Request::read)));
}
