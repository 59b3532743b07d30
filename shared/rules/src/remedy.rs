//! `nightshift:remedy`: what is done about a CloudWatch alarm, step by step, and within which limits.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;

use crate::keys;
use crate::length::Length;
pub use crate::length::in_minutes;
use crate::service::ServiceName;
use crate::tag::{BadTag, Reader};

/// What the tag `nightshift:remedy` of an alarm asks for.
///
/// The first remedy is the tag's word, each further one an option `then=`; the options of all of them are shared.
///
/// ```
/// use rules::remedy::{Remedy, RemedyRule};
///
/// let rule: RemedyRule = "restart then=rollback then=notify within=20m".parse().unwrap();
/// assert_eq!(rule.ladder, [Remedy::Restart, Remedy::Rollback, Remedy::Notify]);
/// assert_eq!(rule.to_string(), "restart then=rollback then=notify within=20m");
///
/// let wrong = "restart step=2".parse::<RemedyRule>().unwrap_err().to_string();
/// assert!(wrong.starts_with("nightshift:remedy: unknown option 'step' in 'restart step=2'; "));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyRule {
    /// The remedies in their order; at least one, each once.
    pub ladder: Vec<Remedy>,
    /// `scale-out`: how many tasks more.
    pub step: u32,
    /// `scale-out`: never more tasks than this.
    pub max: u32,
    /// `rollback`: only if the running image went live so recently.
    pub within: SignedDuration,
    /// `reboot`: the standby of a Multi-AZ instance takes over.
    pub failover: bool,
    /// After a remedy, nothing is done for so long.
    pub cooldown: SignedDuration,
    /// How many remedies on one day.
    pub limit: u32,
    /// The ECS service that is meant, where the metric does not tell.
    pub service: Option<ServiceName>,
    /// The database that is meant, where the metric does not tell.
    pub database: Option<String>,
}

/// What can be done about an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// More tasks for an hour.
    ScaleOut,
    /// The same tasks anew.
    Restart,
    /// The image before.
    Rollback,
    /// The DB instance anew.
    Reboot,
    /// Out of its sleep.
    Wake,
    /// A person is told.
    Notify,
}

/// A length of time such as `15m` or `2h`, up to a day.
type Lasting = Length<1, { 24 * 60 }>;

impl Remedy {
    /// All of them, as the tag spells them.
    pub const ALL: [(Remedy, &'static str); 6] = [
        (Remedy::ScaleOut, "scale-out"),
        (Remedy::Restart, "restart"),
        (Remedy::Rollback, "rollback"),
        (Remedy::Reboot, "reboot"),
        (Remedy::Wake, "wake"),
        (Remedy::Notify, "notify"),
    ];

    /// As the tag spells it.
    pub fn name(&self) -> &'static str {
        match self {
            Remedy::ScaleOut => "scale-out",
            Remedy::Restart => "restart",
            Remedy::Rollback => "rollback",
            Remedy::Reboot => "reboot",
            Remedy::Wake => "wake",
            Remedy::Notify => "notify",
        }
    }

    /// Whether it changes something, and does not only tell.
    pub fn acts(&self) -> bool {
        *self != Remedy::Notify
    }

    fn read(word: &str, tag: &Reader<'_>) -> Result<Self, BadTag> {
        word.parse().map_err(|()| tag.bad_word(word, &Self::ALL.map(|(_, name)| name)))
    }
}

impl FromStr for Remedy {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(it, _)| *it).ok_or(())
    }
}

impl RemedyRule {
    const WITHIN: SignedDuration = SignedDuration::from_mins(30);
    const COOLDOWN: SignedDuration = SignedDuration::from_mins(15);
    const LIMIT: u32 = 3;

    /// Whether any of its remedies changes something.
    pub fn acts(&self) -> bool {
        self.ladder.iter().any(Remedy::acts)
    }

    fn has(&self, remedy: Remedy) -> bool {
        self.ladder.contains(&remedy)
    }
}

impl FromStr for RemedyRule {
    type Err = BadTag;

    fn from_str(value: &str) -> Result<Self, BadTag> {
        let mut tag = Reader::repeating(keys::REMEDY, value, "then")?;
        let Some(first) = tag.word() else {
            return Err(tag.bad("no remedy", Remedy::ALL.map(|(_, name)| name).join(", ")));
        };
        let mut ladder = vec![Remedy::read(first, &tag)?];
        for word in tag.all("then") {
            let next = Remedy::read(word, &tag)?;
            if ladder.contains(&next) {
                return Err(tag.bad(format!("the remedy '{word}' twice"), "each remedy once"));
            }
            ladder.push(next);
        }
        let mut rule = RemedyRule {
            ladder,
            step: 1,
            max: u32::MAX,
            within: Self::WITHIN,
            failover: false,
            cooldown: lasting(&mut tag, "cooldown", Self::COOLDOWN)?,
            limit: number(&mut tag, "limit")?.unwrap_or(Self::LIMIT),
            service: tag.parsed("service", "CLUSTER/SERVICE")?,
            database: tag.option("db").map(str::to_owned),
        };
        if rule.has(Remedy::ScaleOut) {
            rule.step = number(&mut tag, "step")?.unwrap_or(1);
            // How far a service may grow is for its owner to say: there is no number that fits all.
            let max = number(&mut tag, "max")?;
            rule.max =
                max.ok_or_else(|| tag.bad("no option 'max'", "max=N, the most tasks that scale-out may reach"))?;
        }
        if rule.has(Remedy::Rollback) {
            rule.within = lasting(&mut tag, "within", Self::WITHIN)?;
        }
        if rule.has(Remedy::Reboot) {
            rule.failover = tag.parsed("failover", "true or false")?.unwrap_or(false);
        }
        tag.finish().map(|()| rule)
    }
}

fn number(tag: &mut Reader<'_>, name: &'static str) -> Result<Option<u32>, BadTag> {
    match tag.parsed::<u32>(name, "a whole number from 1")? {
        Some(0) => Err(tag.bad_option(name, "0", "a whole number from 1")),
        other => Ok(other),
    }
}

fn lasting(tag: &mut Reader<'_>, name: &'static str, default: SignedDuration) -> Result<SignedDuration, BadTag> {
    Ok(tag.parsed::<Lasting>(name, "a time such as 15m or 2h, up to 24h")?.map_or(default, |it| it.0))
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for RemedyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.ladder.iter().map(Remedy::name).collect::<Vec<_>>().join(" then="))?;
        if self.has(Remedy::ScaleOut) {
            write!(f, " step={} max={}", self.step, self.max)?;
        }
        if self.has(Remedy::Rollback) {
            write!(f, " within={}", in_minutes(self.within))?;
        }
        if self.failover {
            f.write_str(" failover=true")?;
        }
        if self.cooldown != Self::COOLDOWN {
            write!(f, " cooldown={}", in_minutes(self.cooldown))?;
        }
        if self.limit != Self::LIMIT {
            write!(f, " limit={}", self.limit)?;
        }
        self.service.iter().try_for_each(|it| write!(f, " service={it}"))?;
        self.database.iter().try_for_each(|it| write!(f, " db={it}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;

    fn read(value: &str) -> Result<String, String> {
        value.parse::<RemedyRule>().map(|it| it.to_string()).map_err(|it| it.to_string())
    }

    #[test]
    fn what_is_left_out_is_what_most_shops_want() {
        let rule: RemedyRule = "rollback".parse().unwrap();
        assert_eq!((rule.within.as_mins(), rule.cooldown.as_mins(), rule.limit), (30, 15, 3));
        assert_eq!(read("scale-out max=6").as_deref(), Ok("scale-out step=1 max=6"));
        assert_eq!(
            read("reboot failover=true db=kfood-db cooldown=90m limit=1").as_deref(),
            Ok("reboot failover=true cooldown=90m limit=1 db=kfood-db")
        );
        assert_eq!(read("wake service=shop/api cooldown=120m").as_deref(), Ok("wake cooldown=2h service=shop/api"));
    }

    #[test]
    fn what_is_wrong_is_quoted_and_what_is_accepted_listed() {
        let words = "scale-out, restart, rollback, reboot, wake, notify";
        for (value, wrong) in [
            ("", format!("no remedy in ''; accepted: {words}")),
            ("restrat", format!("unknown word 'restrat' in 'restrat'; did you mean 'restart'? Accepted: {words}")),
            ("restart then=rolback", format!("unknown word 'rolback' in 'restart then=rolback'; did you mean 'rollback'? Accepted: {words}")),
            ("restart rollback", "unknown word 'rollback' in 'restart rollback'; accepted: no word here, but the options then, cooldown, limit, service, db".into()),
            ("restart then=restart", "the remedy 'restart' twice in 'restart then=restart'; accepted: each remedy once".into()),
            ("scale-out", "no option 'max' in 'scale-out'; accepted: max=N, the most tasks that scale-out may reach".into()),
            ("scale-out max=0", "max=0 cannot be understood in 'scale-out max=0'; accepted: max=a whole number from 1".into()),
            ("rollback within=soon", "within=soon cannot be understood in 'rollback within=soon'; accepted: within=a time such as 15m or 2h, up to 24h".into()),
            ("restart cooldown=25h", "cooldown=25h cannot be understood in 'restart cooldown=25h'; accepted: cooldown=a time such as 15m or 2h, up to 24h".into()),
            ("restart cooldown=0m", "cooldown=0m cannot be understood in 'restart cooldown=0m'; accepted: cooldown=a time such as 15m or 2h, up to 24h".into()),
            ("restart service=api", "service=api cannot be understood in 'restart service=api'; accepted: service=CLUSTER/SERVICE".into()),
            ("restart within=5m", "unknown option 'within' in 'restart within=5m'; accepted: then, cooldown, limit, service, db".into()),
            ("restart limit=3 limit=4", "the option 'limit' twice in 'restart limit=3 limit=4'; accepted: each option once".into()),
        ] {
            assert_eq!(read(value), Err(format!("nightshift:remedy: {wrong}")), "{value}");
        }
    }

    fn lengths() -> impl Strategy<Value = SignedDuration> {
        (1..=1440i64).prop_map(SignedDuration::from_mins)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            ladder in subsequence(Remedy::ALL.to_vec(), 1..=6).prop_shuffle(),
            (step, max, limit) in (1..9u32, 1..99u32, 1..9u32), (within, cooldown) in (lengths(), lengths()),
            failover in any::<bool>(), service in any::<bool>()
        ) {
            let ladder: Vec<Remedy> = ladder.into_iter().map(|(it, _)| it).collect();
            let has = |it| ladder.contains(&it);
            let rule = RemedyRule {
                step: if has(Remedy::ScaleOut) { step } else { 1 },
                max: if has(Remedy::ScaleOut) { max } else { u32::MAX },
                within: if has(Remedy::Rollback) { within } else { RemedyRule::WITHIN },
                failover: failover && has(Remedy::Reboot),
                cooldown, limit,
                service: service.then(|| "shop/api".parse().unwrap()),
                database: (!service).then(|| "shop-db".into()),
                ladder,
            };
            prop_assert_eq!(rule.to_string().parse(), Ok(rule));
        }

        #[test]
        fn no_value_makes_it_panic(value in any::<String>()) {
            let _ = (value.parse::<RemedyRule>(), value.parse::<Lasting>());
        }
    }
}
