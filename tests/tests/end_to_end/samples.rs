//! Every sample of `events/`, sent to the function that it is for: what a person tries first works.

use serde_json::{Value, json};
use testkit::{LocalAws, Options, Result};

const NO_INSTANCE: &str = "no instance 'web-1' carries the tag nightshift:deploy; accepted: the id or the Name of one";
const NO_INSTANCE_OF_ID: &str =
    "no instance 'i-0123456789abcdef0' carries the tag nightshift:deploy; accepted: the id or the Name of one";

/// The commands whose answer is that the world is not so: each is about something that these tests did not make.
const REFUSED: [(&str, &str); 14] = [
    ("copy-buckets/copy", "no bucket kfood-uploads with the tag nightshift:backup is in this region"),
    ("copy-buckets/drill", "no bucket kfood-uploads with the tag nightshift:backup is in this region"),
    ("copy-buckets/restore", "no bucket kfood-uploads with the tag nightshift:backup is in this region"),
    ("deploy-compose/approve", NO_INSTANCE),
    ("deploy-compose/clear", NO_INSTANCE),
    ("deploy-compose/deploy", NO_INSTANCE),
    ("deploy-compose/look", NO_INSTANCE),
    ("deploy-compose/reject", NO_INSTANCE_OF_ID),
    ("deploy-compose/rollback", NO_INSTANCE),
    ("deploy-compose/status", NO_INSTANCE),
    ("drill-restores/drill", "there is no DB instance and no DB cluster kfood-db in this region"),
    ("drill-restores/end", "no drill of kfood-db is under way"),
    ("enforce-budget/release", "there is no budget 'TrueGul Monthly'; none is enforced"),
    ("remediate-alarm/clear", "there is no alarm 'api-server-5xx' in this account and region"),
];

#[test]
fn every_sample_is_understood_and_ends_well() -> Result<()> {
    let aws = LocalAws::start(Options { auth: false, ..Options::default() })?;
    let deploy = ("nightshift:deploy", "semver range=1.x");
    for (cluster, name, tags) in [
        ("truegul-production", "api-server", &[deploy][..]),
        ("codemate-dev", "codemate-backend", &[("nightshift:schedule", "mon-fri 08:00-20:00")]),
    ] {
        let repository = format!("{}-{name}", cluster.split('-').next().unwrap_or_default());
        let digest = aws.push_image(&repository, "v1.0.0", "v1")?;
        aws.start_service(cluster, name, &aws.image_uri(&repository, &format!("@{digest}")), tags)?;
        aws.push_image(&repository, "v1.1.0", "v2")?;
    }
    let mut wrong = Vec::new();
    let mut sent = 0;
    for folder in std::fs::read_dir(aws.workspace().join("events"))?.flatten().filter(|it| it.path().is_dir()) {
        let function = folder.file_name().to_string_lossy().into_owned();
        let mut samples: Vec<_> = std::fs::read_dir(folder.path())?.flatten().map(|it| it.path()).collect();
        samples.sort();
        for sample in samples {
            let name = format!("{function}/{}", sample.file_stem().unwrap_or_default().to_string_lossy());
            let payload: Value = serde_json::from_str(&std::fs::read_to_string(&sample)?)?;
            let answer = aws.invoke(&format!("nightshift-{function}"), &payload)?;
            sent += 1;
            let refused = &answer.payload["refused"];
            let expected = REFUSED.iter().find(|(it, _)| *it == name).map_or(Value::Null, |(_, why)| json!(why));
            if answer.error.is_some() || *refused != expected {
                wrong.push(format!("{name}: {:?} {}", answer.error, answer.payload));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(sent >= 70, "only {sent} samples were found");
    Ok(())
}
