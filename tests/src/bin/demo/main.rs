//! `cargo demo`: plays a story of Nightshift on an AWS on this machine, and checks every sentence of it.
//!
//! A story is a file in `stories/` and a line in `stories::STORIES`.

mod arguments;
mod function;
mod keep;
mod page;
mod play;
mod progress;
mod screen;
mod stories;
mod summary;
mod telling;
mod truegul;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use testkit::{Error, Result};

use arguments::{Command, Options};
use play::Play;
use stories::Story;

fn main() -> ExitCode {
    match arguments::read(std::env::args().skip(1)) {
        Ok(Command::Help) => screen::put(arguments::help()),
        Ok(Command::List) => screen::put(stories::list()),
        Ok(Command::Play { story, options }) => return run(story, &options),
        Err(wrong) => {
            screen::complain(&wrong);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Plays and says how it went. By then the local AWS is gone, whatever happened.
fn run(story: &'static Story, options: &Options) -> ExitCode {
    let begun = Instant::now();
    let outcome = stop_flag().and_then(|stop| {
        let outcome = play(story, options, &stop);
        // What fails because it was stopped has not failed.
        if stop.load(Ordering::Relaxed) { outcome.map(Some).or(Ok(None)) } else { outcome.map(Some) }
    });
    match outcome {
        Ok(Some(())) => {
            let done = if options.keep {
                "Stopped".to_owned()
            } else {
                format!("Done in {:.0} s", begun.elapsed().as_secs_f64())
            };
            screen::end(&format!("{done}. Nothing is left running."));
            ExitCode::SUCCESS
        }
        Ok(None) => {
            screen::complain("\nStopped. Nothing is left running.");
            ExitCode::from(130)
        }
        Err(error) => {
            screen::complain(&format!("\nThe story {} did not go as it should: {error}", story.name));
            ExitCode::FAILURE
        }
    }
}

fn play(story: &'static Story, options: &Options, stop: &Arc<AtomicBool>) -> Result<()> {
    screen::title(story);
    let play = Play::prepare(story, options, stop)?;
    (story.play)(&play)?;
    summary::mails(&play)?;
    summary::read_next(&play, story);
    if let Some(path) = &options.html {
        page::write(path, story)?;
        screen::say(&format!("The story as a page: {}", path.display()));
    }
    if options.keep { keep::until_stopped(play.aws(), stop) } else { Ok(()) }
}

/// Is set by Ctrl-C and by whoever else asks this process to end. Who asks twice does not want to wait.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(signal, 130, stop.clone()).map_err(Error::new)?;
        flag::register(signal, stop.clone()).map_err(Error::new)?;
    }
    Ok(stop)
}
