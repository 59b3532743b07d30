//! Lists the versions of a moment into the manifest of a job, over as many runs as it takes, and creates that job.

use aws::Error;
use aws::rest::{Bucket, url_encoded};
use rules::keys;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plan::{Listing, Manifest, Picker, Place, Restore, RestoreMarker, RestoreState};
use crate::s3::{Copying, Objects, upload, versions};
use crate::{Clients, s3};

/// The name of the manifest in the folder.
const NAME: &str = "_nightshift-manifest.csv";

/// How much of the manifest is held in memory: S3 wants 5 MiB at least for each part but the last one.
const PART: usize = 8 << 20;

/// Begins a restore, or goes on with its list; what does not fit into one run goes on in the next one.
pub async fn restore(clients: &Clients, step: &Restore, account: &str, until: Instant) -> Result<Value, Error> {
    let Restore { folder, arn, role, marker } = step;
    let mut marker = marker.clone();
    // The marker first: the tag must never name a folder that does not say what it is.
    s3::mark(&clients.s3, folder, &marker).await?;
    let memory = format!("{}/{}", folder.to, folder.name);
    s3::remember(&clients.s3, account, arn, keys::BUCKET_RESTORE, Some(&memory)).await?;
    let manifest = match &marker.manifest {
        Some(it) => it.clone(),
        None => match list(clients, folder, &mut marker, until).await? {
            Some(manifest) => manifest,
            None => {
                marker.busy_until = None;
                s3::mark(&clients.s3, folder, &marker).await?;
                return Err(Error::not_now());
            }
        },
    };
    marker.listing = None;
    marker.busy_until = None;
    marker.manifest = Some(manifest.clone());
    if manifest.objects == 0 {
        marker.state = RestoreState::Failed;
        marker.problems = vec!["there was no object at that moment".into()];
        s3::mark(&clients.s3, folder, &marker).await?;
        return Ok(json!({"objects": 0, "restored": "there was no object at that moment"}));
    }
    s3::mark(&clients.s3, folder, &marker).await?;
    let copying = Copying {
        source: &marker.source,
        folder,
        class: None,
        role,
        token: format!("restore {} {memory} {}", marker.source, marker.begun),
        about: format!("restore of {} to {}", marker.source, marker.at),
        objects: Objects::Listed { manifest: manifest_key(folder), etag: &manifest.etag },
    };
    let job = s3::create_job(&clients.s3, account, &copying).await.map_err(Error::told_if_denied)?;
    let marker = RestoreMarker { state: RestoreState::Copying, job: Some(job.clone()), ..marker };
    s3::mark(&clients.s3, folder, &marker).await?;
    Ok(json!({"job": job, "objects": manifest.objects}))
}

/// Writes the manifest; none where the time was too short, and then `marker` says how far it has come.
async fn list(
    clients: &Clients,
    folder: &Place,
    marker: &mut RestoreMarker,
    until: Instant,
) -> Result<Option<Manifest>, Error> {
    let (s3, target, key) = (&clients.s3, s3::bucket(folder), manifest_key(folder));
    let source = Bucket { region: s3.home().to_owned(), name: marker.source.clone() };
    let mut listing = marker.listing.clone().unwrap_or_default();
    let mut picker = Picker::new(marker.at, listing.decided.clone());
    let (mut after, mut objects, mut lines) = (listing.after.clone(), listing.objects, String::new());
    loop {
        if Instant::now() >= until {
            return Ok(None);
        }
        let page = versions::versions(s3, &source, &marker.prefix, after.as_ref()).await?;
        for version in page.versions.iter().filter(|it| picker.takes(it)) {
            lines += &format!("{},{},{}\n", source.name, url_encoded(&version.key), version.id);
            objects += 1;
        }
        after = page.next;
        let is_last = after.is_none();
        if is_last && listing.upload.is_empty() {
            let etag = if objects == 0 { String::new() } else { upload::whole(s3, &target, &key, lines).await? };
            return Ok(Some(Manifest { etag, objects }));
        }
        if !is_last && lines.len() < PART {
            continue;
        }
        let written = add_part(clients, &target, &key, &mut listing, std::mem::take(&mut lines), is_last).await;
        let whole = match written {
            Ok(whole) => whole,
            // An upload that is gone, such as one that a lifecycle rule has ended, is begun anew.
            Err(error) if error.code == "NoSuchUpload" => {
                marker.listing = None;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if let Some(etag) = whole {
            return Ok(Some(Manifest { etag, objects }));
        }
        listing = Listing { after: after.clone(), decided: picker.decided(), objects, ..listing };
        marker.listing = Some(listing.clone());
        s3::mark(&clients.s3, folder, marker).await?;
    }
}

/// Writes one more part; returns the ETag of the whole object once it was the last one.
async fn add_part(
    clients: &Clients,
    target: &Bucket,
    key: &str,
    listing: &mut Listing,
    lines: String,
    is_last: bool,
) -> Result<Option<String>, Error> {
    let s3 = &clients.s3;
    if listing.upload.is_empty() {
        listing.upload = upload::begin(s3, target, key).await?;
    }
    if !lines.is_empty() {
        let number = listing.parts.len() + 1;
        listing.parts.push(upload::part(s3, target, key, &listing.upload, number, lines).await?);
    }
    match is_last {
        true => upload::complete(s3, target, key, &listing.upload, &listing.parts).await.map(Some),
        false => Ok(None),
    }
}

fn manifest_key(folder: &Place) -> String {
    format!("{}{NAME}", folder.key())
}
