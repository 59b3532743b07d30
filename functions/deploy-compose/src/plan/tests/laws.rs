//! What holds whatever happens, in whatever order.

use jiff::SignedDuration;
use proptest::prelude::*;
use rules::Digest;
use rules::compose::{Intent, Ordered};
use rules::memory::Verdict;
use rules::rejections::Rejections;
use rules::{compose::Runs, keys};

use super::model::*;
use crate::plan::{Command, Scope};

#[derive(Debug, Clone)]
enum Event {
    Push,
    /// A push of an image that is not well.
    PushBad,
    Run,
    /// The same event twice: two runs one after the other.
    Twice,
    /// Two runs at once.
    Overlap,
    /// A run that dies after that number of writes.
    Dies(u8),
    Work,
    /// Commands end, and nothing is known of their ends.
    Silence,
    Off(u8),
    On(u8),
    /// An instance is started with the image that its machine image holds.
    Launch(u8),
    /// An instance is terminated, and another one is started in its place.
    Replace(u8),
    Reject(u8),
    Approve(u8),
    RollBack(u8),
    Clear,
    Look,
    Later(u16),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = prop_oneof![
        3 => Just(Event::Push),
        2 => Just(Event::PushBad),
        6 => Just(Event::Run),
        2 => Just(Event::Twice),
        2 => Just(Event::Overlap),
        2 => (0..4u8).prop_map(Event::Dies),
        6 => Just(Event::Work),
        1 => Just(Event::Silence),
        1 => (1..4u8).prop_map(Event::Off),
        2 => (1..4u8).prop_map(Event::On),
        1 => (1..4u8).prop_map(Event::Launch),
        1 => (0..6u8).prop_map(Event::Replace),
        1 => (1..9u8).prop_map(Event::Reject),
        1 => (1..9u8).prop_map(Event::Approve),
        1 => (1..4u8).prop_map(Event::RollBack),
        1 => Just(Event::Clear),
        1 => Just(Event::Look),
        3 => (1..120u16).prop_map(Event::Later),
    ];
    prop::collection::vec(one, 1..40)
}

fn nth(shop: &Shop, number: usize) -> String {
    let instances = &shop.world.instances;
    instances[number % instances.len()].id.clone()
}

/// The images that a person let out: only these may be older than what runs.
struct Played {
    shop: Shop,
    next: u8,
    by_person: Vec<Digest>,
    /// Images that were being deployed to an instance of the group that was terminated meanwhile.
    killed: Vec<Digest>,
}

impl Played {
    fn of(count: usize, rule: &str) -> Self {
        Played { shop: Shop::known(count, rule), next: 2, by_person: Vec::new(), killed: Vec::new() }
    }

    fn grouped(self) -> Self {
        Played { shop: self.shop.grouped(), ..self }
    }

    fn play(&mut self, event: &Event) {
        let before = self.shop.sent.len();
        let shop = &mut self.shop;
        let command = |shop: &mut Shop, number: usize, command: Command| {
            let name = nth(shop, number);
            drop(shop.run_while(&Scope::Instance(name), Some(&command), || true));
        };
        match event {
            Event::Push | Event::PushBad => {
                shop.push(self.next);
                if matches!(event, Event::PushBad) {
                    shop.bad.push(digest(self.next));
                }
                self.next += 1;
            }
            Event::Run => drop(shop.run(None)),
            Event::Twice => {
                shop.run(None);
                shop.run(None);
            }
            Event::Overlap => shop.overlap(),
            Event::Dies(writes) => {
                let mut left = *writes;
                shop.run_while(&Scope::Everywhere, None, || {
                    let lives = left > 0;
                    left = left.saturating_sub(1);
                    lives
                });
            }
            Event::Work => shop.work(|_| true),
            Event::Silence => shop.work(|_| false),
            Event::Off(number) => {
                let id = nth(shop, usize::from(*number));
                shop.instance(&id).state = "stopped".into();
            }
            Event::On(number) => {
                let id = nth(shop, usize::from(*number));
                if shop.instance(&id).state == "stopped" {
                    let now = shop.now.timestamp();
                    shop.instance(&id).state = "running".into();
                    shop.instance(&id).launched_at = Some(now);
                }
            }
            Event::Launch(number) if shop.world.instances.len() < 6 => {
                drop(shop.launch(1 + number % (self.next - 1)));
            }
            Event::Launch(_) => {}
            Event::Replace(number) => {
                let id = nth(shop, usize::from(*number));
                let under_way = shop.sent.iter().find(|it| it.instance == id && it.ended.is_none());
                if let Some(Intent::Deploy(digest)) = under_way.map(|it| it.intent.clone())
                    && shop.group().is_some()
                    && !shop.runs.values().any(|it| it.as_ref() == Some(&digest))
                {
                    self.killed.push(digest);
                }
                shop.terminate(&id);
                shop.launch(1);
            }
            Event::Reject(number) => {
                command(shop, usize::from(*number), Command::Reject { image: format!("v1.{number}") });
            }
            Event::Approve(number) => {
                self.by_person.push(digest(*number));
                command(shop, usize::from(*number), Command::Approve { image: format!("v1.{number}") });
            }
            Event::RollBack(number) => command(shop, usize::from(*number), Command::RollBack { image: None }),
            Event::Clear => {
                self.killed.clear();
                let first = nth(shop, 0);
                let any = shop.tag(&first, keys::REJECTED).and_then(|it| it.parse::<Rejections>().ok());
                let image = any.and_then(|it| it.last().map(|it| it.padded().to_string()));
                command(shop, 0, Command::Clear { image });
            }
            Event::Look => command(shop, 0, Command::Look),
            Event::Later(minutes) => shop.later(i64::from(*minutes)),
        }
        // After hours nobody can tell a terminated instance from a group that was put down.
        let order = self.shop.group_tag(keys::COMMAND).and_then(|it| it.parse::<Ordered>().ok());
        let old = order.filter(|it| self.shop.now.timestamp().duration_since(it.at) >= SignedDuration::from_hours(3));
        self.killed.retain(|it| old.as_ref().is_none_or(|old| old.intent.digest() != Some(it)));
        self.check(before);
    }

    /// What was just sent may be sent, and not more than one instance of the fleet is being changed.
    fn check(&mut self, before: usize) {
        let sent: Vec<Sent> = self.shop.sent[before..].to_vec();
        for sent in sent {
            let Some(digest) = sent.intent.digest().cloned() else { continue };
            let rejected = self.shop.tag(&sent.instance, keys::REJECTED).and_then(|it| it.parse::<Rejections>().ok());
            assert!(!rejected.is_some_and(|it| it.covers(&digest)), "a rejected image is sent: {sent:?}");
            assert!(
                !self.killed.contains(&digest),
                "what an instance was terminated for goes out to another: {sent:?}"
            );
            let runs: Option<Runs> = self.shop.tag(&sent.instance, keys::RUNS).and_then(|it| it.parse().ok());
            let running = runs.and_then(|it| it.digest);
            let older = running.is_some_and(|it| digest < it);
            let by_person = matches!(sent.intent, Intent::GoBack(_)) || self.by_person.contains(&digest);
            assert!(!older || by_person, "an older image is sent: {sent:?}");
        }
        let changing = |it: &&Sent| it.ended.is_none() && it.intent != Intent::Look;
        let up = self.shop.sent.iter().filter(changing).count();
        assert!(up <= 1, "two instances are changed at once");
    }

    /// Everything is on, everything works, and nobody does anything more.
    fn come_to_rest(&mut self) {
        for number in 0..self.shop.world.instances.len() {
            self.play(&Event::On(number as u8));
        }
        for _ in 0..6 {
            self.shop.later(61);
            self.shop.settle();
        }
    }
}

proptest! {
    #[test]
    fn nothing_old_nothing_rejected_one_at_a_time_and_it_comes_to_rest(
        count in 1..4usize, grouped in any::<bool>(), events in events()
    ) {
        let played = Played::of(count, RULE);
        let mut played = if grouped { played.grouped() } else { played };
        for event in &events {
            played.play(event);
        }
        played.come_to_rest();
        let plan = played.shop.decide(&Scope::Everywhere, None).plan;
        prop_assert!(plan.steps.is_empty(), "{:?}", said(&plan));
        // What does not run is not well, unless nobody knows an image that could run instead.
        for instance in played.shop.world.instances.clone() {
            let runs: Option<Runs> = instance.tags.get(keys::RUNS).and_then(|it| it.parse().ok());
            let known = runs.is_some_and(|it| it.digest == played.shop.runs[&instance.id]);
            prop_assert!(known, "{} does not know what runs", instance.id);
        }
    }

    #[test]
    fn with_good_images_alone_all_instances_end_on_the_newest(
        count in 1..4usize, events in prop::collection::vec(prop_oneof![
            Just(Event::Push), Just(Event::Run), Just(Event::Twice), Just(Event::Overlap), (0..4u8).prop_map(Event::Dies), Just(Event::Work),
            (1..4u8).prop_map(Event::Off), (1..4u8).prop_map(Event::On), Just(Event::Launch(1)), (1..120u16).prop_map(Event::Later)
        ], 1..40)
    ) {
        let mut played = Played::of(count, RULE);
        for event in &events {
            played.play(event);
        }
        played.come_to_rest();
        let newest = digest(played.next - 1);
        prop_assert!(played.shop.runs.values().all(|it| *it == Some(newest.clone())), "{:?}", played.shop.runs);
    }

    /// Whatever waits for a person, what is started runs what its fleet runs, and no instance lags behind the others.
    #[test]
    fn instances_that_come_and_go_run_what_their_fleet_runs(
        count in 1..4usize, grouped in any::<bool>(), events in prop::collection::vec(prop_oneof![
            2 => Just(Event::Push), 1 => Just(Event::PushBad), 4 => Just(Event::Run), 4 => Just(Event::Work),
            1 => Just(Event::Overlap), 1 => (0..4u8).prop_map(Event::Dies), 2 => (1..9u8).prop_map(Event::Approve),
            1 => (1..9u8).prop_map(Event::Reject), 2 => Just(Event::Launch(1)), 2 => (0..6u8).prop_map(Event::Replace),
            2 => (1..120u16).prop_map(Event::Later)
        ], 1..40)
    ) {
        let played = Played::of(count, &format!("{RULE} approval=manual"));
        let mut played = if grouped { played.grouped() } else { played };
        for event in &events {
            played.play(event);
        }
        played.come_to_rest();
        let shop = &mut played.shop;
        let tags: Vec<_> = shop.world.instances.iter().map(|it| (it.id.clone(), it.tags.clone())).collect();
        let group = shop.group().map(|it| it.tags.clone());
        let rejected: Vec<Rejections> = tags.iter().map(|(_, it)| it).chain(group.as_ref())
            .filter_map(|it| it.get(keys::REJECTED)?.parse().ok()).collect();
        let runs = |it: &std::collections::BTreeMap<String, String>| it.get(keys::RUNS)?.parse::<Runs>().ok()?.digest;
        let well = tags.iter().map(|(_, it)| it).filter_map(|it| it.get(keys::VERDICT)?.parse::<Verdict>().ok()
            .filter(|verdict| runs(it).as_ref() == Some(&verdict.digest)));
        let last = well.max_by_key(|it| it.at);
        let last = last.filter(|it| !rejected.iter().any(|by| by.covers(&it.digest)));
        if let Some(last) = last {
            for (id, it) in &tags {
                let is_there = runs(it).is_none_or(|it| it >= last.digest);
                prop_assert!(is_there, "{id} runs {:?}, and its fleet {last:?}", runs(it));
            }
        }
    }

    #[test]
    fn the_order_of_the_listing_is_indifferent(count in 2..4usize, pushes in 1..4u8) {
        let mut shop = Shop::known(count, RULE);
        for number in 0..pushes {
            shop.push(2 + number);
        }
        let plan = said(&shop.decide(&Scope::Everywhere, None).plan);
        let images = shop.world.repositories.get_mut("api").unwrap().as_mut().unwrap();
        images.reverse();
        prop_assert_eq!(plan, said(&shop.decide(&Scope::Everywhere, None).plan));
    }
}
