//! The check after a deployment: one address is asked a few times whether all is well.
//!
//! The address comes from a tag, and the function stands inside an account. Therefore only public addresses are asked,
//! judged after the name was resolved and connected to as they were judged; redirects and proxies are not followed.

mod public;

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_runtime_api::client::dns::{ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use runtime::https;
use tokio::time::{sleep, timeout};

use crate::plan::Health;

use public::{NotPublic, PublicOnly, System};

const TRIES: u32 = 5;

/// From one try to the next; the last one is 30 seconds after the first.
const PAUSE: Duration = Duration::from_millis(7500);

const ANSWER: Duration = Duration::from_secs(5);

/// The longest that a check takes.
pub const LONGEST: Duration = Duration::from_secs(60);

/// Asks addresses.
#[derive(Default)]
pub struct Probe {
    /// Made when it is needed first, which most runs never do.
    connector: OnceLock<SharedHttpConnector>,
}

impl Probe {
    /// One that asks through `connector`, for tests.
    pub fn of(connector: impl HttpConnector + 'static) -> Self {
        Probe { connector: OnceLock::from(SharedHttpConnector::new(connector)) }
    }

    /// Asks `url` until it answers well, or often enough.
    pub async fn check(&self, url: &str) -> Health {
        let mut last = Health::Later;
        let asked = |said: String| format!("GET {url}, asked {TRIES} times over 30 seconds, last: {said}");
        for number in 0..TRIES {
            if number > 0 {
                sleep(PAUSE).await;
            }
            match self.ask(url).await {
                Ok(status) if (200..300).contains(&status) => return Health::Healthy,
                Ok(status @ 300..400) => {
                    last = Health::Unhealthy(asked(format!("{status}, and redirects are not followed")));
                }
                Ok(status) => last = Health::Unhealthy(asked(status.to_string())),
                Err(Unanswered::Refused(why)) => return Health::Refused(why),
                Err(Unanswered::Failed(why)) => last = Health::Unhealthy(asked(format!("no answer: {why}"))),
                Err(Unanswered::Closed(why)) => last = Health::Closed(asked(format!("no answer: {why}"))),
                Err(Unanswered::Unreachable(why)) => last = Health::Unreachable(asked(format!("no answer: {why}"))),
            }
        }
        last
    }

    async fn ask(&self, url: &str) -> Result<u16, Unanswered> {
        let failed = |error: String| Unanswered::Failed(error);
        public::literal(url).map_err(|it| Unanswered::Refused(it.to_string()))?;
        let mut request = HttpRequest::new(SdkBody::empty());
        request.set_method("GET").map_err(|err| failed(err.to_string()))?;
        request.set_uri(url).map_err(|err| failed(err.to_string()))?;
        request.headers_mut().insert("user-agent", "nightshift");
        let connector = self.connector.get_or_init(guarded);
        match timeout(ANSWER, connector.call(request)).await {
            Ok(Ok(answer)) => Ok(answer.status().as_u16()),
            Ok(Err(error)) => Err(Unanswered::of(&error)),
            Err(_) => Err(failed(format!("none within {} seconds", ANSWER.as_secs()))),
        }
    }
}

enum Unanswered {
    /// The address may not be asked.
    Refused(String),
    Failed(String),
    /// Nothing listens at its port.
    Closed(String),
    /// Its name is not found, or its certificate is not trusted.
    Unreachable(String),
}

impl Unanswered {
    fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut innermost = error;
        let mut kind: fn(String) -> Unanswered = Unanswered::Failed;
        loop {
            if let Some(refused) = innermost.downcast_ref::<NotPublic>() {
                return Unanswered::Refused(refused.to_string());
            }
            if innermost.is::<ResolveDnsError>() {
                kind = Unanswered::Unreachable;
            } else if let Some(error) = innermost.downcast_ref::<std::io::Error>() {
                kind = match error.kind() {
                    ErrorKind::ConnectionRefused => Unanswered::Closed,
                    // So a TLS handshake fails, for the certificate most of all.
                    ErrorKind::InvalidData => Unanswered::Unreachable,
                    _ => kind,
                };
            }
            // The innermost cause says it: "connection refused", "certificate expired".
            match cause(innermost) {
                Some(cause) => innermost = cause,
                None => return kind(innermost.to_string()),
            }
        }
    }
}

/// What an error stems from. One of I/O that wraps another would leave that out of its sources.
fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    wrapped.map(|it| it as &(dyn StdError + 'static)).or_else(|| error.source())
}

/// A connector that connects to public addresses only.
fn guarded() -> SharedHttpConnector {
    connector(PublicOnly(System))
}

/// A connector by way of `resolver`: what that returns is what is connected to. The authorities are the public ones, also
/// where the environment names others for AWS's endpoints.
fn connector(resolver: impl ResolveDns + Clone + 'static) -> SharedHttpConnector {
    https::connector(resolver, https::Authorities::system())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::dns::DnsFuture;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Resolves every name to these addresses, and remembers the names.
    #[derive(Debug, Clone)]
    struct Fixed(Vec<IpAddr>, Arc<Mutex<Vec<String>>>);

    impl Fixed {
        fn new(addresses: &[&str]) -> Self {
            Fixed(addresses.iter().map(|it| it.parse().unwrap()).collect(), Default::default())
        }
    }

    impl ResolveDns for Fixed {
        fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
            self.1.lock().unwrap().push(name.into());
            match self.0.is_empty() {
                true => DnsFuture::ready(Err(ResolveDnsError::new("no such name"))),
                false => DnsFuture::ready(Ok(self.0.clone())),
            }
        }
    }

    /// A server that gives these answers, one a connection, and what it was sent.
    async fn server(answers: &'static [&'static str]) -> (u16, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let mut seen = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                seen.push(String::from_utf8_lossy(&request[..length]).into_owned());
                let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            seen
        });
        (port, served)
    }

    fn unguarded(addresses: &[&str]) -> Probe {
        Probe::of(connector(Fixed::new(addresses)))
    }

    #[tokio::test]
    async fn an_answer_of_2xx_is_well_and_the_address_connected_to_is_the_one_resolved() {
        let (port, served) = server(&["204 No Content"]).await;
        let url = format!("http://shop.example:{port}/health");
        assert_eq!(unguarded(&["127.0.0.1"]).check(&url).await, Health::Healthy);
        let seen = served.await.unwrap();
        assert!(seen[0].starts_with("GET /health HTTP/1.1\r\n"), "{seen:?}");
        assert!(seen[0].to_ascii_lowercase().contains(&format!("host: shop.example:{port}\r\n")), "{seen:?}");
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (port, served) = server(&["302 Found\r\nlocation: http://169.254.169.254/latest/meta-data/"]).await;
        let answer = unguarded(&["127.0.0.1"]).ask(&format!("http://shop.example:{port}/")).await;
        assert!(matches!(answer, Ok(302)));
        assert_eq!(served.await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_anything_private_is_never_connected_to() {
        for addresses in [&["127.0.0.1"][..], &["93.184.215.14", "10.0.0.1"], &["::ffff:169.254.169.254"]] {
            let probe = Probe::of(connector(PublicOnly(Fixed::new(addresses))));
            let Health::Refused(why) = probe.check("http://shop.example/health").await else { panic!("{addresses:?}") };
            assert!(why.starts_with("shop.example resolves to "), "{why}");
            assert!(why.ends_with(", which is not a public address"), "{why}");
        }
    }

    #[tokio::test]
    async fn an_address_in_the_place_of_a_name_is_judged_too() {
        for url in
            ["http://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]:8443/"]
        {
            let Health::Refused(why) = Probe::default().check(url).await else { panic!("{url}") };
            assert!(why.ends_with("is not a public address"), "{why}");
        }
        // Spellings that only the system's resolver understands go through it, and are judged by what comes out.
        for url in ["http://127.1/", "http://2130706433/", "http://localhost/"] {
            assert!(Probe::default().ask(url).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn where_nothing_listens_is_told_apart_from_what_does_not_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let answer = unguarded(&["127.0.0.1"]).ask(&format!("http://shop.example:{port}/")).await;
        assert!(matches!(answer, Err(Unanswered::Closed(_))));
        // A server that speaks no TLS.
        let (port, _served) = server(&["400 Bad Request"]).await;
        let answer = unguarded(&["127.0.0.1"]).ask(&format!("https://shop.example:{port}/")).await;
        assert!(matches!(answer, Err(Unanswered::Unreachable(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn it_asks_five_times_over_thirty_seconds() {
        let names = Fixed::new(&[]);
        let begun = tokio::time::Instant::now();
        let probe = Probe::of(connector(PublicOnly(names.clone())));
        let health = probe.check("https://nowhere.example/health").await;
        let expected =
            "GET https://nowhere.example/health, asked 5 times over 30 seconds, last: no answer: no such name";
        assert_eq!(health, Health::Unreachable(expected.into()));
        assert_eq!(begun.elapsed(), Duration::from_secs(30));
        assert_eq!(names.1.lock().unwrap().len(), 5);
    }
}
