//! Bounds on calls: how many are under way at a time, and how many begin per second.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Calls `call` for every item, at most `at_a_time` under way, and returns the answers in the items' order.
pub async fn each<T, R>(items: impl IntoIterator<Item = T>, at_a_time: usize, call: impl AsyncFn(T) -> R) -> Vec<R> {
    let call = &call;
    let calls = items.into_iter().map(|item| async move { call(item).await });
    stream::iter(calls).buffered(at_a_time.max(1)).collect().await
}

/// A token bucket like those that AWS throttles by: a burst at once, then so many per second.
///
/// To stay below the limit is quicker than to be refused and to back off.
pub struct Pace {
    burst: u32,
    interval: Duration,
    /// When the bucket would have been full again, as far as the turns given so far tell.
    full_at: Mutex<Instant>,
}

impl Pace {
    /// `burst` calls at once, then `per_second`.
    pub fn new(burst: u32, per_second: u32) -> Self {
        Pace { burst, interval: Duration::from_secs(1) / per_second, full_at: Mutex::new(Instant::now()) }
    }

    /// Waits until the next call may begin.
    pub async fn turn(&self) {
        let begin_at = {
            let mut full_at = self.full_at.lock().await;
            *full_at = (*full_at).max(Instant::now()) + self.interval;
            *full_at - self.interval * self.burst
        };
        sleep_until(begin_at).await;
    }
}

#[cfg(test)]
mod tests {
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
}
