//! Bounds on calls: how many are under way at a time, and how many begin per second.

use std::sync::Mutex;
use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::Error;

/// Calls `call` for every item, at most `at_a_time` under way, and returns the answers in the items' order.
pub async fn each<T, R>(items: impl IntoIterator<Item = T>, at_a_time: usize, call: impl AsyncFn(T) -> R) -> Vec<R> {
    let call = &call;
    let calls = items.into_iter().map(|item| async move { call(item).await });
    stream::iter(calls).buffered(at_a_time.max(1)).collect().await
}

/// A token bucket like those that AWS throttles by: a burst at once, then a number per second.
///
/// To stay below the limit is quicker than to be refused and to back off.
pub struct Pace {
    burst: u32,
    line: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

struct State {
    /// When the bucket would have been full again, as far as the turns given so far tell.
    full_at: Instant,
    rate: Rate,
}

/// How many calls may begin per second.
enum Rate {
    /// The limit is known.
    Known(f64),
    /// The limit is learned from what AWS refuses.
    Learned(Learned),
}

/// What has been learned of a limit that AWS does not publish.
struct Learned {
    /// Calls per second at `since`; from then on it grows.
    rate: f64,
    since: Instant,
    /// When the first call was made.
    begun: Instant,
    /// When a call was begun or answered last.
    used: Instant,
    /// A moment at which AWS's bucket was empty, for it refused a call, and how many calls had been let in by then.
    empty: Option<(Instant, u32)>,
    let_in: u32,
    /// Whether `rate` was measured, and not only tried.
    measured: bool,
}

/// How many calls per second are tried first where nothing is known of the limit.
const FIRST_RATE: f64 = 50.0;

/// Before anything is refused the rate grows to its e-fold in this time, so that no limit at all is soon found out.
const FIRST_GROWTH: Duration = Duration::from_millis(200);

/// After refusals that told nothing of the limit yet it takes this long to grow to its e-fold, slowly at first.
const SEARCHING_GROWTH: Duration = Duration::from_secs(2);

/// Once the limit is known it takes this long, so that few further calls are refused.
const LATER_GROWTH: Duration = Duration::from_secs(25);

/// After a rest of this length AWS's bucket is full again, and what was learned of it says nothing any more: a process
/// stays for hours and makes a few calls every five minutes.
const REST: Duration = Duration::from_secs(10);

/// What becomes of the rate when a call is refused and too few were let in to tell the limit.
const CUT: f64 = 0.4;

/// How far below the measured limit the rate stays where calls come in bunches.
const ROOM: f64 = 0.98;

/// This number of calls between two refusals tells the limit well enough.
const ENOUGH: u32 = 20;

/// How long a call may be refused before that counts as its answer.
const PATIENCE: Duration = Duration::from_secs(120);

impl Pace {
    /// `burst` calls at once, then `per_second`.
    pub fn new(burst: u32, per_second: u32) -> Self {
        Self::of(burst, Rate::Known(per_second.into()))
    }

    /// As many as AWS lets in, which is found out on the way.
    ///
    /// Meant for [`Pace::call`], with a client that has [`LeaveThrottling`] among its retry classifiers.
    pub fn learned() -> Self {
        Self::of(4, Rate::Learned(Learned::nothing(Instant::now())))
    }

    fn of(burst: u32, rate: Rate) -> Self {
        Pace { burst, line: Default::default(), state: Mutex::new(State { full_at: Instant::now(), rate }) }
    }

    /// Waits until the next call may begin.
    pub async fn turn(&self) {
        // One waits for the bucket, the others in line: by their turns the rate may have changed.
        let _first_in_line = self.line.lock().await;
        while let Err(begin_at) = self.take() {
            sleep_until(begin_at).await;
        }
    }

    /// Takes a token out of the bucket, or says when there will be one.
    fn take(&self) -> Result<(), Instant> {
        let mut state = self.state();
        let now = Instant::now();
        if let Rate::Learned(learned) = &mut state.rate {
            learned.use_at(now);
        }
        let interval = Duration::from_secs_f64(1.0 / state.rate.at(now));
        let full_at = state.full_at.max(now) + interval;
        match full_at.checked_sub(interval * self.burst) {
            Some(begin_at) if begin_at > now => Err(begin_at),
            _ => {
                state.full_at = full_at;
                Ok(())
            }
        }
    }

    /// Makes a call in its turn, again and again as long as AWS refuses it for being one too many.
    ///
    /// A call whose turn comes later than `until` is not made: [`Error::not_now`].
    pub async fn call<T>(&self, until: Option<Instant>, call: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
        let patience = Instant::now() + PATIENCE;
        let until = until.unwrap_or(patience);
        let mut refusal = None;
        while timeout_at(until, self.turn()).await.is_ok() {
            let begun = Instant::now();
            match call().await {
                Err(error) if error.is_throttled() => {
                    self.refused(begun);
                    if Instant::now() > patience {
                        return Err(error);
                    }
                    refusal = Some(error);
                }
                other => {
                    self.let_in();
                    return other;
                }
            }
        }
        Err(if until < patience { Error::not_now() } else { refusal.unwrap_or_else(Error::not_now) })
    }

    fn let_in(&self) {
        if let Rate::Learned(learned) = &mut self.state().rate {
            learned.let_in += 1;
            learned.used = Instant::now();
        }
    }

    /// Learns from the refusal of a call that was begun at `begun`.
    fn refused(&self, begun: Instant) {
        let mut state = self.state();
        let now = Instant::now();
        let Rate::Learned(learned) = &mut state.rate else { return };
        learned.used = now;
        // Calls that were on their way when the rate was cut say nothing new.
        if learned.empty.is_some() && begun <= learned.since {
            return;
        }
        learned.learn(now);
        // The bucket is empty, so there is nothing before the next token.
        let interval = Duration::from_secs_f64(1.0 / learned.rate);
        state.full_at = now + interval * self.burst;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Rate {
    fn at(&self, now: Instant) -> f64 {
        match self {
            Rate::Known(rate) => *rate,
            Rate::Learned(learned) => learned.at(now),
        }
    }
}

impl Learned {
    fn nothing(now: Instant) -> Self {
        Learned { rate: FIRST_RATE, since: now, begun: now, used: now, empty: None, let_in: 0, measured: false }
    }

    /// A call is about to begin, perhaps after a rest.
    fn use_at(&mut self, now: Instant) {
        if now.duration_since(self.used) >= REST {
            *self = Learned::nothing(now);
        }
        self.used = now;
    }

    fn at(&self, now: Instant) -> f64 {
        let quiet = now.duration_since(self.since).as_secs_f64();
        let growth = match self.empty {
            None => quiet / FIRST_GROWTH.as_secs_f64(),
            Some(_) if self.measured => (quiet / LATER_GROWTH.as_secs_f64()).powi(2),
            Some(_) => (quiet / SEARCHING_GROWTH.as_secs_f64()).powi(2),
        };
        // Faster than this a pace limits nothing; it also keeps the numbers finite.
        (self.rate * growth.min(20.0).exp()).min(10_000.0)
    }

    /// Between two refusals AWS let in exactly what its bucket gained, for it was empty at both.
    fn learn(&mut self, now: Instant) {
        let seen = self.empty.map(|(at, let_in)| (self.let_in - let_in, now.duration_since(at).as_secs_f64()));
        match seen {
            Some((calls, seconds)) if calls >= ENOUGH && seconds > 0.0 => {
                self.rate = f64::from(calls) / seconds;
                self.measured = true;
                self.empty = Some((now, self.let_in));
            }
            // Calls that come in a bunch are refused below the limit too: no news, but a little room does no harm.
            Some(_) if self.measured => self.rate *= ROOM,
            _ => {
                let made = match (self.empty, self.let_in) {
                    (Some(_), _) => f64::INFINITY,
                    // Others have emptied the bucket, which tells nothing of the limit.
                    (None, 0) => FIRST_RATE,
                    // Where the answers take their time, fewer calls are made than may be.
                    (None, calls) => f64::from(calls) / now.duration_since(self.begun).as_secs_f64().max(0.001),
                };
                self.rate = (self.at(now).min(made) * CUT).max(0.5);
                self.empty = self.empty.or(Some((now, self.let_in)));
            }
        }
        self.since = now;
    }
}

/// Tells the SDK not to try a throttled call again: that is for [`Pace::call`], which also slows the others down.
#[derive(Debug)]
pub struct LeaveThrottling;

impl ClassifyRetry for LeaveThrottling {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError { kind: ErrorKind::ThrottlingError, .. }) => {
                RetryAction::RetryForbidden
            }
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "leave throttling to the pace"
    }

    /// The last word.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lets_a_burst_through_and_then_keeps_the_rate() {
        let pace = Pace::new(20, 2);
        let start = Instant::now();
        for _ in 0..20 {
            pace.turn().await;
        }
        assert!(start.elapsed() < Duration::from_millis(5));
        for _ in 0..10 {
            pace.turn().await;
        }
        let elapsed = start.elapsed();
        assert!((Duration::from_millis(4990)..Duration::from_millis(5010)).contains(&elapsed), "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_fills_the_bucket_but_never_beyond_the_burst() {
        let pace = Pace::new(2, 1);
        pace.turn().await;
        pace.turn().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..3 {
            pace.turn().await;
        }
        assert_eq!(start.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn keeps_the_order_of_the_answers_and_the_bound() {
        let under_way = std::cell::Cell::new((0usize, 0usize));
        let answers = each(0..10u64, 3, async |item| {
            let (now, most) = under_way.get();
            under_way.set((now + 1, most.max(now + 1)));
            tokio::time::sleep(Duration::from_millis(10 - item)).await;
            under_way.set((under_way.get().0 - 1, under_way.get().1));
            item
        })
        .await;
        assert_eq!(answers, (0..10).collect::<Vec<_>>());
        assert_eq!(under_way.get().1, 3);
    }

    /// AWS's side: a bucket of tokens that fills at a rate, 20 ms away.
    struct Bucket {
        tokens: f64,
        size: f64,
        per_second: f64,
        at: Instant,
        refused: u32,
        /// By how many milliseconds the way to AWS varies.
        slow: u64,
        calls: u64,
    }

    impl Bucket {
        /// How long the way to AWS or back takes: 10 ms and more, never the same.
        fn way(bucket: &RefCell<Self>) -> Duration {
            let mut it = bucket.borrow_mut();
            it.calls = it.calls.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            Duration::from_millis(10 + (it.calls >> 33) % it.slow)
        }

        async fn call(bucket: &RefCell<Self>) -> Result<(), Error> {
            tokio::time::sleep(Bucket::way(bucket)).await;
            let let_in = {
                let mut it = bucket.borrow_mut();
                let now = Instant::now();
                let gained = now.duration_since(it.at).as_secs_f64() * it.per_second;
                it.tokens = (it.tokens + gained).min(it.size);
                it.at = now;
                let let_in = it.tokens >= 1.0;
                if let_in {
                    it.tokens -= 1.0
                } else {
                    it.refused += 1
                }
                let_in
            };
            tokio::time::sleep(Bucket::way(bucket)).await;
            let refusal = Error { code: "Throttling".into(), ..Error::unexpected("Delete", "x", "Rate exceeded") };
            if let_in { Ok(()) } else { Err(refusal) }
        }
    }

    /// How much longer than necessary `calls` calls take against a bucket, and which part of them is refused.
    async fn race(calls: usize, size: f64, per_second: f64, slow: u64) -> (f64, f64) {
        let begun = Instant::now();
        let bucket = RefCell::new(Bucket { tokens: size, size, per_second, at: begun, refused: 0, slow, calls: 1 });
        let pace = Pace::learned();
        // A few pages one after another, then as much as may be side by side.
        for _ in 0..12 {
            pace.call(None, async || Bucket::call(&bucket).await).await.unwrap();
        }
        let answers = each(0..calls, 32, async |_| pace.call(None, async || Bucket::call(&bucket).await).await).await;
        assert!(answers.iter().all(Result::is_ok));
        let floor = (calls as f64 + 12.0 - size) / per_second;
        let refused = f64::from(bucket.borrow().refused) / (calls as f64 + 12.0);
        (begun.elapsed().as_secs_f64() / floor, refused)
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_nobody_told_is_found_and_kept() {
        for (size, per_second, slow, longest, most_refused) in [
            (20.0, 20.0, 1, 1.01, 0.02),
            (20.0, 20.0, 60, 1.02, 0.03),
            (100.0, 20.0, 1, 1.01, 0.03),
            (5.0, 10.0, 60, 1.03, 0.05),
            (50.0, 50.0, 60, 1.05, 0.03),
            (10.0, 2.0, 60, 1.01, 0.06),
            (200.0, 100.0, 1, 1.05, 0.04),
        ] {
            let (longer, refused) = race(925, size, per_second, slow).await;
            let seen = format!("{size} {per_second} {slow}: {longer:.3} {refused:.4}");
            assert!(longer < longest && refused < most_refused, "{seen}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_is_as_quick_as_the_calls_are() {
        let bucket = RefCell::new(Bucket {
            tokens: 1e9,
            size: 1e9,
            per_second: 1e9,
            at: Instant::now(),
            refused: 0,
            slow: 1,
            calls: 1,
        });
        let pace = Pace::learned();
        let begun = Instant::now();
        each(0..925, 32, async |_| pace.call(None, async || Bucket::call(&bucket).await).await.unwrap()).await;
        // 32 at a time, 20 ms each, is 580 ms.
        assert!(begun.elapsed() < Duration::from_millis(1200), "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_never_ends_is_an_answer_in_the_end() {
        let pace = Pace::learned();
        let refusal =
            || Error { code: "ThrottlingException".into(), ..Error::unexpected("Delete", "x", "Rate exceeded") };
        let answer: Result<(), Error> = pace.call(None, async || Err(refusal())).await;
        assert_eq!(answer, Err(refusal()));
    }

    /// Five calls at a time, every five minutes, in a process that stays: how long the slowest five take where other
    /// programs of the account have emptied AWS's bucket before each of the turns `emptied`.
    async fn sweeps(emptied: &[usize]) -> Duration {
        let now = Instant::now();
        let bucket =
            RefCell::new(Bucket { tokens: 20.0, size: 20.0, per_second: 20.0, at: now, refused: 0, slow: 1, calls: 1 });
        let pace = Pace::learned();
        let mut longest = Duration::ZERO;
        for sweep in 0..20 {
            if emptied.contains(&sweep) {
                let mut it = bucket.borrow_mut();
                (it.tokens, it.at) = (0.0, Instant::now());
            }
            let begun = Instant::now();
            each(0..5, 5, async |_| pace.call(None, async || Bucket::call(&bucket).await).await.unwrap()).await;
            longest = longest.max(begun.elapsed());
            tokio::time::advance(Duration::from_secs(300)).await;
        }
        longest
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_in_a_process_that_was_idle_says_nothing_of_what_it_did_before() {
        for emptied in [&[0][..], &[7], &[0, 12], &[1, 2, 3], &[3, 19]] {
            let longest = sweeps(emptied).await;
            // Five calls at 20 a second, and a refusal or two.
            assert!(longest < Duration::from_millis(800), "{emptied:?}: {longest:?}");
        }
        assert!(sweeps(&[]).await < Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_that_comes_too_late_is_not_taken() {
        let pace = Pace::new(1, 1);
        let until = Instant::now() + Duration::from_millis(2500);
        let calls = std::cell::Cell::new(0);
        let call = async || {
            calls.set(calls.get() + 1);
            Ok(())
        };
        let answers = each(0..5, 5, async |_| pace.call(Some(until), call).await).await;
        assert_eq!(answers.iter().filter(|it| it.is_ok()).count(), 3);
        assert_eq!((calls.get(), answers[4].clone()), (3, Err(Error::not_now())));
    }

    #[test]
    fn what_is_throttled_is_left_to_the_pace_and_nothing_else() {
        let context =
            InterceptorContext::new(aws_smithy_runtime_api::client::interceptors::context::Input::doesnt_matter());
        let verdict = |previous| LeaveThrottling.classify_retry_v2(&context, &previous);
        assert_eq!(verdict(RetryAction::throttling_error()), RetryAction::RetryForbidden);
        assert_eq!(verdict(RetryAction::transient_error()), RetryAction::NoActionIndicated);
        assert_eq!(verdict(RetryAction::NoActionIndicated), RetryAction::NoActionIndicated);
    }
}
