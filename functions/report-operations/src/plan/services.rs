//! What services, databases, load balancers and certificates came to, and what of that is out of bounds.

use super::line::Lines;
use super::seen::Seen;
use super::usage::{Query, Usage};

/// More than this leaves no room for a peak.
const BUSY: f64 = 90.0;

/// Less than this of CPU and memory in two weeks is a size too large.
const IDLE: f64 = 20.0;

/// A database that is full stops.
const LITTLE_STORAGE: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;

/// Certificates that ACM renews are renewed 60 days before their end; one that is left by then needs a person.
const CERTIFICATE_DAYS: f64 = 30.0;

/// How large a part of all requests may fail.
const FAILING: f64 = 1.0;

pub fn bounds(usage: &Usage, seen: &Seen, lines: &mut Lines) {
    let stack = &seen.stack;
    let most = |query: Query| most(usage, query);
    let least = |query: Query| {
        let least = |series: &[(jiff::Timestamp, f64)]| series.iter().map(|it| it.1).fold(f64::MAX, f64::min);
        usage.of(query).map(move |(name, series)| (name, least(series))).collect::<Vec<_>>()
    };
    let mut well = 0;
    for (query, what) in
        [(Query::ServiceCpu, "CPU"), (Query::ServiceMemory, "memory"), (Query::DatabaseCpu, "CPU of the database")]
    {
        for (name, percent) in most(query) {
            match percent > BUSY {
                true => {
                    let page = if query == Query::DatabaseCpu { stack.database(name) } else { stack.service(name) };
                    let line = format!("{name}: {what} was at {percent:.0} % at most: give it more, or scale it out");
                    lines.red(line, page);
                }
                false => well += 1,
            }
        }
    }
    if well > 0 {
        lines.green(format!("{well} readings of CPU and memory below {BUSY:.0} %"));
    }
    for (name, bytes) in least(Query::DatabaseStorage).into_iter().filter(|(_, it)| *it < LITTLE_STORAGE) {
        let left = bytes / 1024.0 / 1024.0 / 1024.0;
        let line = format!("{name}: {left:.1} GiB of storage are left: raise its storage, or let RDS do so");
        lines.red(line, stack.database(name));
    }
    let connections = most(Query::DatabaseConnections);
    if !connections.is_empty() {
        let told: Vec<String> = connections.iter().take(20).map(|(name, it)| format!("{name} {it:.0}")).collect();
        lines.news(format!("Most connections: {}", told.join(", ")));
    }
    for (arn, days) in least(Query::CertificateDays).into_iter().filter(|(_, it)| *it <= CERTIFICATE_DAYS) {
        let why = stack.run(["aws", "acm", "describe-certificate", "--certificate-arn", arn]);
        lines.red(format_args!("certificate {arn} ends in {days:.0} days: ACM says why it is not renewed"), why);
    }
    answers(usage, seen, lines);
}

/// How many requests were answered with an error of the server.
fn answers(usage: &Usage, seen: &Seen, lines: &mut Lines) {
    let slo = seen.slo;
    let requests = usage.sum(Query::Requests);
    if requests <= 0.0 {
        return;
    }
    let errors = usage.sum(Query::TargetErrors) + usage.sum(Query::BalancerErrors);
    let failing = errors / requests * 100.0;
    let available = (100.0 - failing).max(0.0);
    let aim = slo.map(|it| format!(" of {it} %")).unwrap_or_default();
    let told = format!("{errors:.0} of {requests:.0} requests ended in a 5xx, availability {available:.3} %{aim}");
    if slo.map_or(failing > FAILING, |slo| available < slo) {
        let alarms = ["aws", "cloudwatch", "describe-alarms", "--state-value", "ALARM"];
        lines.red(format_args!("{told}: look at the alarms and logs of the services"), seen.stack.run(alarms));
    } else {
        lines.news(told)
    }
}

fn most(usage: &Usage, query: Query) -> Vec<(&str, f64)> {
    let most = |series: &[(jiff::Timestamp, f64)]| series.iter().map(|it| it.1).fold(f64::MIN, f64::max);
    usage.of(query).map(|(name, series)| (name, most(series))).collect()
}

/// A hint, never a change: services that stayed below the bound in CPU and in memory, and databases in CPU.
pub fn sizes(seen: &Seen, lines: &mut Lines) {
    let usage = match (&seen.weekly.sizes, &seen.usage) {
        (Some(Ok(usage)), _) => usage,
        (Some(Err(why)), Ok(_)) => {
            let line = format!("what CloudWatch measured in two weeks could not be read: {why}");
            return lines.red(line, seen.stack.own_log());
        }
        // That is told already.
        (Some(Err(_)), Err(_)) | (None, _) => return,
    };
    let memory = most(usage, Query::ServiceMemory);
    let services = most(usage, Query::ServiceCpu).into_iter().filter_map(|(name, cpu)| {
        let (_, memory) = memory.iter().find(|(other, _)| *other == name)?;
        (cpu < IDLE && *memory < IDLE).then(|| format!("{name} (CPU {cpu:.0} %, memory {memory:.0} %)"))
    });
    let databases = most(usage, Query::DatabaseCpu).into_iter().filter(|(_, cpu)| *cpu < IDLE);
    let databases = databases.map(|(name, cpu)| format!("{name} (CPU {cpu:.0} %; look at its memory as well)"));
    let idle: Vec<String> = services.chain(databases).collect();
    if !idle.is_empty() {
        lines.news(format!("Never above {IDLE:.0} % in two weeks, so a smaller size may do: {}", idle.join(", ")));
    }
}
