//! The board on this machine: a person looks at it, presses Approve, and the image goes out.

use nightshift_tests::board_page::{Served, button, request};
use testkit::{Error, Result};

use super::Story;
use crate::play::Play;
use crate::truegul::{API_SERVER, Service};
use crate::{screen, telling};

pub const STORY: Story = Story {
    name: "board",
    about: "A person looks at the board, presses Approve, and the image that waited goes out.",
    functions: &[
        "deploy-image",
        "drill-restores",
        "enforce-budget",
        "prune-backups",
        "remediate-alarm",
        "report-operations",
        "scale-staging",
        "snapshot-databases",
    ],
    play,
};

const FUNCTION: &str = "deploy-image";

/// The API server, with a person before every image.
const GATED: Service = Service { rule: "semver range=1.x approval=manual", ..API_SERVER };

fn play(play: &Play) -> Result<()> {
    let aws = play.aws();
    play.chapter(1, "An image waits for a person");
    GATED.start(aws, "v1.0.0")?;
    telling::services(aws, &[GATED])?;
    for _ in 0..2 {
        play.run(FUNCTION)?;
    }
    GATED.push(aws, "v1.1.0")?;
    play.run(FUNCTION)?;
    telling::message(play, "api-server: v1.1.0 waits for your approval (runs v1.0.0)")?;

    play.chapter(2, "The board shows it, with a button");
    let served = Served::start(testkit::LocalAws::STACK, aws.invoker()).map_err(Error::new)?;
    screen::say(&format!("The board is at http://{}, for browsers of this machine only.", served.address()));
    let page = asked(&served, "GET /", "")?;
    for heading in ["Tonight", "Images", "Backups", "Money", "Alarms", "Needs you"] {
        screen::claim(&format!("it has the part {heading}"), page.contains(&format!("<h3>{heading}</h3>")), &page)?;
    }
    let unread = page.contains("could not be read");
    screen::claim("every function was asked and has answered", !unread, &page)?;
    let pressed = button(&page, "Approve").ok_or_else(|| Error::new("the board has no button Approve"))?;

    play.chapter(3, "A person presses it");
    let said = asked(&served, "POST /press", &pressed.to_string())?;
    screen::claim("the window of the button says what is done", said.contains("v1.1.0"), &said)?;
    aws.wait_until("the image to be live", || {
        let live = GATED.describe(aws)?.deployments;
        let done = live.len() == 1 && live[0].version == "v1.1.0" && live[0].rollout == "COMPLETED";
        Ok(done.then_some(()))
    })?;
    telling::services(aws, &[GATED])?;
    let page = asked(&served, "GET /", "")?;
    screen::claim("the board has nothing left to approve", button(&page, "Approve").is_none(), &page)?;
    let refused: Vec<_> = aws.calls()?.into_iter().filter(|it| it.function.is_some() && it.status == 403).collect();
    screen::claim("no role refused a call", refused.is_empty(), format_args!("{refused:?}"))
}

fn asked(served: &Served, what: &str, body: &str) -> Result<String> {
    let host = served.address().to_string();
    let headers = [("host", host.as_str()), ("content-type", "application/json")];
    let (status, text) = request(served.address(), what, &headers, body).map_err(Error::new)?;
    if status == 200 { Ok(text) } else { Err(Error::new(format!("{what} is answered with {status}: {text}"))) }
}
