//! Pages as a browser shows them: what is cut off, covered or not shown at all, which no parser tells.
//!
//! Nothing is installed for it. A machine without Chromium or Chrome checks its pages with a parser alone, and says so.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the browser is called where it is installed from a package.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// A window on a desk, and one of a phone.
const WIDTHS: [u32; 2] = [1280, 400];

/// Writes what is wrong with the page into an attribute of its body, where it is found again.
const LOOK: &str = "<script>
const wrong = [], root = document.documentElement, box = it => it.getBoundingClientRect();
const named = it => it.tagName.toLowerCase() + ' ' + it.textContent.trim().slice(0, 60);
if (root.scrollWidth > root.clientWidth) wrong.push('it is ' + root.scrollWidth + ' wide in a window of ' + root.clientWidth);
for (const it of document.querySelectorAll('h1, h2, p, pre, td, a, article, svg text'))
    if (it.textContent.trim() && !(box(it).width && box(it).height)) wrong.push('not shown: ' + named(it));
for (const it of document.querySelectorAll('pre'))
    if (it.scrollWidth > it.clientWidth) wrong.push('cut off: ' + named(it));
for (const it of document.querySelectorAll('a[href^=\"#\"]'))
    if (!document.getElementById(it.getAttribute('href').slice(1))) wrong.push('leads nowhere: ' + it.getAttribute('href'));
const texts = [...document.querySelectorAll('svg text')];
texts.forEach((a, at) => texts.slice(at + 1).forEach(b => {
    const [one, other] = [box(a), box(b)];
    const apart = one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
    if (!apart) wrong.push('over each other: ' + named(a) + ' and ' + named(b));
}));
for (const it of document.querySelectorAll('.ns svg, .ns .row'))
    if (!(box(it).width > 50 && box(it).height > 8)) wrong.push('not drawn: ' + named(it));
for (const it of document.querySelectorAll('.ns .on, .ns .off, .ns .ko, .ns .wait, .ns .proof'))
    if (getComputedStyle(it).fill === 'rgb(0, 0, 0)') wrong.push('without a colour: ' + it.getAttribute('class'));
const light = it => it.map(it => it / 255).map(it => it <= 0.03928 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4)
    .reduce((sum, it, at) => sum + it * [0.2126, 0.7152, 0.0722][at], 0);
const parts = it => it.match(/[0-9.]+/g).map(Number);
const behind = it => { const [r, g, b, a = 1] = parts(getComputedStyle(it).backgroundColor);
    return a ? [r, g, b] : it.parentElement ? behind(it.parentElement) : [255, 255, 255]; };
for (const it of document.querySelectorAll('.ns, .ns :not(style):not(svg):not(svg *):not(cwdb-action)')) {
    if (![...it.childNodes].some(it => it.nodeType === 3 && it.textContent.trim())) continue;
    const [one, other] = [light(parts(getComputedStyle(it).color).slice(0, 3)), light(behind(it))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) wrong.push('contrast of ' + contrast.toFixed(2) + ': ' + named(it));
}
document.body.setAttribute('data-wrong', wrong.join('; ') || 'nothing');
</script>";

/// The browser of this machine, if it has one.
#[expect(clippy::disallowed_methods, reason = "where programs are, only the environment says")]
pub fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |it| it.join(name))).find(|it| it.is_file())
}

/// Looks at a page in windows of two widths, and panics with what is wrong.
pub fn look_at(page: &Path) {
    let Some(browser) = browser() else {
        eprintln!("There is no browser here ({}), so {} was only parsed.", NAMES.join(", "), page.display());
        return;
    };
    for width in WIDTHS {
        let wrong = wrong(&browser, page, width);
        assert_eq!(wrong, "nothing", "{} in a window of {width}", page.display());
    }
}

fn wrong(browser: &Path, page: &Path, width: u32) -> String {
    let text = fs::read_to_string(page).expect("the page can be read");
    let copy = page.with_extension(format!("{width}.html"));
    // The copy is looked at by a script, which the page itself forbids.
    let text = text.replace("Content-Security-Policy", "none").replace("</body>", &format!("{LOOK}</body>"));
    fs::write(&copy, text).expect("its copy can be written");
    let profile = profile_beside(page, width);
    let shown = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--timeout=20000", "--dump-dom"])
        .arg(format!("--window-size={width},900"))
        .arg(profile)
        .arg(format!("file://{}", copy.display()))
        .stdin(Stdio::null())
        .output()
        .expect("the browser starts");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let said = shown.split("data-wrong=\"").nth(1).and_then(|it| it.split('"').next());
    said.map_or_else(|| format!("the browser shows no page: {shown:.200}"), str::to_owned)
}

/// A profile of its own, beside the page: the one of the person who runs the tests is left alone.
fn profile_beside(page: &Path, width: u32) -> OsString {
    let mut option = OsString::from("--user-data-dir=");
    option.push(page.with_extension(format!("{width}.profile")));
    option
}
