//! More tasks for a while.

use rules::keys;

use super::model::*;

#[test]
fn a_boost_adds_to_the_size_within_the_limits_and_ends_by_itself() {
    let mut shop = shop(vec![scaled("api", "always", 3, 2, 4)], vec![]);
    let intent = "step=2 until=2026-11-20T05:00:00Z by=alarm:cpu";
    shop.service("api").tags.insert(keys::BOOST_MEMORY.into(), intent.into());
    shop.check("2026-11-20T12:00", &[
        "* api boost: gets more tasks (3 -> 4 tasks) until Fri 2026-11-20 14:00 KST, as alarm:cpu asks | 'always' wants it awake; no next change",
    ]);
    shop.run(&sweep(), &at("2026-11-20T12:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (4, 4));
    shop.check(
        "2026-11-20T13:00",
        &["+ api: it has 4 tasks, 1 of them by a boost; 'always' wants it awake; no next change"],
    );
    shop.check(
        "2026-11-20T14:00",
        &[
            "* api end-boost: the boost is over (4 -> 3 tasks) | 'always' wants it awake; no next change",
            "* api remember: what is over is forgotten | 'always' wants it awake; no next change",
        ],
    );
    // A person's boost counts before a function's.
    shop.service("api").tags.insert(keys::BOOST.into(), "step=1 until=2026-11-20T18:00".into());
    shop.run_until_quiet(&at("2026-11-20T14:00"));
    assert_eq!(shop.service("api").desired, 4);
    shop.service("api").tags.remove(keys::BOOST);
    shop.run_until_quiet(&at("2026-11-20T15:00"));
    assert_eq!((shop.service("api").desired, shop.service("api").target.unwrap().min), (3, 2));
}
