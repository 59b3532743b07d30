//! The parts of a board.

/// A part of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What is awake within the next 24 hours, and what happens then.
    Tonight,
    /// Which image each service runs, and which one waits.
    Images,
    /// The backups of each database and bucket.
    Backups,
    /// Budgets, and what sleeping has saved.
    Money,
    /// Alarms, and what was done about them.
    Alarms,
    /// What a person has to decide or to fix.
    NeedsYou,
}

impl Section {
    /// All of them, by the names that a widget is configured with.
    pub const ALL: [(&'static str, Section); 6] = [
        ("tonight", Section::Tonight),
        ("images", Section::Images),
        ("backups", Section::Backups),
        ("money", Section::Money),
        ("alarms", Section::Alarms),
        ("needs-you", Section::NeedsYou),
    ];

    /// The part of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(it, _)| *it == name).map(|(_, section)| *section)
    }

    /// Its heading.
    pub fn heading(self) -> &'static str {
        match self {
            Section::Tonight => "Tonight",
            Section::Images => "Images",
            Section::Backups => "Backups",
            Section::Money => "Money",
            Section::Alarms => "Alarms",
            Section::NeedsYou => "Needs you",
        }
    }

    /// The functions whose dry runs it is drawn from.
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            Section::Tonight => &[
                "scale-staging",
                "deploy-image",
                "snapshot-databases",
                "copy-buckets",
                "prune-backups",
                "drill-restores",
            ],
            Section::Images => &["deploy-image", "deploy-compose"],
            Section::Backups => &["snapshot-databases", "copy-buckets", "prune-backups", "drill-restores"],
            // What sleeping saves is measured of what has a schedule.
            Section::Money => &["enforce-budget", "scale-staging"],
            Section::Alarms => &["remediate-alarm"],
            Section::NeedsYou => &[
                "deploy-image",
                "deploy-compose",
                "snapshot-databases",
                "copy-buckets",
                "drill-restores",
                "prune-backups",
                "scale-staging",
                "enforce-budget",
                "remediate-alarm",
            ],
        }
    }
}
