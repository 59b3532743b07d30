//! The board in a browser of this machine, with buttons that work: what the console does with a custom widget, done here.
//!
//! It listens on 127.0.0.1 alone, answers only what asks for exactly its address, and invokes functions of the stack only.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Value, json};

/// The most that is read of a request.
const LONGEST: u64 = 100_000;

/// Who asks for longer has gone.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the console does with the element before a `cwdb-action`.
const SCRIPT: &str = "
for (const action of document.querySelectorAll('cwdb-action')) {
  action.previousElementSibling.onclick = async () => {
    if (!confirm(action.getAttribute('confirmation'))) return;
    const body = JSON.stringify({endpoint: action.getAttribute('endpoint'), payload: JSON.parse(action.textContent)});
    const answer = await fetch('/press', {method: 'POST', headers: {'content-type': 'application/json'}, body});
    const dialog = document.querySelector('dialog');
    dialog.innerHTML = await answer.text() + '<form method=dialog><button>Close</button></form>';
    dialog.onclose = () => location.reload();
    dialog.showModal();
  };
}";

const STYLE: &str = "body{margin:0 auto;max-width:1100px;padding:0 16px}cwdb-action{display:none}\
    .btn{cursor:pointer;border:1px solid;border-radius:3px;padding:1px 8px}dialog{max-width:600px}";

/// Invokes the function of this name with a payload; the answer, or why there is none.
pub trait Invoke: Fn(&str, &Value) -> Result<Value, String> + Send + 'static {}

impl<T: Fn(&str, &Value) -> Result<Value, String> + Send + 'static> Invoke for T {}

/// A board that is served until this is dropped.
pub struct Served {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Serves the board that `invoke` answers with, of the stack whose functions begin with `stack` and a hyphen.
    pub fn start(stack: &str, invoke: impl Invoke) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, prefix) = (stop.clone(), format!("{stack}-"));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                // Who hangs up gets no answer, and the next one is served.
                let _ = stream.and_then(|it| answer(it, address, &prefix, &invoke));
            }
        });
        Ok(Served { address, stop, thread: Some(thread) })
    }

    /// Where a browser finds it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It waits for the next connection, which is this one.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A request, as far as it is needed.
struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    fn read(stream: &TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut reader = BufReader::new(stream.take(LONGEST));
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        let mut request = Request { line: line.trim().into(), headers, body: String::new() };
        let length = request.header("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        reader.take(length).read_to_string(&mut request.body)?;
        Ok(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A page of elsewhere that is open in the same browser can send requests here too, but not under this name.
    fn is_from_here(&self, address: SocketAddr) -> bool {
        let own = address.to_string();
        let origin = self.header("origin").is_none_or(|it| it.strip_prefix("http://") == Some(own.as_str()));
        self.header("host") == Some(own.as_str()) && origin
    }
}

fn answer(mut stream: TcpStream, address: SocketAddr, prefix: &str, invoke: &impl Invoke) -> io::Result<()> {
    let request = Request::read(&stream)?;
    let (status, text) = match request.line.rsplit_once(' ').map_or("", |(what, _)| what) {
        _ if !request.is_from_here(address) => ("403 Forbidden", "this board is for its own address only".into()),
        "GET /" => match invoke(&format!("{prefix}report-operations"), &json!({"board": "all"})) {
            Ok(board) => ("200 OK", page(board.as_str().unwrap_or_default())),
            Err(why) => ("502 Bad Gateway", escaped(&why)),
        },
        "POST /press" if request.header("content-type") == Some("application/json") => {
            match press(&request.body, prefix, invoke) {
                Ok(said) => ("200 OK", said),
                Err(why) => ("400 Bad Request", escaped(&why)),
            }
        }
        _ => ("404 Not Found", "there is / and /press".into()),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    )
}

/// Sends what a button holds to the function that it names, as the console does.
fn press(body: &str, prefix: &str, invoke: &impl Invoke) -> Result<String, String> {
    let pressed: Value = serde_json::from_str(body).map_err(|err| format!("this is not a button: {err}"))?;
    let endpoint = pressed["endpoint"].as_str().unwrap_or_default();
    let function = endpoint.rsplit(':').next().unwrap_or_default();
    if !function.starts_with(prefix) {
        return Err(format!("{endpoint} is not a function of the stack"));
    }
    let mut payload = pressed["payload"].clone();
    let Some(fields) = payload.as_object_mut() else { return Err("the button has no command".into()) };
    // With it, a function answers with a page.
    fields.insert("widgetContext".into(), json!({"theme": "light"}));
    let answer = invoke(function, &payload)?;
    Ok(answer.as_str().map_or_else(|| escaped(&answer.to_string()), str::to_owned))
}

fn page(board: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Nightshift</title>\
         <style>{STYLE}</style></head><body>{board}<dialog></dialog><script>{SCRIPT}</script></body></html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Sends a request as a browser does; the status and the body of the answer.
pub fn request(address: SocketAddr, what: &str, headers: &[(&str, &str)], body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "{what} HTTP/1.1\r\n")?;
    for (name, value) in headers {
        write!(stream, "{name}: {value}\r\n")?;
    }
    write!(stream, "content-length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    Ok((status, body.to_owned()))
}

/// What a browser sends when the button with this label is pressed; nothing where the page has none.
pub fn button(page: &str, label: &str) -> Option<Value> {
    let from = format!("<a class=\"btn\">{label}</a><cwdb-action ");
    let rest = page.split_once(&from)?.1;
    let endpoint = rest.split_once("endpoint=\"")?.1.split_once('"')?.0;
    let payload = rest.split_once('>')?.1.split_once("</cwdb-action>")?.0;
    Some(json!({"endpoint": endpoint, "payload": serde_json::from_str::<Value>(payload).ok()?}))
}
