//! The colours of the page. Text has a contrast of at least 4.5 to 1 in both themes, and what is drawn one of 3 to 1.
//!
//! No custom properties: what the console keeps of a style is not documented beyond plain rules.

use crate::view::Theme;

/// The class of the page.
pub fn class(theme: Theme) -> &'static str {
    match theme {
        Theme::Light => "ns light",
        Theme::Dark => "ns dark",
        Theme::Either => "ns",
    }
}

/// What does not depend on the theme.
const SHAPE: &str = ".ns{font:14px/1.45 system-ui,sans-serif;overflow-wrap:anywhere}\
.ns h3{font-size:15px;margin:14px 0 4px}.ns p{margin:4px 0}\
.ns .row{padding:5px 0;border-top:1px solid}\
.ns svg{display:block;width:100%;height:12px;margin:3px 0}\
.ns .hours{display:flex;justify-content:space-between;font-size:12px}\
.ns .tag{border:1px solid;border-radius:3px;padding:0 4px;font-size:12px}\
.ns .act a{margin:3px 6px 0 0}.ns td,.ns th{text-align:left;padding:1px 12px 1px 0}";

const LIGHT: &str = ".ns{color:#16191f;background:#fff}.ns .row{border-color:#d5dbdb}.ns .dim{color:#545b64}\
.ns .bad{color:#a4161a}.ns .warn{color:#8a4b08}.ns .good{color:#116329}\
.ns .bg{fill:#e3e7eb}.ns .on{fill:#1f7a3d}.ns .off{fill:#6b7682}.ns .ko{fill:#c21d24}.ns .wait{fill:#a86400}\
.ns .proof{fill:#0b57d0}.ns .now{fill:#16191f}";

const DARK: &str = ".ns{color:#e9ebed;background:#0f1b2a}.ns .row{border-color:#414d5c}.ns .dim{color:#a8b4c0}\
.ns .bad{color:#ff9d96}.ns .warn{color:#f2c14e}.ns .good{color:#7bd88f}\
.ns .bg{fill:#2a3543}.ns .on{fill:#4cb56f}.ns .off{fill:#7d8b9b}.ns .ko{fill:#f2665e}.ns .wait{fill:#e0a030}\
.ns .proof{fill:#6ea8fe}.ns .now{fill:#e9ebed}";

/// The rules of a theme.
pub fn style(theme: Theme) -> String {
    match theme {
        Theme::Light => format!("{SHAPE}{LIGHT}"),
        Theme::Dark => format!("{SHAPE}{DARK}"),
        Theme::Either => format!("{SHAPE}{LIGHT}@media(prefers-color-scheme:dark){{{DARK}}}"),
    }
}
